"""The chunk indexes of many datasets of one file: read in step, small ones decoded together."""

from __future__ import annotations

from collections.abc import Sequence

from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf5.index.bounds import Bytes2D
from virtualizarr.parsers.hdf5.index.btree1_leaves import by_node_size, read_leaves
from virtualizarr.parsers.hdf5.index.columns import ChunkedStorage
from virtualizarr.parsers.hdf5.index.one import (
    NO_CHUNKS,
    ChunkedData,
    ChunkIndex,
    read_index,
    storage_of,
)
from virtualizarr.parsers.hdf5.layout import ChunkIndexType, Sizes
from virtualizarr.source.reading import Reading, together

type Indexes = dict[int, ChunkIndex | VirtualizeError]


def read_chunk_indexes(
    datasets: Sequence[ChunkedData], sizes: Sizes, file_size: int | None
) -> Reading[list[ChunkIndex | VirtualizeError]]:
    """Read the chunk indexes of many datasets of one file, each round for all of them.

    Returns for each what `read_chunk_index` returns, or the error that it raises.
    """
    found: dict[int, ChunkIndex | VirtualizeError] = {}
    storages: dict[int, ChunkedStorage] = {}
    for number, data in enumerate(datasets):
        try:
            storage = storage_of(data, sizes, file_size)
            if storage is None:
                found[number] = NO_CHUNKS
            else:
                storages[number] = storage
        except VirtualizeError as error:
            found[number] = error
    end = file_size if file_size is not None else sizes.end_of_file
    found |= yield from _read_all(storages, end)
    return [found[number] for number in range(len(datasets))]


def _read_all(storages: dict[int, ChunkedStorage], end: int | None) -> Reading[Indexes]:
    """Read trees of one node size together, and everything else by itself."""
    alone = dict(storages)
    readings: list[Reading[Indexes]] = []
    if end is not None:
        trees = {
            number: each
            for number, each in storages.items()
            if each.layout.index_type is ChunkIndexType.BTREE_V1
        }
        readings += [
            _read_group({number: alone.pop(number) for number in group}, end)
            for group in by_node_size(trees, end)
        ]
    readings += [_read_alone(number, storage) for number, storage in alone.items()]
    found: Indexes = {}
    for some in (yield from together(readings)):
        found |= some
    return found


def _read_group(storages: dict[int, ChunkedStorage], end_of_file: int) -> Reading[Indexes]:
    """Read trees of one node size; those that are no single, sound leaf are read on alone."""
    leaves = yield from read_leaves([*storages.values()], end_of_file)
    found: Indexes = {}
    rest: list[Reading[Indexes]] = []
    skipped = bool(leaves.filter_mask.any())
    first = 0
    parts = zip(storages.items(), leaves.decoded, leaves.ends, strict=True)
    for row, ((number, storage), decoded, end) in enumerate(parts):
        if decoded:
            found[number] = ChunkIndex(
                leaves.cell[first:end],
                leaves.address[first:end],
                leaves.size[first:end],
                mask := leaves.filter_mask[first:end],
                skipped and bool(mask.any()),
                end - first == storage.grid.cells,
            )
        else:
            rest.append(_read_alone(number, storage, leaves.roots[row : row + 1]))
        first = end
    for some in (yield from together(rest)):
        found |= some
    return found


def _read_alone(
    number: int, storage: ChunkedStorage, root: Bytes2D | None = None
) -> Reading[Indexes]:
    try:
        return {number: (yield from read_index(storage, root))}
    except VirtualizeError as error:
        return {number: error}
