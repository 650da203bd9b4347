"""Files that break the format's rules: an error of our tree, soon, whatever the bytes."""

from __future__ import annotations

import random
import struct
import sys
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from parsers.hdf5.structures.our_view import opened
from parsers.hdf5.structures.test_walk import fill, property_list
from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.hdf5.decode_checksum import lookup3
from virtualizarr.parsers.hdf5.layout import BrokenObject

MUTANTS = 250  # of each file


def many(file: h5py.File) -> None:
    """Write dense links and attributes, a huge one, ragged values and a virtual dataset."""
    fill(file)
    for i in range(40):
        file[f"links/{i}"] = h5py.SoftLink("/group")
        file["group"].attrs[f"dense {i}"] = "text" * i
    ragged = np.empty(2, object)
    ragged[:] = [np.arange(3), np.arange(5)]
    file["group"].attrs.create("ragged", ragged, dtype=h5py.vlen_dtype("i8"))
    layout = h5py.VirtualLayout(shape=(4, 4), dtype="f4")
    layout[:2] = h5py.VirtualSource("part.h5", "data", shape=(2, 4))
    file.create_virtual_dataset("virtual", layout)


@pytest.fixture(scope="module", params=["earliest", "latest", "shared"])
def victim(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("hostile") / "file.h5"
    if request.param == "shared":
        types = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 11 | 1 << 12
        created = property_list(shared_mesg_nindexes=(1,), shared_mesg_index=(0, types, 1))
        with h5py.File(h5py.h5f.create(str(path).encode(), fcpl=created)) as file:
            fill(file)
    else:
        with h5py.File(path, "w", libver=request.param) as file:
            many(file)
    return path.read_bytes()


@pytest.fixture(params=["checked", "unchecked"])
def checksums(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test twice: without checksums, mutants get deeper into the decoders."""
    if request.param == "unchecked":
        for name, module in list(sys.modules.items()):
            if name.startswith("virtualizarr.parsers.hdf5.") and hasattr(module, "check_lookup3"):
                monkeypatch.setattr(module, "check_lookup3", lambda *_: None)


def survive(data: bytes) -> None:
    """Walk `data`: it may fail, but only as we say, in bounded time."""
    start = time.monotonic()
    with suppress(VirtualizeError):
        opened(data)
    assert time.monotonic() - start < 10


def resealed(data: bytearray) -> bytes:
    """Return the file with the superblock's checksum made right again, if it has one."""
    if data[8] in (2, 3):
        struct.pack_into("<I", data, 44, lookup3(bytes(data[:44])))
    return bytes(data)


@pytest.mark.usefixtures("checksums")
def test_flipped_bytes(victim: bytes) -> None:
    dice = random.Random(1)
    for _ in range(MUTANTS):
        data = bytearray(victim)
        for _ in range(dice.choice([1, 1, 2, 8])):
            data[dice.randrange(len(data))] = dice.choice(
                [0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)]
            )
        survive(resealed(data))


@pytest.mark.usefixtures("checksums")
def test_spliced_numbers(victim: bytes) -> None:
    dice = random.Random(2)
    for _ in range(MUTANTS):
        data = bytearray(victim)
        size = dice.choice([2, 4, 8])
        at = dice.randrange(len(data) - 8)
        value = dice.choice([0, 1, at, len(data), (1 << 8 * size) - 1, (1 << 8 * size - 1) - 1])
        data[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        survive(resealed(data))


def test_cut_off(victim: bytes) -> None:
    dice = random.Random(3)
    for size in [*range(0, 200, 7), *(dice.randrange(len(victim)) for _ in range(60))]:
        with pytest.raises(VirtualizeError):
            opened(victim[:size])
        survive(victim[:size] + bytes(len(victim) - size))


def old_header(*messages: tuple[int, bytes], place: int) -> bytes:
    body = b"".join(
        struct.pack("<HHB3x", kind, len(content), 0) + content for kind, content in messages
    )
    return struct.pack("<BxHIII", 1, len(messages), 1, len(body), 0) + body


def with_root(header: bytes) -> bytes:
    """Return a file of which the root group has this object header, at byte 96."""
    superblock = struct.pack(
        "<8s8BHHIQQQQQQIIQQ",
        b"\x89HDF\r\n\x1a\n",
        *(0, 0, 0, 0, 0, 8, 8, 0),
        *(4, 16, 0),
        *(0, 2**64 - 1, 96 + len(header), 2**64 - 1),
        *(0, 96, 0, 0, 0, 0),
    )
    return superblock + header


def test_continuation_loop() -> None:
    loop = old_header((0x10, struct.pack("<QQ", 96 + 16, 24)), place=96)
    _, hierarchy, _ = opened(with_root(loop))
    assert isinstance(hierarchy.root, BrokenObject)
    assert isinstance(hierarchy.root.error, CorruptFileError)
    assert "loop" in str(hierarchy.root.error)


@pytest.mark.parametrize("size", [2**20, 2**40, 2**63])
def test_declared_sizes_cost_nothing(size: int) -> None:
    huge = old_header((0x10, struct.pack("<QQ", 100, size)), place=96)
    tracemalloc.start()
    hierarchy = opened(with_root(huge))[1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(hierarchy.root, BrokenObject)
    assert "passes the end" in str(hierarchy.root.error)
    assert peak < 2**20


def test_one_large_text_pointed_to_by_many(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.attrs.create("texts", ["x" * 1_000_000] + ["y"] * 3000, dtype=h5py.string_dtype())
    data = bytearray(path.read_bytes())
    at = data.index((1_000_000).to_bytes(4, "little"), 96)  # its length, in the attribute
    while data[at + 12 : at + 16] != b"\1\0\0\0":
        at = data.index((1_000_000).to_bytes(4, "little"), at + 1)
    data[at : at + 16 * 3001] = data[at : at + 16] * 3001
    tracemalloc.start()
    hierarchy = opened(bytes(data))[1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(hierarchy.root, BrokenObject)
    assert "more bytes than the file has" in str(hierarchy.root.error)
    assert peak < 2**26


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_broken_object_does_not_hide_others(tmp_path: Path, libver: Any) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["good"] = np.arange(3)
        file["bad"] = np.arange(4)
        at = h5py.h5o.get_info(file["bad"].id).addr
    data = bytearray(path.read_bytes())
    data[at : at + 4] = b"\xee\xee\xee\xee"
    _, hierarchy, _ = opened(bytes(data))
    bad = hierarchy.objects[hierarchy.paths["/bad"]]
    assert isinstance(bad, BrokenObject)
    assert bad.error.node == "/bad"
    assert bad.error.at == at
    assert not isinstance(hierarchy.objects[hierarchy.paths["/good"]], BrokenObject)


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"", 0xDEADBEEF),
        (b"Four score and seven years ago", 0x17770551),
    ],
)
def test_lookup3(data: bytes, expected: int) -> None:
    assert lookup3(data) == expected  # as in the test program of the hash's author


def test_checksum_of_object_headers(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["data"] = np.arange(3)
        file["data"].attrs["number"] = 1234567
    data = bytearray(path.read_bytes())
    at = data.index((1234567).to_bytes(8, "little"))
    data[at] ^= 1
    _, hierarchy, _ = opened(bytes(data))
    broken = hierarchy.objects[hierarchy.paths["/data"]]
    assert isinstance(broken, BrokenObject)
    assert "checksum" in str(broken.error)
