"""Shards taken apart: each inner chunk becomes a chunk of the array.

Specification: Zarr v3 codec `sharding_indexed`, version 1.0. Taken apart are shards without other
codecs around them whose index is stored plain, with or without a checksum.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, RegularGrid
from virtualizarr.model.metadata import CodecJson
from virtualizarr.parsers.zarr.columns import Int64s, Rows, check_grid
from virtualizarr.parsers.zarr.places import Place
from virtualizarr.source.reading import Reading

_EMPTY = np.uint64(2**64 - 1)
MAX_INNER = 2**26
_WORDS = 16  # bytes of an entry: offset and length
_CHECKSUM = 4


@dataclass(frozen=True, slots=True)
class Sharding:
    """How the shards of an array are divided: `inner` chunks of this shape, `counts` per axis."""

    inner: tuple[int, ...]
    counts: tuple[int, ...]
    codecs: tuple[CodecJson, ...]
    at_end: bool
    has_checksum: bool

    @property
    def index_size(self) -> int:
        """Bytes of a shard's index."""
        return prod(self.counts) * _WORDS + (_CHECKSUM if self.has_checksum else 0)

    def index_start(self, sizes: Int64s) -> Int64s:
        """Return where the indexes begin in shards of `sizes` bytes."""
        return sizes - self.index_size if self.at_end else np.zeros_like(sizes)


def sharding_of(metadata: ArrayMetadata) -> Sharding | None:
    """Return how an array's shards are divided; None where they cannot be taken apart.

    Raises CorruptFileError for a malformed codec.
    """
    grid = metadata.chunk_grid
    if len(metadata.codecs) != 1 or metadata.codecs[0]["name"] != "sharding_indexed":
        return None
    settings: Any = metadata.codecs[0].get("configuration", {})
    try:
        inner = tuple(int(n) for n in settings["chunk_shape"])
        codecs = tuple(settings["codecs"])
        index_codecs = [codec["name"] for codec in settings["index_codecs"]]
        endian = settings["index_codecs"][0].get("configuration", {}).get("endian", "little")
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise CorruptFileError(f"the codec sharding_indexed is malformed: {error!r}") from error
    plain = index_codecs in (["bytes"], ["bytes", "crc32c"]) and endian == "little"
    if not isinstance(grid, RegularGrid) or not plain:
        return None
    if len(inner) != metadata.ndim or any(
        n < 1 or shard % n for n, shard in zip(inner, grid.chunk_shape, strict=True)
    ):
        raise CorruptFileError(f"shards of {grid.chunk_shape} hold no chunks of {inner}")
    counts = tuple(shard // n for shard, n in zip(grid.chunk_shape, inner, strict=True))
    if prod(counts) > MAX_INNER:
        raise UnsupportedFeatureError(f"shards of {prod(counts):,} inner chunks each")
    at_end = settings.get("index_location", "end") == "end"
    return Sharding(inner, counts, codecs, at_end, len(index_codecs) == 2)


def split(metadata: ArrayMetadata, sharding: Sharding) -> ArrayMetadata:
    """Return the description of the array whose chunks are the inner chunks."""
    return metadata.replace(chunk_grid=RegularGrid(sharding.inner), codecs=sharding.codecs)


def read_inner(
    metadata: ArrayMetadata, sharding: Sharding, place: Place, which: Int64s, shards: Rows
) -> Reading[Rows]:
    """Return references to the inner chunks of shards; `which` are the shards' keys.

    `metadata` is the sharded array's. Inner chunks beyond the array's end are left out. Raises
    CorruptFileError where an index has a wrong checksum or points out of its shard.
    """
    blocks = yield from place.ranges(which, sharding.index_start, sharding.index_size)
    if sharding.has_checksum:
        _check(blocks)
    words = np.ascontiguousarray(blocks[:, : prod(sharding.counts) * _WORDS]).view("<u8")
    entries = words.reshape(len(which), prod(sharding.counts), 2)
    grid_shape = split(metadata, sharding).grid_shape
    check_grid(grid_shape)
    cells, inside = _inner_cells(metadata.grid_shape, sharding.counts, grid_shape, shards.cells)
    offset, length = entries[..., 0], entries[..., 1]
    stored = ~((offset == _EMPTY) & (length == _EMPTY)) & inside
    limit = shards.length[:, None]
    if ((offset > limit) | (length > limit) | (offset + length > limit))[stored].any():
        raise CorruptFileError("the index of a shard points out of the shard")
    row = np.nonzero(stored)[0]
    return Rows(
        cells[stored],
        shards.locations,
        shards.location[row],
        shards.offset[row] + offset[stored],
        length[stored].astype(np.uint64),
    )


def _check(blocks: npt.NDArray[np.uint8]) -> None:
    for number, block in enumerate(blocks):
        body, stored = block[:-_CHECKSUM].tobytes(), block[-_CHECKSUM:].tobytes()
        if google_crc32c.value(body) != int.from_bytes(stored, "little"):
            raise CorruptFileError(f"the index of shard {number} has a wrong checksum")


def _inner_cells(
    shard_grid: tuple[int, ...],
    counts: tuple[int, ...],
    grid_shape: tuple[int, ...],
    shards: Int64s,
) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Return the grid positions of all inner chunks of the shards, and which lie in the grid."""
    n, inner = len(shards), prod(counts)
    cells = np.zeros((n, inner), np.int64)
    inside = np.ones((n, inner), np.bool_)
    if not grid_shape:
        return cells, inside
    outer = np.unravel_index(shards, shard_grid)
    within = np.unravel_index(np.arange(inner), counts)
    for axis, extent in enumerate(grid_shape):
        index = outer[axis][:, None] * counts[axis] + within[axis][None, :]
        inside &= index < extent
        cells = cells * extent + index
    return cells, inside
