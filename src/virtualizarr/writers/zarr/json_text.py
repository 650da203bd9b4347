"""Chunk manifests as JSON text, written by arithmetic on columns of characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from virtualizarr.model import MISSING, ChunkManifest
from virtualizarr.model.columns import offsets_of
from virtualizarr.store.chunk_manifest import SCALAR_KEYS
from virtualizarr.writers.zarr.paths import Paths

BLOCK = 16_384
_ZERO = ord("0")

type Letters = npt.NDArray[np.uint8]
type Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of every line: letters `(lines or 1, width)`, of which those in `kept` count."""

    letters: Letters
    kept: Mask


def manifest_text(manifest: ChunkManifest, paths: Paths) -> Iterator[bytes]:
    """Yield the JSON text of a manifest: one entry a line, in C order, missing chunks left out."""
    codes = manifest.location.reshape(-1)
    present = np.flatnonzero(codes != MISSING)
    offset = offsets_of(manifest.offset_column).reshape(-1)
    length = manifest.length.reshape(-1)
    yield b"{"
    for start in range(0, len(present), BLOCK):
        cells = present[start : start + BLOCK]
        pieces = [
            *_key_pieces(manifest.shape_chunk_grid, cells),
            _constant(b'":{"path":'),
            _path_piece(paths, codes[cells], cells),
            _constant(b',"offset":'),
            _digits(paths.offsets(codes[cells], offset[cells])),
            _constant(b',"length":'),
            _digits(length[cells]),
            _constant(b"},\n"),
        ]
        text = _joined(pieces, len(cells))
        yield text if start + BLOCK < len(present) else text[:-2]
    yield b"}"


def _key_pieces(grid_shape: tuple[int, ...], cells: npt.NDArray[np.int64]) -> list[Piece]:
    if not grid_shape:
        return [_constant(b'"' + SCALAR_KEYS[0].encode())]
    pieces = [_constant(b'"')]
    for axis, index in enumerate(np.unravel_index(cells, grid_shape)):
        pieces += [_constant(b".")] if axis else []
        pieces.append(_digits(index))
    return pieces


def _path_piece(paths: Paths, codes: npt.NDArray[np.uint32], cells: npt.NDArray[np.int64]) -> Piece:
    texts, which = paths.texts(codes, cells)
    quoted = [orjson.dumps(text) for text in texts]
    lengths = np.array([len(text) for text in quoted], np.int64)
    width = int(lengths.max())
    table = np.frombuffer(b"".join(text.ljust(width) for text in quoted), np.uint8)
    kept = np.arange(width) < lengths[:, None]
    return Piece(table.reshape(-1, width)[which], kept[which])


def _constant(text: bytes) -> Piece:
    letters = np.frombuffer(text, np.uint8)[None, :]
    return Piece(letters, np.ones_like(letters, np.bool_))


def _digits(values: npt.NDArray[Any]) -> Piece:
    """Return whole numbers as decimal digits, right-aligned."""
    width = len(str(int(values.max())))
    rest: npt.NDArray[Any] = values.astype(np.uint32 if width < 10 else np.uint64)
    ten = rest.dtype.type(10)
    letters = np.empty((len(values), width), np.uint8)
    kept = np.ones((len(values), width), np.bool_)
    for place in range(width - 1, -1, -1):
        quotient = rest // ten
        letters[:, place] = rest - quotient * ten + _ZERO
        if place < width - 1:
            kept[:, place] = rest > 0
        rest = quotient
    return Piece(letters, kept)


def _joined(pieces: list[Piece], lines: int) -> bytes:
    """Return all lines, each its pieces one after the other."""
    width = sum(piece.letters.shape[1] for piece in pieces)
    letters, kept = np.empty((lines, width), np.uint8), np.empty((lines, width), np.bool_)
    at = 0
    for piece in pieces:
        end = at + piece.letters.shape[1]
        letters[:, at:end], kept[:, at:end] = piece.letters, piece.kept
        at = end
    return letters[kept].tobytes()
