"""The chunk indexes of many datasets, read together, against each of them read alone."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from parsers.hdf5.index.witness import assert_same
from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.hdf5.index import (
    ChunkedData,
    ChunkIndex,
    read_chunk_index,
    read_chunk_indexes,
)
from virtualizarr.parsers.hdf5.layout import ChunkedLayout, Dataset, Sizes
from virtualizarr.parsers.hdf5.read import read_superblock, walk
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run


def write(path: Path, libver: str) -> None:
    """Write datasets of three ranks: whole, with gaps, shrunk, of several levels, empty."""
    with h5py.File(path, "w", libver=libver) as file:
        for number in range(12):
            rank = 1 + number % 3
            file.create_dataset(
                f"whole{number}",
                data=np.arange(6**rank).reshape((6,) * rank),
                chunks=(4,) * rank,
                compression="gzip" if number % 2 else None,
            )
        gaps = file.create_dataset("gaps", (40,), "<i2", chunks=(4,), compression="gzip")
        gaps[8:12] = 3
        gaps.id.write_direct_chunk((20,), np.full(4, 5, "<i2").tobytes(), filter_mask=1)
        shrunk = file.create_dataset("shrunk", data=np.ones(40), chunks=(4,), maxshape=(None,))
        shrunk.resize((17,))
        file.create_dataset("deep", data=np.arange(500), chunks=(1,))
        file.create_dataset("empty", (10, 10), "<f4", chunks=(5, 5))
        file.create_dataset("none", (0, 10), "<f4", chunks=(5, 5), maxshape=(None, 10))


def datasets_of(data: bytes) -> tuple[dict[str, ChunkedData], Sizes]:
    source = BytesSource(data)
    superblock = run(read_superblock(), source)
    found = run(walk(superblock), source).objects.values()
    return {
        each.path: ChunkedData(
            each.layout, each.dataspace.shape, each.dataspace.max_shape, bool(each.filters)
        )
        for each in found
        if isinstance(each, Dataset) and isinstance(each.layout, ChunkedLayout)
    }, superblock.sizes


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_many_are_each_as_alone(tmp_path: Path, libver: str) -> None:
    write(tmp_path / "f.h5", libver)
    data = (tmp_path / "f.h5").read_bytes()
    datasets, sizes = datasets_of(data)
    assert len(datasets) == 17
    source = BytesSource(data)
    indexes = run(read_chunk_indexes([*datasets.values()], sizes, len(data)), source)
    rounds = 0
    for each, index in zip(datasets.values(), indexes, strict=True):
        alone = BytesSource(data)
        assert isinstance(index, ChunkIndex)
        assert_same(index, run(read_chunk_index(each, sizes, len(data)), alone))
        rounds = max(rounds, alone.rounds)
    assert source.rounds == rounds
    names = dict(zip(datasets, indexes, strict=True))
    assert names["/gaps"].cell.tolist() == [2, 5]
    assert sorted(names["/shrunk"].cell.tolist()) == [0, 1, 2, 3, 4]
    assert len(names["/deep"]) == 500


def test_one_that_is_broken_leaves_the_others(tmp_path: Path) -> None:
    write(tmp_path / "f.h5", "earliest")
    data = bytearray((tmp_path / "f.h5").read_bytes())
    datasets, sizes = datasets_of(bytes(data))
    broken = datasets["/whole4"].layout.index_address
    assert broken is not None
    data[broken : broken + 4] = b"EERT"
    source = BytesSource(bytes(data))
    indexes = run(read_chunk_indexes([*datasets.values()], sizes, len(data)), source)
    for (path, each), index in zip(datasets.items(), indexes, strict=True):
        if path == "/whole4":
            assert isinstance(index, CorruptFileError)
            assert index.at == broken
        else:
            assert not isinstance(index, VirtualizeError)
            alone = run(read_chunk_index(each, sizes, len(data)), BytesSource(bytes(data)))
            assert_same(index, alone)
