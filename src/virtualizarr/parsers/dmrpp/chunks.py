"""Chunks and blocks of a variable as references over a chunk grid."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.hdf5_pipeline import Pipeline
from virtualizarr.codecs.names import CodecJSON
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, ChunkManifest
from virtualizarr.model.columns import narrowed
from virtualizarr.parsers.dmrpp.context import Context, read_pieces
from virtualizarr.parsers.dmrpp.filters import codecs_for, pipeline_of
from virtualizarr.parsers.dmrpp.layout import Pieces, Variable
from virtualizarr.parsers.dmrpp.order import read_filter_order
from virtualizarr.source.reading import Reading

MAX_CELLS = 1 << 48  # of a grid; its columns take no memory while all chunks are missing
MAX_CHUNKS = 1 << 20  # that blocks are cut into
MAX_INLINE = 16 * 1024 * 1024

type Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Placed:
    """A variable's chunks over the grid of its own axes; `codecs` are those of its filters."""

    chunk_shape: tuple[int, ...]
    codecs: tuple[CodecJSON, ...]
    manifest: ChunkManifest

    @property
    def complete(self) -> bool:
        """Whether every chunk has bytes."""
        return self.manifest.nrefs == prod(self.manifest.shape_chunk_grid)


def read_placed(context: Context, variable: Variable, size: int) -> Reading[Placed]:
    """Return the chunks of a variable whose elements are stored in `size` bytes.

    Chunks that lie in several parts of a file are read and kept inline, up to `MAX_INLINE` bytes a
    variable; so are contiguous values in several blocks, unless they can be cut at the borders of
    the blocks. Raises CorruptFileError for what does not fit together.
    """
    storage, shape = variable.storage, variable.shape
    nbytes = prod(shape) * size
    if nbytes >= 2**63:
        raise CorruptFileError(f"shape {shape} holds {nbytes} bytes")
    for pieces in (storage.chunks, storage.blocks):
        if pieces is not None:
            context.check_extents(pieces)
    filters = yield from read_filter_order(context, storage)
    pipeline = pipeline_of(filters, storage.deflate_levels, size)
    chunk_shape = storage.chunk_shape if storage.chunk_shape is not None else shape
    grid = tuple([-(-n // c) if n else 0 for n, c in zip(shape, chunk_shape, strict=True)])
    if prod(grid) > MAX_CELLS:
        raise UnsupportedFeatureError(f"a chunk grid of {grid}")
    if storage.blocks is not None:
        return (yield from _read_blocks(context, variable, storage.blocks, size, pipeline))
    if storage.chunks is None or nbytes == 0:
        return Placed(chunk_shape, pipeline.whole, ChunkManifest.empty(grid))
    pieces, parts = storage.chunks, _parts(storage.chunks)
    first = np.flatnonzero(np.r_[True, np.diff(parts) > 0])
    cell = _cells(pieces, first, shape, chunk_shape, grid)
    offset, length, whole = _joined(pieces, parts, first)
    masks = None if pieces.filter_mask is None else pieces.filter_mask[first]
    codecs = codecs_for(pipeline, masks, length)
    if not codecs:
        length = _exact(length, prod(chunk_shape) * size, contiguous=storage.chunk_shape is None)
    manifest = _scattered(context, pieces, grid, cell, first, offset, length)
    if not whole.all():
        manifest = yield from _with_inline(context, pieces, parts, cell, whole, manifest)
    return Placed(chunk_shape, codecs, manifest)


def _parts(pieces: Pieces) -> Int64s:
    """Return for each piece the number of its chunk; parts of one follow each other."""
    if pieces.linked is None:
        return np.arange(len(pieces))
    linked = pieces.linked
    before = np.r_[-1, linked[:-1]]
    if ((linked > 0) & (linked != before + 1)).any():
        raise CorruptFileError("the linked blocks of a chunk do not follow one another")
    number: Int64s = np.cumsum(linked <= 0)
    return number - 1


def _cells(
    pieces: Pieces,
    first: Int64s,
    shape: tuple[int, ...],
    chunk_shape: tuple[int, ...],
    grid: tuple[int, ...],
) -> Int64s:
    """Return the place of each chunk in the grid, in C order."""
    if pieces.position is None or not shape:
        if len(first) > 1:
            raise CorruptFileError(f"{len(first)} chunks without a position")
        return np.zeros(len(first), np.int64)
    position = pieces.position[first]
    lengths = np.array(chunk_shape, np.int64)
    if (position % lengths).any():
        raise CorruptFileError(f"a chunk does not begin at a multiple of {chunk_shape}")
    if (position >= np.array(shape, np.int64)).any():
        raise CorruptFileError(f"a chunk lies outside of the shape {shape}")
    cells: Int64s = np.ravel_multi_index(tuple((position // lengths).T), grid).astype(np.int64)
    return cells


def _joined(
    pieces: Pieces, parts: Int64s, first: Int64s
) -> tuple[Int64s, Int64s, npt.NDArray[np.bool_]]:
    """Return offset and length of each chunk, and whether its parts are one run of bytes."""
    if len(first) == len(pieces):
        return pieces.offset, pieces.length, np.ones(len(first), np.bool_)
    ends = pieces.offset + pieces.length
    broken = np.r_[False, (pieces.offset[1:] != ends[:-1]) | (pieces.href[1:] != pieces.href[:-1])]
    broken[first] = False
    whole = np.bincount(parts, broken, len(first)) == 0
    return pieces.offset[first], np.add.reduceat(pieces.length, first), whole


def _exact(length: Int64s, nbytes: int, *, contiguous: bool) -> Int64s:
    """Return the stored bytes of chunks that no filter has changed."""
    if (length < nbytes).any() or (not contiguous and (length != nbytes).any()):
        raise CorruptFileError(
            f"a chunk is stored in {int(length.min())} bytes, its elements take {nbytes}"
        )
    return np.full_like(length, nbytes)


def _scattered(
    context: Context,
    pieces: Pieces,
    grid: tuple[int, ...],
    cell: Int64s,
    first: Int64s,
    offset: Int64s,
    length: Int64s,
) -> ChunkManifest:
    locations = context.locations_of(pieces)
    codes = pieces.href[first]
    manifest = ChunkManifest.from_rows(
        grid,
        locations[int(codes[0])],
        cell,
        offset.astype(np.uint64),
        length.astype(np.uint64),
        context.size,
    )
    if (codes == codes[0]).all():
        return manifest
    column = manifest.location.reshape(-1).copy()
    column[cell] = codes
    return ChunkManifest.from_columns(
        locations, column.reshape(grid), manifest.offset, manifest.length
    ).compacted()


def _with_inline(
    context: Context,
    pieces: Pieces,
    parts: Int64s,
    cell: Int64s,
    whole: npt.NDArray[np.bool_],
    manifest: ChunkManifest,
) -> Reading[ChunkManifest]:
    """Return the manifest with the chunks that are not `whole` kept inline."""
    rows = np.flatnonzero(~whole[parts])
    check_inline(int(pieces.length[rows].sum()))
    data = yield from read_pieces(context, pieces, rows)
    sizes = np.bincount(parts[rows], pieces.length[rows], len(whole)).astype(np.int64)[~whole]
    places = cell[~whole]
    location, offset = manifest.location.reshape(-1).copy(), manifest.offset.reshape(-1).copy()
    length = manifest.length.reshape(-1).astype(np.uint64)
    location[places], length[places] = INLINE, sizes
    offset[places] = np.cumsum(sizes) - sizes
    grid = manifest.shape_chunk_grid
    return ChunkManifest.from_columns(
        manifest.locations,
        location.reshape(grid),
        offset.reshape(grid),
        narrowed(length).reshape(grid),
        b"".join(data),
    ).compacted()


def check_inline(nbytes: int) -> None:
    """Raise UnsupportedFeatureError for too many bytes to be kept inline."""
    if nbytes > MAX_INLINE:
        raise UnsupportedFeatureError(
            f"chunks in several blocks, of {nbytes:,} bytes; up to {MAX_INLINE:,} are kept inline"
        )


def _read_blocks(
    context: Context, variable: Variable, blocks: Pieces, size: int, pipeline: Pipeline
) -> Reading[Placed]:
    """Return values whose bytes lie in several blocks, one after the other."""
    shape, nbytes = variable.shape, prod(variable.shape) * size
    total = int(blocks.length.sum())
    chunk_shape = None
    if not pipeline.whole:
        if total < nbytes:
            raise CorruptFileError(f"{total} bytes in blocks, the elements take {nbytes}")
        chunk_shape = _fitting(blocks.length, shape, size)
    if chunk_shape is not None:
        manifest = _cut(context, blocks, shape, chunk_shape, size)
        return Placed(chunk_shape, (), manifest)
    check_inline(total)
    data = b"".join((yield from read_pieces(context, blocks, np.arange(len(blocks)))))
    grid = (1,) * len(shape)
    manifest = ChunkManifest.inlined(data if pipeline.whole else data[:nbytes])
    return Placed(shape, pipeline.whole, manifest.reshape_grid(grid))


def _fitting(lengths: Int64s, shape: tuple[int, ...], size: int) -> tuple[int, ...] | None:
    """Return the shape of the largest chunks that no border between blocks cuts; None if none."""
    nbytes = prod(shape) * size
    borders = [int(end) for end in np.cumsum(lengths) if end < nbytes]
    common = gcd(nbytes, *borders)
    for axis, length in enumerate(shape):
        step = prod(shape[axis + 1 :]) * size
        if step and common % step == 0:
            steps = gcd(length, common // step)
            if nbytes // (steps * step) <= MAX_CHUNKS:
                return (*(1,) * axis, steps, *shape[axis + 1 :])
            return None
    return None


def _cut(
    context: Context,
    blocks: Pieces,
    shape: tuple[int, ...],
    chunk_shape: tuple[int, ...],
    size: int,
) -> ChunkManifest:
    grid = tuple(n // c for n, c in zip(shape, chunk_shape, strict=True))
    nbytes = prod(chunk_shape) * size
    start = np.arange(prod(grid), dtype=np.int64) * nbytes
    ends = np.cumsum(blocks.length)
    block = np.searchsorted(ends, start, side="right")
    offset = blocks.offset[block] + start - (ends[block] - blocks.length[block])
    return ChunkManifest.from_columns(
        context.locations_of(blocks),
        blocks.href[block].astype(np.uint32).reshape(grid),
        offset.astype(np.uint64).reshape(grid),
        np.broadcast_to(narrowed(np.array(nbytes, np.uint64)), grid),
    ).compacted()
