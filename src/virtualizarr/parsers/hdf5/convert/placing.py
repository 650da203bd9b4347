"""Chunks of several arrays placed on the chunk grid of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd, prod

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, ManifestArray, RegularGrid
from virtualizarr.model.uncompressed import subchunk
from virtualizarr.parsers.hdf5.convert.selections import AxisSelection
from virtualizarr.source.ranges import Int64s

DENSE_CELLS = 1 << 21


@dataclass(frozen=True, slots=True)
class Piece:
    """What is taken of `source` along each of its axes, and where it goes in the target.

    Both select as many elements; they correspond in C order.
    """

    source: ManifestArray
    taken: tuple[AxisSelection, ...]
    target: tuple[AxisSelection, ...]


def placed(empty: ManifestArray, pieces: Sequence[Piece]) -> ManifestArray:
    """Return `empty` with the chunks of the pieces put in their places.

    The result takes chunk shape and codecs from the sources. Raises UnsupportedFeatureError unless
    they agree, with each other and with `empty` in data type and fill value, and every piece
    consists of whole chunks on both sides.
    """
    if not pieces:
        return empty
    model = pieces[0].source.metadata
    chunk_shape = _chunk_shape(pieces[0])
    metadata = empty.metadata.replace(codecs=model.codecs, chunk_grid=RegularGrid(chunk_shape))
    for piece in pieces:
        other = piece.source.metadata
        if (other.data_type, other.codecs) != (metadata.data_type, metadata.codecs):
            raise UnsupportedFeatureError(
                "a virtual dataset of sources that differ in type or codecs"
            )
        if _chunk_shape(piece) != chunk_shape:
            raise UnsupportedFeatureError("a virtual dataset whose sources differ in chunk shape")
    grid = metadata.grid_shape
    sources = sum(piece.source.manifest.location.size for piece in pieces)
    if prod(grid) > DENSE_CELLS + 256 * sources:
        raise UnsupportedFeatureError(f"a virtual dataset of {prod(grid)} chunks, nearly all empty")
    return ManifestArray(metadata, _Canvas(grid).paint(pieces, chunk_shape, empty))


def recut(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces with their sources cut along the first axis until mappings fit chunks.

    Raises UnsupportedFeatureError for a source that is not uncompressed.
    """
    length = 0
    for piece in pieces:
        first = dict(_axis_pairs(piece)).get(0)
        sides = [piece.taken[0]] if first is None else [piece.taken[0], piece.target[first]]
        for each in sides:
            length = gcd(length, each.start, each.block, each.stride if each.count != 1 else 0)
    parts = [gcd(length, int(np.max(piece.source.chunks[0]))) for piece in pieces]
    part = gcd(*parts)
    return [
        replace(piece, source=subchunk(piece.source, (part, *_rest(piece.source.chunks))))
        for piece in pieces
    ]


def _rest(chunks: tuple[int | tuple[int, ...], ...]) -> tuple[int, ...]:
    return tuple(n for n in chunks[1:] if isinstance(n, int))


def _axis_pairs(piece: Piece) -> list[tuple[int, int]]:
    """Return which source axis becomes which target axis: those longer than 1, in order."""
    long_source = [axis for axis, each in enumerate(piece.taken) if each.length > 1]
    long_target = [axis for axis, each in enumerate(piece.target) if each.length > 1]
    lengths = [piece.taken[axis].length for axis in long_source]
    if lengths != [piece.target[axis].length for axis in long_target]:
        raise UnsupportedFeatureError("a virtual dataset that reshapes its source")
    return list(zip(long_source, long_target, strict=True))


def _chunk_shape(piece: Piece) -> tuple[int, ...]:
    """Return the chunk shape that the source's chunks have on the target's axes."""
    grid = piece.source.metadata.chunk_grid
    if not isinstance(grid, RegularGrid):
        raise UnsupportedFeatureError("a virtual dataset with a source of irregular chunks")
    pairs = _axis_pairs(piece)
    shape = [1] * len(piece.target)
    for source, target in pairs:
        shape[target] = grid.chunk_shape[source]
    rest = [n for axis, n in enumerate(grid.chunk_shape) if axis not in dict(pairs)]
    if any(n != 1 for n in rest):
        raise UnsupportedFeatureError("a virtual dataset that takes a part of its source's chunks")
    return tuple(shape)


class _Canvas:
    """The columns of the target while they are filled."""

    def __init__(self, grid: tuple[int, ...]) -> None:
        self.location = np.full(grid, MISSING, np.uint32)
        self.offset = np.zeros(grid, np.uint64)
        self.length = np.zeros(grid, np.uint64)

    def paint(
        self, pieces: Sequence[Piece], chunk_shape: tuple[int, ...], empty: ManifestArray
    ) -> ChunkManifest:
        codes = {
            each: code
            for code, each in enumerate(
                dict.fromkeys(at for piece in pieces for at in piece.source.manifest.locations)
            )
        }
        inline: list[bytes] = []
        for piece in pieces:
            manifest = piece.source.manifest
            table = np.array([codes[each] for each in manifest.locations], np.uint32)
            shift = sum(map(len, inline))
            inline.append(manifest.inline)
            self._paint_piece(piece, chunk_shape, empty, table, shift)
        return ChunkManifest.from_columns(
            tuple(codes), self.location, self.offset, self.length, b"".join(inline)
        )

    def _paint_piece(
        self,
        piece: Piece,
        chunk_shape: tuple[int, ...],
        empty: ManifestArray,
        table: np.ndarray[tuple[int, ...], np.dtype[np.uint32]],
        shift: int,
    ) -> None:
        manifest, grid = piece.source.manifest, piece.source.chunks
        source_cells = [
            each.chunks(length if isinstance(length, int) else 1, extent)
            for each, length, extent in zip(piece.taken, grid, piece.source.shape, strict=True)
        ]
        target_cells: list[Int64s] = [
            each.chunks(length, extent)
            for each, length, extent in zip(piece.target, chunk_shape, empty.shape, strict=True)
        ]
        there, here = np.ix_(*target_cells), np.ix_(*source_cells)
        shape = tuple(map(len, target_cells))
        code = manifest.location[here].reshape(shape)
        missing = code == MISSING
        if bool(missing.any()) and piece.source.metadata.fill_value != empty.metadata.fill_value:
            raise UnsupportedFeatureError("a virtual dataset with a fill value unlike its source's")
        if bool((self.location[there] != MISSING).any()):
            raise UnsupportedFeatureError("a virtual dataset whose mappings overlap")
        real = (code != INLINE) & ~missing
        renamed = np.where(real, table[np.where(real, code, 0)], code) if len(table) else code
        self.location[there] = renamed
        offset = manifest.offset[here].reshape(shape)
        self.offset[there] = np.where(code == INLINE, offset + np.uint64(shift), offset)
        self.length[there] = manifest.length[here].reshape(shape)
