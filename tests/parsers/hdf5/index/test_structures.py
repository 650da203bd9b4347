"""Deep trees, paged blocks, cut nodes, and how many rounds each index takes."""

from __future__ import annotations

import ctypes
import random
import tracemalloc
from dataclasses import replace

import h5py
import numpy as np
import pytest

from parsers.hdf5.index.witness import case_of, checksum, library, low_level, scattered
from virtualizarr.parsers.hdf5.layout import ChunkIndexType as Kind

V110 = ("v110", "v110")


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=["plain", "gzip"])
@pytest.mark.parametrize("libver", [V110, "latest"], ids=str)
def test_fixed_array_with_pages(tmp_path, libver, options):
    """Of five pages one has no chunk, and the last is short."""
    positions = [(0,), (1023,), (1024,), (3500,), (4996,), (4999,)]
    case = scattered(tmp_path / "f.h5", (5000,), (5000,), positions, libver, **options)
    assert case.layout.index_type == Kind.FIXED_ARRAY
    index = case.check()
    assert len(index) == len(positions)
    far = case.data + bytes(8192)
    assert case.index(data=far)[1] <= 3


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=["plain", "gzip"])
@pytest.mark.parametrize("libver", [V110, "latest"], ids=str)
def test_extensible_array_with_super_blocks_and_pages(tmp_path, libver, options):
    """Pages of data blocks are initialised one by one; their bits span data blocks."""
    rng = random.Random(7)
    positions = sorted({(rng.randrange(1, 1 << rng.randint(1, 18)),) for _ in range(200)})
    rng.shuffle(positions)
    case = scattered(tmp_path / "f.h5", (1 << 18,), (None,), positions, libver, **options)
    assert case.layout.index_type == Kind.EXTENSIBLE_ARRAY
    index, rounds = case.index()
    assert rounds <= 4
    assert sorted(index.cell.tolist()) == sorted(p[0] for p in positions)
    case.check()


def test_extensible_array_pages_with_unlimited_last_dimension(tmp_path):
    positions = [(i % 3, i * 1777 % 100_000) for i in range(100)]
    case = scattered(tmp_path / "f.h5", (3, 100_000), (5, None), positions)
    assert case.layout.index_type == Kind.EXTENSIBLE_ARRAY
    assert len(case.check()) == 100


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=["plain", "gzip"])
def test_deep_btree2(tmp_path, options):
    positions = [(i, j) for i in range(90) for j in range(80)]
    random.Random(5).shuffle(positions)
    case = scattered(tmp_path / "f.h5", (90, 80), (None, None), positions, **options)
    assert case.layout.index_type == Kind.BTREE_V2
    at = case.layout.index_address
    depth = int.from_bytes(case.data[at + 12 : at + 14], "little")
    assert depth == 2
    assert len(case.check(rounds=depth + 2)) == 7200


@pytest.mark.parametrize("k", [1, 2, 5, 32, 300])
def test_deep_btree1(tmp_path, k):
    istore_k = library("H5Pset_istore_k", ctypes.c_int64, ctypes.c_uint)

    def edit(plist):
        assert istore_k(plist.id, k) == 0

    positions = [(i, j) for i in range(25) for j in range(30)]
    random.Random(5).shuffle(positions)
    path = tmp_path / "f.h5"
    with low_level(path, (25, 30), (None, 30), (1, 1), "earliest", file_edit=edit) as file:
        for number, position in enumerate(positions):
            file["data"][position] = number + 1
    case = case_of(path, chunk_internal_k=k)
    assert case.layout.index_type == Kind.BTREE_V1
    levels = case.data[case.layout.index_address + 5] + 1
    assert levels > {1: 6, 2: 4, 5: 3, 32: 1, 300: 0}[k]
    assert len(case.check(rounds=levels)) == 750


@pytest.mark.parametrize("libver", ["earliest", V110], ids=str)
def test_rounds_of_small_indexes(tmp_path, libver):
    """One round where the structures lie within one read-ahead."""
    for max_shape in [(4, 4), (None, 4), (None, None)]:
        positions = [(0, 0), (3, 2)]
        case = scattered(tmp_path / "f.h5", (4, 4), max_shape, positions, libver)
        small = {Kind.BTREE_V1: 1, Kind.FIXED_ARRAY: 1, Kind.EXTENSIBLE_ARRAY: 2, Kind.BTREE_V2: 2}
        case.check(rounds=small[case.layout.index_type])


def test_rounds_of_scattered_structures(tmp_path):
    """Blocks far from their header cost a round each, however many there are."""
    case = scattered(tmp_path / "f.h5", (9,), (9,), [(1,), (8,)], V110)
    at = case.layout.index_address
    block = int.from_bytes(case.data[at + 16 : at + 24], "little")
    moved = case.data + bytes(9000) + case.data[block : block + 14 + 9 * 8 + 4]
    header = moved[at : at + 16] + (len(case.data) + 9000).to_bytes(8, "little")
    moved = moved[:at] + header + checksum(header) + moved[at + 28 :]
    replace(case, data=moved).check(rounds=2)


def test_btree1_node_cut_by_the_end_of_the_file(tmp_path):
    case = scattered(tmp_path / "f.h5", (6, 6), (None, 6), [(0, 0), (2, 3), (5, 5)], "earliest")
    at = case.layout.index_address
    used = 24 + 3 * (8 + 3 * 8 + 8)
    layout = replace(case.layout, index_address=len(case.data))
    cut = replace(case, data=case.data + case.data[at : at + used], layout=layout)
    assert len(cut.check(rounds=1)) == 3


@pytest.mark.parametrize("libver", ["earliest", V110], ids=str)
@pytest.mark.parametrize("max_shape", [(None,), (None, None)])
def test_an_enormous_grid_costs_nothing(tmp_path, libver, max_shape):
    shape = (10**9,) if len(max_shape) == 1 else (10**5, 10**5)
    positions = [tuple(s // n for s in shape) for n in (2, 3, 7)]
    path = tmp_path / "f.h5"
    with h5py.File(path, "w", libver=libver) as file:
        chunks = (1,) * len(shape)
        data = file.create_dataset("data", shape, "<i4", maxshape=max_shape, chunks=chunks)
        for number, position in enumerate(positions):
            data[position] = number + 1
    case = case_of(path, values=False)
    tracemalloc.start()
    index, _ = case.index()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    stored = {
        cell: int.from_bytes(case.data[at : at + 4], "little")
        for cell, at in zip(index.cell.tolist(), index.address.tolist(), strict=True)
    }
    assert stored == {int(np.ravel_multi_index(p, shape)): n + 1 for n, p in enumerate(positions)}
    assert peak < 2_000_000
