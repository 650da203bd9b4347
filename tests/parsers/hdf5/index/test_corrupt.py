"""Broken indexes: an error of our tree that names the place, quickly and in little memory."""

from __future__ import annotations

import math
import random
import tracemalloc
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from parsers.hdf5.index.witness import (
    SUMMED,
    Case,
    case_of,
    checksum,
    checksummed,
    numbered,
    places,
    scattered,
)
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.index import ChunkedData, ChunkIndex, read_chunk_index
from virtualizarr.parsers.hdf5.index.grid import ChunkGrid, has_duplicates
from virtualizarr.parsers.hdf5.layout import ChunkedLayout, ChunkIndexType, Sizes
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

V110 = ("v110", "v110")


def small(path: Path, max_shape: tuple[int | None, ...], libver: object, **options: object) -> Case:
    with h5py.File(path, "w", libver=libver) as file:
        file.create_dataset(
            "data", data=numbered((40, 30)), maxshape=max_shape, chunks=(2, 3), **options
        )
    return case_of(path)


INDEXES = {
    "btree1": ((None, 30), "earliest"),
    "fixed array": ((40, 30), V110),
    "extensible array": ((None, 30), V110),
    "swizzled extensible array": ((40, None), V110),
    "btree2": ((None, None), V110),
}


@pytest.fixture(params=INDEXES)
def case(request, tmp_path):
    max_shape, libver = INDEXES[request.param]
    return small(tmp_path / "f.h5", max_shape, libver)


def nodes(data: bytes) -> list[int]:
    """Where structures of an index begin."""
    return sorted(at for signature in [b"TREE", *SUMMED] for at in places(data, signature))


def failure(case: Case) -> CorruptFileError | None:
    """The error that reading the index ends in."""
    try:
        case.index()
    except CorruptFileError as error:
        return error
    return None


def patched(case: Case, at: int, raw: bytes) -> Case:
    return replace(case, data=case.data[:at] + raw + case.data[at + len(raw) :])


def test_every_signature_and_version_is_checked(case):
    """The group's own B-tree is a node too, but no reading of the index meets it."""
    case.check()
    named = set()
    for at in nodes(case.data):
        for offset in (0, 3, 4):
            broken = patched(case, at + offset, bytes([case.data[at + offset] ^ 0x55]))
            error = failure(broken)
            if error is not None:
                assert error.at == at
                named.add(at)
    assert case.layout.index_address in named
    assert len(named) >= len(nodes(case.data)) - 1


def test_truncation_anywhere(case):
    """A cut file gives an error, or the right values where only padding is gone."""
    for size in [*range(0, len(case.data), 97), len(case.data) - 1]:
        cut = replace(case, data=case.data[:size])
        error = failure(cut)
        if error is None:
            cut.check()
        else:
            assert error.at is not None


def test_a_flipped_bit_is_an_error_that_names_its_structure(case):
    """Version 1 trees have no checksums."""
    rng = random.Random(5)
    structures = checksummed(case.data)
    assert bool(structures) == (case.layout.index_type != ChunkIndexType.BTREE_V1)
    for at, end in structures:
        for where in [*range(at, end, 3), *range(end, end + 4)]:
            flipped = case.data[where] ^ 1 << rng.randrange(8)
            error = failure(patched(case, where, bytes([flipped])))
            assert error is not None
            assert error.at == at


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("shape", "max_shape"),
    [((5000,), (5000,)), ((1 << 18,), (None,)), ((60, 60), (None, None))],
    ids=str,
)
def test_flipped_bits_of_pages_and_deep_trees(tmp_path, shape, max_shape, options):
    """Only old records in nodes that were split, and nodes no longer in use, may change unseen."""
    rng = random.Random(3)
    cells = rng.sample(range(math.prod(shape)), 500)
    positions = [np.unravel_index(cell, shape) for cell in cells]
    case = scattered(tmp_path / "f.h5", shape, max_shape, positions, **options)
    index, _ = case.index()
    heads = [flip(case, at + rng.randrange(16), index, rng) for at in nodes(case.data)[::5]]
    assert any(heads)
    for address in rng.sample(index.address.tolist(), 60):
        records = places(case.data, address.to_bytes(8, "little"))
        noticed = [flip(case, at + rng.randrange(8), index, rng) for at in records]
        assert any(noticed)


def flip(case: Case, where: int, index: ChunkIndex, rng: random.Random) -> bool:
    """Whether one flipped bit is an error, which names a place before it; else nothing differs."""
    broken = patched(case, where, bytes([case.data[where] ^ 1 << rng.randrange(8)]))
    error = failure(broken)
    if error is None:
        found, _ = broken.index()
        for name in ("cell", "address", "size", "filter_mask"):
            np.testing.assert_array_equal(getattr(found, name), getattr(index, name))
        return False
    assert error.at is not None
    assert error.at <= where
    return True


def test_random_mutations(case):
    """Also with checksums that agree with what was written over the structures."""
    rng = random.Random(11)
    starts = nodes(case.data)
    structures = checksummed(case.data)
    tracemalloc.start()
    for number in range(600):
        data = bytearray(case.data)
        at = rng.choice(starts)
        for _ in range(rng.randint(1, 3)):
            where = min(at + rng.choice([rng.randrange(32), rng.randrange(600)]), len(data) - 1)
            data[where] = rng.choice([0, 1, 0x7F, 0xFF, rng.randrange(256)])
        for start, end in structures if number % 6 else []:
            data[end : end + 4] = checksum(bytes(data[start:end]))
        try:
            index, _ = replace(case, data=bytes(data)).index()
        except (CorruptFileError, UnsupportedFeatureError):
            continue
        assert len(np.unique(index.cell)) == len(index) <= 200
        assert int((index.address + index.size).max(initial=0)) <= len(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


@pytest.mark.parametrize("index_type", [0, 3, 4, 5])
def test_noise_behind_a_signature(index_type):
    rng = random.Random(index_type)
    starts = {0: b"TREE\x01", 3: b"FAHD\x00\x00", 4: b"EAHD\x00\x00", 5: b"BTHD\x00\x0a"}
    end = {0: 100, 3: 24, 4: 68, 5: 34}[index_type]
    limit = {0: 100, 3: 100, 4: None, 5: None}[index_type]
    layout = ChunkedLayout(4, (1,), 4, ChunkIndexType(index_type), 0)
    for _ in range(500):
        head = starts[index_type] + rng.randbytes(end - 6)
        data = head + checksum(head) + rng.randbytes(200)
        reading = read_chunk_index(ChunkedData(layout, (100,), (limit,), False), Sizes(), len(data))
        with pytest.raises((CorruptFileError, UnsupportedFeatureError)):
            run(reading, BytesSource(data))


def test_a_node_that_is_its_own_child(tmp_path):
    """Levels must fall; and a child may not be listed twice."""
    entry = np.dtype([("size", "<u4"), ("mask", "<u4"), ("off", "<u8", (2,)), ("child", "<u8")])
    entries = np.zeros(64, entry)
    node = b"TREE\x01\x05" + (64).to_bytes(2, "little") + b"\xff" * 16 + entries.tobytes()
    layout = ChunkedLayout(3, (1,), 4, ChunkIndexType.BTREE_V1, 0)

    def reading(data):
        return read_chunk_index(ChunkedData(layout, (100,), (None,), False), Sizes(), len(data))

    with pytest.raises(CorruptFileError, match="more than once"):
        run(reading(node), BytesSource(node))
    single = node[:6] + (1).to_bytes(2, "little") + node[8:]
    with pytest.raises(CorruptFileError, match="begins with"):
        run(reading(single), BytesSource(single))


def test_overlapping_nodes_are_bounded():
    """Children one byte apart would be read as often as there are entries."""
    entry = np.dtype([("size", "<u4"), ("mask", "<u4"), ("off", "<u8", (2,)), ("child", "<u8")])
    entries = np.zeros(64, entry)
    entries["child"] = np.arange(64)
    node = b"TREE\x01\x01" + (64).to_bytes(2, "little") + b"\xff" * 16 + entries.tobytes()
    layout = ChunkedLayout(3, (1,), 4, ChunkIndexType.BTREE_V1, 0)
    reading = read_chunk_index(ChunkedData(layout, (100,), (None,), False), Sizes(), len(node))
    with pytest.raises(CorruptFileError, match="overlap"):
        run(reading, BytesSource(node))


@pytest.mark.parametrize("page_bits", [10, 40, 255])
def test_fixed_array_that_declares_a_billion_chunks(page_bits):
    count = 10**9
    header = b"FAHD\x00\x00\x08" + bytes([page_bits]) + count.to_bytes(8, "little")
    header += (28).to_bytes(8, "little")
    data = header + checksum(header) + b"FADB\x00\x00" + bytes(8) + b"\xff" * 4000
    layout = ChunkedLayout(4, (1,), 4, ChunkIndexType.FIXED_ARRAY, 0)
    reading = read_chunk_index(ChunkedData(layout, (count,), (count,), False), Sizes(), len(data))
    tracemalloc.start()
    error = None
    try:
        run(reading, BytesSource(data))
    except CorruptFileError as caught:
        error = caught
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "end of the file" in str(error)
    assert peak < 1_000_000


def test_implicit_chunks_past_the_end_of_the_file():
    layout = ChunkedLayout(4, (1,), 4, ChunkIndexType.IMPLICIT, 64)
    reading = read_chunk_index(ChunkedData(layout, (10**8,), (10**8,), False), Sizes(), 4096)
    with pytest.raises(CorruptFileError, match="end of the file") as caught:
        run(reading, BytesSource(bytes(4096)))
    assert caught.value.at == 64


@pytest.mark.parametrize("filtered", [False, True])
def test_chunk_past_the_end_of_the_file_names_its_place(tmp_path, filtered):
    options = {"compression": "gzip"} if filtered else {}
    for max_shape, libver in INDEXES.values():
        case = small(tmp_path / "f.h5", max_shape, libver, **options)
        index = case.check()
        last = int(index.address.argmax())
        source = BytesSource(case.data)
        end = int(index.address[last] + index.size[last])
        reading = read_chunk_index(
            ChunkedData(case.layout, case.shape, case.max_shape, filtered), case.sizes, end - 1
        )
        with pytest.raises(CorruptFileError) as caught:
            run(reading, source)
        assert caught.value.at is not None


def test_wrong_kind_of_elements(case):
    """A header whose client says unfiltered cannot index filtered chunks."""
    if case.layout.index_type == ChunkIndexType.BTREE_V1:
        pytest.skip("version 1 trees always store sizes")
    with pytest.raises(CorruptFileError, match="begins with"):
        case.index(filters=((1, ()),))


def test_address_that_wraps_round_with_a_user_block(tmp_path):
    case = small(tmp_path / "f.h5", (40, 30), V110)
    index = case.check()
    raw = int(index.address[0]).to_bytes(8, "little")
    shifted = patched(case, case.data.index(raw, case.layout.index_address), b"\xfe" + b"\xff" * 7)
    sealed = shifted.data
    for start, end in checksummed(case.data):
        sealed = sealed[:end] + checksum(sealed[start:end]) + sealed[end + 4 :]
    moved = replace(
        shifted,
        data=bytes(512) + sealed,
        sizes=Sizes(base=512),
        layout=replace(case.layout, index_address=case.layout.index_address + 512),
    )
    with pytest.raises(CorruptFileError, match="end of the file"):
        moved.index()


@pytest.mark.parametrize(
    ("shape", "max_shape", "chunks"),
    [((4,), (4, 4), (2,)), ((4,), (4,), (0,)), ((5,), (4,), (2,)), ((), (), ())],
)
def test_grids_that_do_not_fit(shape, max_shape, chunks):
    with pytest.raises(CorruptFileError):
        ChunkGrid.of(shape, max_shape, chunks)


def test_grid_too_large_to_number():
    with pytest.raises(UnsupportedFeatureError, match="too many cells"):
        ChunkGrid.of((2**40, 2**40), (None, None), (1, 1))


@pytest.mark.parametrize("cells", [10, 10**12])
def test_duplicates(cells):
    assert has_duplicates(np.array([3, 1, 3]), cells)
    assert not has_duplicates(np.array([3, 1, 2]), cells)
    assert not has_duplicates(np.array([1, 2, 3]), cells)
    assert has_duplicates(np.array([1, 1]), cells)


def test_unknown_file_size_falls_back_on_the_superblock(case):
    def reading(end_of_file):
        sizes = replace(case.sizes, end_of_file=end_of_file)
        return read_chunk_index(
            ChunkedData(case.layout, case.shape, case.max_shape, False), sizes, None
        )

    source = BytesSource(case.data)
    assert len(run(reading(None), source)) == len(run(reading(len(case.data)), source)) == 200
    with pytest.raises(CorruptFileError):
        run(reading(case.layout.index_address + 1), source)


def test_unfiltered_chunk_of_another_size(tmp_path):
    case = small(tmp_path / "f.h5", (None, 30), "earliest")
    leaf = next(at for at in nodes(case.data) if case.data[at : at + 6] == b"TREE\x01\x00")
    with pytest.raises(CorruptFileError, match="not stored in 24 bytes"):
        patched(case, leaf + 24, b"\x17").index()
