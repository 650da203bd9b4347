"""Messages read side by side, and parted headers, against the same read one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import grib_oracle
from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.grib import sections2
from virtualizarr.parsers.grib.headers import header_1, header_2, mars_of, part_1, part_2
from virtualizarr.parsers.grib.layout import Inventory
from virtualizarr.parsers.grib.scan import read_inventory
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

needs_eccodes = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not installed")

STEPS = {"forecastTime": 6}
SAMPLES = (
    ("regular_ll_sfc_grib2", {}),
    ("regular_ll_sfc_grib2", STEPS),
    ("regular_ll_pl_grib2", {"level": 500}),
    ("regular_gg_sfc_grib2", {"productDefinitionTemplateNumber": 8}),
    ("reduced_gg_pl_32_grib2", {"level": 850}),
    ("regular_ll_sfc_grib2", {"bitmapPresent": 1}),
)


def messages() -> Iterator[bytes]:
    for name, keys in SAMPLES:
        yield grib_oracle.message(name, None, keys)


def two_fields(data: bytes) -> bytes:
    """Return the message with sections 4 to 7 twice."""
    at = 16
    while data[at + 4] != 4:
        at += int.from_bytes(data[at : at + 4], "big")
    fields = data[at:-4]
    total = len(data) + len(fields)
    return data[:8] + total.to_bytes(8, "big") + data[16:at] + fields * 2 + b"7777"


def file_of_many() -> bytes:
    known = list(messages())
    known.append(two_fields(known[0]))
    return b"".join(known * 3)


def read(data: bytes, skip: bool) -> Inventory | str:
    try:
        return run(read_inventory(skip), BytesSource(data))
    except VirtualizeError as error:
        return f"{type(error).__name__} {error.reason} {error.at}"


def same(data: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[object, object]:
    """Return what is read side by side and one by one, in both ways to treat errors."""
    found: list[list[object]] = []
    for fewest in (sections2.FEWEST, len(data)):
        with monkeypatch.context() as patch:
            patch.setattr(sections2, "FEWEST", fewest)
            read_so = [read(data, skip) for skip in (False, True)]
        found.append([told(each) if isinstance(each, Inventory) else each for each in read_so])
    return found[0], found[1]


def told(inventory: Inventory) -> object:
    """Return the fields with their grids, whose numbers may differ, and what was skipped."""
    grids = list(inventory.grids)
    fields = [(grids[field.kind.grid], field.kind[2:], *field[1:]) for field in inventory.fields]
    return fields, inventory.skipped


@needs_eccodes
def test_many_messages_are_read_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file_of_many()
    inventory = Inventory()
    window = sections2.Window(memoryview(data), len(data))
    stop, lengths = sections2.Many().read(window, 0, inventory)
    assert stop == len(data)
    assert sum(lengths) == len(data)
    assert len(lengths) == 3 * (len(SAMPLES) + 1)
    assert len(inventory) == len(lengths) + 3
    side_by_side, singly = same(data, monkeypatch)
    assert side_by_side == singly


@needs_eccodes
@pytest.mark.timeout(300)
def test_broken_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = file_of_many()
    random = np.random.default_rng(7)
    known = list(messages())
    starts = np.cumsum([0, *map(len, known)])
    differing = 0
    intact = same(whole, monkeypatch)[0]
    for _ in range(120):
        data = bytearray(whole)
        start = int(random.choice(starts[:-1]))
        for _ in range(int(random.integers(1, 4))):
            data[start + int(random.integers(0, 180))] = int(random.integers(0, 256))
        if random.integers(0, 4) == 0:
            del data[int(random.integers(start, len(data))) :]
        side_by_side, singly = same(bytes(data), monkeypatch)
        assert side_by_side == singly
        differing += side_by_side != intact
    assert differing > 50


@needs_eccodes
def test_headers_are_parted_alike_one_and_many() -> None:
    sections: dict[int, bytes] = {}
    for data in messages():
        at = 16
        while data[at : at + 4] != b"7777":
            size = int.from_bytes(data[at : at + 4], "big")
            sections[data[at + 4]] = data[at : at + size]
            at += size
        for mars in (b"", bytes(range(30)), bytes(8)):
            parts = (bytes([data[6]]), sections[1], mars_of(mars), sections[4])
            rows = [np.tile(np.frombuffer(part, np.uint8), (2, 1)) for part in parts]
            headers, moments = part_2(*rows)
            single = header_2(data[6], sections[1], mars, sections[4])
            assert [(h.tobytes(), m.tobytes()) for h, m in zip(headers, moments, strict=True)] == [
                single
            ] * 2
    section_1 = grib_oracle.message("regular_ll_sfc_grib1")[8:36]
    headers, moments = part_1(np.frombuffer(section_1, np.uint8)[np.newaxis])
    assert (headers.tobytes(), moments.tobytes()) == header_1(section_1)
