"""Every chunk index against the values that h5py reads, chunk by chunk."""

from __future__ import annotations

import ctypes
import random
from pathlib import Path

import h5py
import numpy as np
import pytest

from parsers.hdf5.index.witness import Case, case_of, library, low_level, numbered
from virtualizarr.parsers.hdf5.layout import ChunkIndexType as Kind

V110 = ("v110", "v110")
LIBVERS = ["earliest", V110, "latest"]
FILTERS = {
    "none": {},
    "gzip": {"compression": "gzip", "shuffle": True},
    "all": {"compression": "gzip", "shuffle": True, "fletcher32": True},
}


def written(
    path: Path, shape: tuple[int, ...], libver: object = "latest", **options: object
) -> Case:
    with h5py.File(path, "w", libver=libver) as file:
        options.setdefault("maxshape", shape)
        file.create_dataset("data", data=numbered(shape), **options)
    return case_of(path)


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("libver", LIBVERS, ids=str)
@pytest.mark.parametrize(
    ("max_shape", "kind"),
    [
        ((7, 9, 4), Kind.FIXED_ARRAY),
        ((12, 30, 4), Kind.FIXED_ARRAY),
        ((None, 9, 4), Kind.EXTENSIBLE_ARRAY),
        ((None, 20, 9), Kind.EXTENSIBLE_ARRAY),
        ((7, None, 4), Kind.EXTENSIBLE_ARRAY),
        ((11, 14, None), Kind.EXTENSIBLE_ARRAY),
        ((None, 9, None), Kind.BTREE_V2),
        ((None, None, None), Kind.BTREE_V2),
    ],
)
def test_values(tmp_path, max_shape, kind, libver, filters):
    case = written(
        tmp_path / "f.h5",
        (7, 9, 4),
        libver,
        maxshape=max_shape,
        chunks=(2, 4, 3),
        **FILTERS[filters],
    )
    assert case.layout.index_type == (Kind.BTREE_V1 if libver == "earliest" else kind)
    versions = {"earliest": 3, V110: 4, "latest": 4 if filters == "none" else 5}
    assert case.layout.version == versions[libver]
    index = case.check()
    assert len(index) == 4 * 3 * 2


@pytest.mark.parametrize("libver", LIBVERS, ids=str)
def test_unlimited_dimension_that_is_not_the_first(tmp_path, libver):
    """libhdf5 2.0's own list of chunks is wrong here; the values are not."""
    case = written(tmp_path / "f.h5", (6, 20), libver, maxshape=(6, None), chunks=(2, 3))
    assert len(case.check()) == 3 * 7


@pytest.mark.parametrize("filters", FILTERS)
def test_single_chunk(tmp_path, filters):
    case = written(tmp_path / "f.h5", (5, 6), chunks=(5, 6), **FILTERS[filters])
    assert case.layout.index_type == Kind.SINGLE_CHUNK
    assert len(case.check(rounds=0)) == 1


@pytest.mark.parametrize("max_shape", [(9, 10), (14, 23)])
def test_implicit(tmp_path, max_shape):
    def early(plist):
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)

    path = tmp_path / "f.h5"
    with low_level(path, (9, 10), max_shape, (2, 3), "latest", edit=early) as file:
        file["data"][...] = numbered((9, 10))
    case = case_of(path)
    assert case.layout.index_type == Kind.IMPLICIT
    index = case.check(rounds=0)
    assert len(index) == 5 * 4
    assert index.size.strides == index.filter_mask.strides == (0,)


@pytest.mark.parametrize("libver", LIBVERS, ids=str)
@pytest.mark.parametrize("max_shape", [(8, 8), (None, 8), (8, None), (None, None)])
def test_chunk_larger_than_the_array(tmp_path, libver, max_shape):
    path = tmp_path / "f.h5"
    with low_level(path, (2, 3), max_shape, (5, 8), libver) as file:
        file["data"][...] = numbered((2, 3))
    assert len(case_of(path).check()) == 1


@pytest.mark.parametrize("libver", LIBVERS, ids=str)
@pytest.mark.parametrize("max_shape", [(30, 8), (None, 8), (30, None), (None, None)])
@pytest.mark.parametrize("shape", [(26, 7), (4, 3), (1, 1), (0, 3)])
def test_grown_and_shrunk(tmp_path, libver, max_shape, shape):
    path = tmp_path / "f.h5"
    with h5py.File(path, "w", libver=libver) as file:
        data = file.create_dataset(
            "data", data=numbered((11, 5)), maxshape=max_shape, chunks=(2, 3), compression="gzip"
        )
        data.resize((20, 7))
        data[12:, 2:] = 5
        data.resize(shape)
    case_of(path).check()


@pytest.mark.parametrize("libver", LIBVERS, ids=str)
@pytest.mark.parametrize("max_shape", [(40, 40), (None, 40), (None, None)])
def test_missing_chunks_and_filter_masks(tmp_path, libver, max_shape):
    path = tmp_path / "f.h5"
    chosen = random.Random(3).sample([(i, j) for i in range(0, 40, 4) for j in range(0, 40, 5)], 30)
    with h5py.File(path, "w", libver=libver) as file:
        data = file.create_dataset(
            "data", (40, 40), "<i4", maxshape=max_shape, chunks=(4, 5), compression="gzip"
        )
        for number, place in enumerate(chosen):
            values = np.full((4, 5), number + 1, "<i4")
            if number % 3:
                data[place[0] : place[0] + 4, place[1] : place[1] + 5] = values
            else:
                data.id.write_direct_chunk(place, values.tobytes(), filter_mask=1)
    index = case_of(path).check()
    assert len(index) == 30
    assert index.filter_mask.sum() == 10


@pytest.mark.parametrize("libver", LIBVERS, ids=str)
@pytest.mark.parametrize("max_shape", [(6, 6), (None, 6), (None, None)])
def test_nothing_allocated(tmp_path, libver, max_shape):
    path = tmp_path / "f.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file.create_dataset("data", (6, 6), "<i4", maxshape=max_shape, chunks=(2, 2))
    case = case_of(path)
    assert case.layout.index_address is None
    assert len(case.check(rounds=0)) == 0


@pytest.mark.parametrize("width", [2, 4, 8])
@pytest.mark.parametrize("libver", LIBVERS, ids=str)
@pytest.mark.parametrize("max_shape", [(20, 9), (None, 9), (20, None), (None, None)])
@pytest.mark.parametrize("filtered", [False, True])
def test_widths_of_offsets_and_lengths(tmp_path, width, libver, max_shape, filtered):
    def deflate(plist):
        if filtered:
            plist.set_deflate(1)

    path = tmp_path / "f.h5"
    with low_level(
        path,
        (20, 9),
        max_shape,
        (3, 2),
        libver,
        edit=deflate,
        file_edit=lambda plist: plist.set_sizes(width, width),
    ) as file:
        file["data"][...] = numbered((20, 9))
        case = case_of(path, opened=file)
    assert case.sizes.offset == case.sizes.length == width
    case.check()


@pytest.mark.parametrize("libver", LIBVERS, ids=str)
@pytest.mark.parametrize("max_shape", [(3, 2), (20, 9), (None, 9), (20, None), (None, None)])
def test_user_block(tmp_path, libver, max_shape):
    shape = (3, 2) if max_shape == (3, 2) else (20, 9)
    path = tmp_path / "f.h5"
    with h5py.File(path, "w", libver=libver, userblock_size=1024) as file:
        file.create_dataset(
            "data", data=numbered(shape), maxshape=max_shape, chunks=(3, 2), compression="gzip"
        )
    case = case_of(path)
    assert case.sizes.base == 1024
    case.check()


@pytest.mark.parametrize("max_shape", [(20, 10), (32, 14), (None, 10), (20, None), (None, None)])
@pytest.mark.parametrize("chunks", [(6, 4), (4, 5), (20, 3), (7, 10)])
@pytest.mark.parametrize("libver", [V110, "latest"], ids=str)
def test_partial_edge_chunks_left_unfiltered(tmp_path, max_shape, chunks, libver):
    options = library("H5Pset_chunk_opts", ctypes.c_int64, ctypes.c_uint)

    def edit(plist):
        plist.set_shuffle()
        plist.set_deflate(4)
        assert options(plist.id, 2) == 0

    path = tmp_path / "f.h5"
    shape = (20, 10)
    with low_level(path, shape, max_shape, chunks, libver, edit=edit) as file:
        file["data"][...] = numbered(shape)
    case = case_of(path)
    assert case.layout.partial_edge_chunks_unfiltered
    index = case.check()
    counts = [-(-s // c) for s, c in zip(shape, chunks, strict=True)]
    place = np.unravel_index(index.cell, counts)
    partial = np.zeros(len(index), bool)
    for p, s, c in zip(place, shape, chunks, strict=True):
        partial |= (p + 1) * c > s
    assert (index.filter_mask[partial] == 2**32 - 1).all()
    assert not index.filter_mask[~partial].any()


def random_case(path: Path, rng: random.Random) -> Case:
    """A small dataset of random shape, limits, chunks, format, filters, history and holes."""
    rank = rng.randint(1, 4)
    most = tuple(rng.choice([None, rng.randint(1, 12)]) for _ in range(rank))
    shape = tuple(rng.randint(1, 9 if m is None else m) for m in most)
    chunks = tuple(rng.randint(1, 4 if m is None else min(m, 4)) for m in most)
    options = rng.choice(list(FILTERS.values()))
    with h5py.File(path, "w", libver=rng.choice(LIBVERS)) as file:
        data = file.create_dataset("data", shape, "<i4", maxshape=most, chunks=chunks, **options)
        if rng.random() < 0.6:
            data[...] = numbered(shape)
        for _ in range(rng.randint(0, 3)):
            if rng.random() < 0.5:
                data.resize(tuple(rng.randint(1, 12 if m is None else m) for m in most))
            lows = [rng.randrange(s) for s in data.shape]
            at = tuple(slice(low, low + rng.randint(1, 3)) for low in lows)
            data[at] = rng.randint(1, 1000)
    return case_of(path)


@pytest.mark.parametrize("seed", range(8))
def test_random_datasets(tmp_path, seed):
    rng = random.Random(seed)
    for _ in range(25):
        random_case(tmp_path / "f.h5", rng).check()
