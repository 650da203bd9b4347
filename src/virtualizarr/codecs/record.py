"""Compound elements and fixed strings as HDF5 lays them out, made into packed little-endian ones.

An HDF5 compound may have gaps between its members, members in any order and of either byte order;
a Zarr `struct` has none of that. A fixed string may hold anything after its first NUL, or end in
blanks that are not part of it; numpy knows NUL padding only. libhdf5 converts both on reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin, as_stored

COPY, SWAP, CUT, STRIP = "copy", "swap", "cut", "strip"
KINDS = (COPY, SWAP, CUT, STRIP)
MAX_ELEMENT_BYTES = 1 << 31


@dataclass(frozen=True)
class Record(ForeignCodec):
    """`itemsize`: bytes of a stored element; `pieces`: what an element is made of, in order.

    A piece is `[offset, width, count, kind]`: `count` values of `width` bytes from byte `offset` of
    the stored element on. `kind` is "copy"; "swap" (the bytes of each value reversed); "cut" (a
    text that ends at its first NUL); "strip" (a text without the blanks at its end). The bytes
    that "cut" and "strip" take away become NUL.
    """

    name: ClassVar[str] = "virtualizarr.record"
    itemsize: int
    pieces: tuple[tuple[int, int, int, str], ...]

    def __post_init__(self) -> None:
        self.require_integers(itemsize=(1, MAX_ELEMENT_BYTES))
        pieces: Any = self.pieces
        self.require(type(pieces) is tuple and len(pieces) > 0, "there are no pieces")
        for piece in pieces:
            self.require(type(piece) is tuple and len(piece) == 4, f"piece {piece!r}")
            offset, width, count, kind = piece
            numbers = all(type(n) is int for n in (offset, width, count))
            self.require(numbers and kind in KINDS, f"piece {piece!r}")
            inside = 0 <= offset <= offset + width * count <= self.itemsize
            known = inside and width > 0 and count > 0
            self.require(known, f"piece {piece!r} leaves the element of {self.itemsize} bytes")
        self.require(self.packed_size <= MAX_ELEMENT_BYTES, "the pieces overlap")

    @property
    def packed_size(self) -> int:
        """Bytes of a decoded element."""
        return sum(width * count for _, width, count, _ in self.pieces)

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        elements, rest = divmod(data.size, self.itemsize)
        self.require(rest == 0, f"{data.size} bytes are no whole elements of {self.itemsize}")
        size = elements * self.packed_size
        self.require(nbytes is None or size == nbytes, f"{size} bytes for a chunk of {nbytes}")
        stored = data.reshape(elements, self.itemsize)
        out = np.empty((elements, self.packed_size), np.uint8)
        at = 0
        for offset, width, count, kind in self.pieces:
            size = width * count
            piece = stored[:, offset : offset + size].reshape(elements, count, width)
            out[:, at : at + size] = _converted(piece, kind).reshape(elements, size)
            at += size
        return out.reshape(-1)


def _converted(piece: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: str) -> Octets:
    if kind == SWAP:
        return piece[:, :, ::-1]
    if kind == CUT:
        return np.where(np.logical_or.accumulate(piece == 0, axis=2), np.uint8(0), piece)
    if kind == STRIP:
        blank = np.logical_and.accumulate(piece[:, :, ::-1] == ord(" "), axis=2)[:, :, ::-1]
        return np.where(blank, np.uint8(0), piece)
    return piece


class RecordCodec(ZarrTwin, of=Record):
    """Zarr v3 codec `virtualizarr.record`."""

    def resolve_metadata(self, chunk_spec: Any) -> Any:
        """Return what the codecs behind this one work on: elements as stored, gaps and all."""
        record = self.foreign
        if not isinstance(record, Record):
            return chunk_spec
        return as_stored(chunk_spec, record.itemsize, record.packed_size)


class RecordNumcodec(NumcodecsTwin, of=Record):
    """numcodecs codec `virtualizarr.record`."""
