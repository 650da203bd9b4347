"""How many rounds and bytes it takes to walk a large file, with and without a sidecar index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

import grib_oracle
from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.parsers.grib.ahead import number_of_parts
from virtualizarr.parsers.grib.layout import Inventory
from virtualizarr.parsers.grib.scan import PLAIN, READ_ON, RUN, WHOLE, Plan, read_inventory
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

URL = "memory://bucket/far.grib2"
IDX, INDEX = f"{URL}.idx", "memory://bucket/far.index"


@cache
def message(edition: int, number: int, rows: int = 4) -> bytes:
    """Return a small message whose time is `number` hours after the first."""
    keys = {"dataDate": 20240101 + number // 24, "dataTime": number % 24 * 100}
    values = np.arange(5.0 * rows) + number
    return grib_oracle.message(
        f"regular_ll_sfc_grib{edition}", values, {"Ni": 5, "Nj": rows, **keys}
    )


def stretched(data: bytes, size: int) -> bytes:
    """Return an edition 2 message with zeros behind its data, so that it has `size` bytes."""
    at = 16
    while data[at + 4] != 7:
        at += int.from_bytes(data[at : at + 4], "big")
    more = size - len(data)
    length = int.from_bytes(data[at : at + 4], "big") + more
    head = data[:8] + size.to_bytes(8, "big") + data[16:at] + length.to_bytes(4, "big")
    return head + data[at + 4 : -4] + bytes(more) + b"7777"


def lengths(count: int, mean: int) -> Iterator[int]:
    """Yield lengths as messages of compressed fields have them: none like the one before."""
    random = np.random.default_rng(count)
    yield from (random.uniform(0.4, 1.6, count) * mean).astype(int).tolist()


def many(count: int = 120, mean: int = 250_000) -> list[bytes]:
    return [
        stretched(message(2, i), size) for i, size in enumerate(lengths(count, mean))
    ]  # fmt: skip


def idx(messages: list[bytes]) -> bytes:
    starts = np.cumsum([0, *map(len, messages[:-1])])
    lines = (f"{i + 1}:{at}:d=2024010100:TMP:surface:anl:" for i, at in enumerate(starts))
    return "\n".join(lines).encode()


def index(messages: list[bytes]) -> bytes:
    starts = np.cumsum([0, *map(len, messages[:-1])]).tolist()
    lines = (
        json.dumps({"param": "2t", "_offset": at, "_length": len(data)})
        for at, data in zip(starts, messages, strict=True)
    )
    return "\n".join(lines).encode()


class Bucket:
    """Files in memory; what was opened, and how often each was read, can be asked."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.sources = {url: BytesSource(data, url) for url, data in files.items()}
        self.asked: list[str] = []

    def open(self, url: str) -> BytesSource:
        self.asked.append(url)
        if url not in self.sources:
            raise VirtualizeError("no such file", url=url)
        return self.sources[url]

    def parse(self, **options: Any) -> Any:
        parser = GRIBParser(**options)
        return run(parser.parse(URL), self.sources[URL], self.open)

    @property
    def cost(self) -> tuple[int, int]:
        source = self.sources[URL]
        return source.rounds, source.bytes_read


def test_a_small_file_is_one_round_and_no_sidecar_is_asked_for() -> None:
    bucket = Bucket({URL: message(2, 0) + message(2, 1)})
    assert bucket.parse()["surface/instant/t"].manifest.nrefs == 2
    assert bucket.cost[0] == 1
    assert bucket.asked == []


@pytest.mark.parametrize("sidecar,make", [(IDX, idx), (INDEX, index)])
def test_with_a_sidecar_it_is_two_rounds(sidecar: str, make: Any) -> None:
    messages = many()
    bucket = Bucket({URL: b"".join(messages), sidecar: make(messages)})
    group = bucket.parse()
    rounds, read = bucket.cost
    assert rounds == 2
    assert read < (1 << 20) + 120 * 4200
    assert bucket.sources[sidecar].rounds == 1
    assert group == Bucket({URL: b"".join(messages)}).parse(sidecar=False)


def test_a_sidecar_that_is_named_is_read_with_the_head() -> None:
    messages = many(40)
    name = "memory://elsewhere/index"
    bucket = Bucket({URL: b"".join(messages), name: idx(messages)})
    bucket.parse(sidecar=name)
    assert bucket.cost[0] == 2
    assert bucket.asked == [name]
    with pytest.raises(VirtualizeError, match="no such file"):
        bucket.parse(sidecar="memory://elsewhere/other")


def test_bitmaps_take_one_round_more_for_all_messages_together() -> None:
    messages = [
        stretched(message(2, i), size) for i, size in enumerate(lengths(60, 400_000))
    ]  # fmt: skip
    messages = [with_bitmap(data) for data in messages]
    bucket = Bucket({URL: b"".join(messages), IDX: idx(messages)})
    bucket.parse()
    assert bucket.cost[0] == 3


def with_bitmap(data: bytes) -> bytes:
    """Return the message with a bitmap of 50,000 bytes that says nothing is missing."""
    at = data.index(b"\x00\x00\x00\x06\x06\xff")
    section = (6 + 50_000).to_bytes(4, "big") + b"\x06\x00" + b"\xff" * 50_000
    total = (len(data) + 50_000).to_bytes(8, "big")
    return data[:8] + total + data[16:at] + section + data[at + 6 :]


@pytest.mark.parametrize("wrong", ["shifted", "of another file", "cut", "no index", "binary"])
def test_a_sidecar_is_not_trusted(wrong: str) -> None:
    messages = many(60)
    data = b"".join(messages)
    sidecar = {
        "shifted": idx([b"x" * 17, *messages]),
        "of another file": idx(many(90, 200_000)),
        "cut": idx(messages[:30]),
        "no index": b"<html>404</html>",
        "binary": bytes(range(256)) * 40,
    }[wrong]
    expected = Bucket({URL: data}).parse(sidecar=False)
    bucket = Bucket({URL: data, IDX: sidecar})
    assert bucket.parse() == expected
    assert bucket.cost[0] <= 30


def test_a_sidecar_that_is_not_there_costs_no_round_of_the_file() -> None:
    data = b"".join(many(60))
    without, looked = Bucket({URL: data}), Bucket({URL: data})
    without.parse(sidecar=False)
    looked.parse()
    assert looked.cost == without.cost
    assert looked.asked == [IDX, INDEX]


def test_messages_of_one_length_are_read_in_three_rounds() -> None:
    messages = [stretched(message(2, i), 300_000) for i in range(200)]
    bucket = Bucket({URL: b"".join(messages)})
    bucket.parse()
    rounds, read = bucket.cost
    assert rounds == 3
    assert read < (1 << 20) + 210 * 4200


def test_messages_of_many_lengths_are_walked_from_several_places() -> None:
    messages = many(400, 150_000)
    data = b"".join(messages)
    plain, searched = Bucket({URL: data}), Bucket({URL: data})
    expected = plain.parse(sidecar=False, probes=0)
    assert searched.parse(sidecar=False) == expected
    assert plain.cost[0] >= 390
    assert plain.cost[1] < 3 * (1 << 20) + 400 * 4200
    rounds, read = searched.cost
    assert rounds <= 20
    assert read <= 0.25 * len(data)


def walked(data: bytes, plan: Plan, skip: bool = False) -> tuple[Inventory, BytesSource]:
    source = BytesSource(data, URL)
    return run(read_inventory(skip, plan), source, Bucket({}).open), source


def short_ones(edition: int, size: int) -> list[bytes]:
    """Return messages of some kilobytes that together have about `size` bytes."""
    day = [message(edition, hour, 500 + hour) for hour in range(24)]
    return day * (size // sum(map(len, day)))


@pytest.mark.parametrize("edition", [1, 2])
def test_short_messages_of_a_local_file_are_read_block_by_block(edition: int) -> None:
    messages = short_ones(edition, 2 * WHOLE)
    some = len(messages) // 5
    messages[2 * some] = stretched(message(2, 7), READ_ON + 999)
    messages[3 * some] = b"\r\n bulletin \r\n" + messages[3 * some]
    data = b"".join(messages)
    heads, _ = walked(data, PLAIN)
    blocks, source = walked(data, Plan(probes=0, whole=True))
    assert len(heads) == len(messages)
    assert blocks.fields == heads.fields
    assert source.rounds <= len(data) // READ_ON + RUN + 4
    assert source.bytes_read <= len(data) + 2 * READ_ON


def test_long_messages_of_a_local_file_are_not_read_whole() -> None:
    data = b"".join(many(200, 150_000))
    heads, plain = walked(data, PLAIN)
    blocks, source = walked(data, Plan(probes=0, whole=True))
    assert blocks.fields == heads.fields
    assert source.bytes_read == plain.bytes_read


def test_a_broken_message_within_blocks_is_named_or_listed() -> None:
    messages = short_ones(2, 2 * WHOLE)
    place = len(messages) // 2
    at = sum(map(len, messages[:place]))
    messages[place] = messages[place][:-4] + b"6666"
    data = b"".join(messages)
    with pytest.raises(CorruptFileError) as caught:
        walked(data, Plan(probes=0, whole=True))
    assert caught.value.at == at
    inventory, _ = walked(data, Plan(probes=0, whole=True), skip=True)
    assert len(inventory) == len(messages) - 1
    assert str(at) in inventory.skipped[0]


def test_the_number_of_parts_weighs_rounds_against_bytes() -> None:
    assert number_of_parts(500_000_000, 680_000) == 64
    assert 20 < number_of_parts(130_000_000, 750_000) < 40
    assert number_of_parts(10_000_000, 9_000_000) < 2


def test_what_looks_like_a_message_within_data_is_none() -> None:
    messages = many(60)
    fake = message(2, 77)
    half = len(messages[31]) // 2
    messages[31] = messages[31][:half] + fake + messages[31][half + len(fake) :]
    data = b"".join(messages)
    expected = Bucket({URL: data}).parse(sidecar=False, probes=0)
    assert expected["surface/instant/t"].manifest.nrefs == 60
    for probes in (2, 7, 31, 64):
        assert Bucket({URL: data}).parse(sidecar=False, probes=probes) == expected


def test_bulletins_between_messages() -> None:
    messages = [b"\x01\r\r\n123\r\r\nHHXX KWBC 010000\r\r\n" + data for data in many(60)]
    data = b"".join(messages)
    expected = Bucket({URL: data}).parse(sidecar=False, probes=0)
    bucket = Bucket({URL: data})
    assert bucket.parse(sidecar=False) == expected
    assert bucket.cost[0] <= 35


def test_long_messages_of_edition_1() -> None:
    """ECMWF counts what is longer than 8 MiB in 120 bytes, less what section 4 says."""
    data = message(1, 0)
    at = 8 + int.from_bytes(data[8:11], "big")
    at += int.from_bytes(data[at : at + 3], "big")
    long = []
    for hours in range(3):
        body = bytearray(message(1, hours))[8:-4] + bytes(9_000_000 + hours)
        total = 8 + len(body) + 4
        units = -(-total // 120)
        body[at - 8 : at - 5] = (units * 120 - total + 4).to_bytes(3, "big")
        long.append(b"GRIB" + (units | 0x800000).to_bytes(3, "big") + b"\x01" + body + b"7777")
    assert grib_oracle.keys_of(long[1], ["totalLength"])["totalLength"] == len(long[1])
    group = Bucket({URL: b"".join(long)}).parse()
    (array,) = (a for _, a in group.walk_arrays() if "GRIB_paramId" in a.metadata.attributes)
    assert [entry["length"] for _, entry in array.manifest.iter_refs()] == [
        len(each) for each in long
    ]
    with pytest.raises(CorruptFileError, match="ends"):
        Bucket({URL: b"".join(long)[:-9]}).parse()
