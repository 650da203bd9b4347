"""The n-bit filter, HDF5's filter 5: elements without their padding bits, back to back.

The filter's client data describe the element's type as a tree (atomic, array, compound, or bytes
kept as they are). Whatever the tree, an element is a fixed row of bits, so decoding is one
permutation of bit columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

ATOMIC, ARRAY, COMPOUND, NO_OPTION = 1, 2, 3, 4
LITTLE, BIG = 0, 1
MAX_ELEMENT_BYTES = 1 << 16
MAX_DEPTH = 32
BLOCK_BITS = 1 << 22  # bits that are unpacked to bytes at one time

type Columns = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Nbit(ForeignCodec):
    """`element`: the type's description, as client data hold it from the fourth value on."""

    name: ClassVar[str] = "virtualizarr.nbit"
    element: tuple[int, ...]

    def __post_init__(self) -> None:
        self.require_words("element", 0, (1 << 32) - 1)
        self.require(len(self.element) >= 2, "no element type")
        self.require(0 < self.element[1] <= MAX_ELEMENT_BYTES, f"{self.element[1]} byte elements")
        self.targets()

    def targets(self) -> Columns:
        """Return, for each stored bit of an element, which bit of the full element it is.

        Bits are counted from the most significant bit of the element's first byte.
        """
        columns = [*_Tree(self).columns(0)]
        merged = np.concatenate(columns) if columns else np.empty(0, np.int64)
        self.require(merged.size > 0, "an element stores no bits")
        self.require(merged.min() >= 0 and merged.max() < self.element[1] * 8, "bits out of bounds")
        return merged

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        targets, size = self.targets(), self.element[1]
        count = self.known_size(nbytes) // size
        self.require(count * targets.size <= data.size * 8, "the chunk is too short")
        out = np.empty((count, size), np.uint8)
        # A whole number of 8 elements starts each block on a byte.
        step = max(BLOCK_BITS // (size * 8) // 8 * 8, 8)
        for start in range(0, count, step):
            block = out[start : start + step]
            stop_bit = (start + len(block)) * targets.size
            stored = data[start * targets.size // 8 : (stop_bit + 7) // 8]
            bits = np.unpackbits(stored, count=len(block) * targets.size)
            full = np.zeros((len(block), size * 8), np.uint8)
            full[:, targets] = bits.reshape(len(block), targets.size)
            block[:] = np.packbits(full, axis=1)
        return out.reshape(-1)


class _Tree:
    """A cursor over the type description (H5Z__set_parms_type's layout)."""

    def __init__(self, codec: Nbit) -> None:
        self.codec = codec
        self.at = 0

    def take(self, count: int) -> tuple[int, ...]:
        stop = self.at + count
        values = self.codec.element[self.at : stop]
        self.codec.require(len(values) == count, "the element type's description is cut short")
        self.at = stop
        return values

    def columns(self, depth: int) -> Iterator[Columns]:
        """Yield the target bits of the type at the cursor, which is then behind it."""
        self.codec.require(depth < MAX_DEPTH, "the element type is nested too deeply")
        kind, size = self.take(2)
        self.codec.require(0 < size <= MAX_ELEMENT_BYTES, f"a member has {size} bytes")
        if kind == NO_OPTION:
            yield np.arange(size * 8)
        elif kind == ATOMIC:
            yield self._atomic(size, *self.take(3))
        elif kind == ARRAY:
            yield self._array(size, depth)
        elif kind == COMPOUND:
            yield from self._compound(size, depth)
        else:
            raise self.codec.corrupt(f"the element type has class {kind}")

    def _atomic(self, size: int, order: int, precision: int, offset: int) -> Columns:
        known = order in (LITTLE, BIG) and precision > 0 and offset >= 0
        self.codec.require(known, f"byte order {order}, precision {precision}, offset {offset}")
        self.codec.require(precision + offset <= size * 8, "precision exceeds the element")
        place = np.arange(offset + precision - 1, offset - 1, -1)  # bits from the least significant
        octet = place // 8 if order == LITTLE else size - 1 - place // 8
        columns: Columns = octet * 8 + 7 - place % 8
        return columns

    def _array(self, size: int, depth: int) -> Columns:
        base_size = self.codec.element[self.at + 1] if self.at + 1 < len(self.codec.element) else 0
        base = [*self.columns(depth + 1)]
        self.codec.require(base_size > 0 and size % base_size == 0, "an array of broken elements")
        item = np.concatenate(base)
        starts = np.arange(0, size, base_size) * 8
        columns: Columns = (starts[:, None] + item).reshape(-1)
        self.codec.require(columns.size <= size * 8, "an array stores more bits than it has")
        return columns

    def _compound(self, size: int, depth: int) -> Iterator[Columns]:
        (members,) = self.take(1)
        stored = 0
        for _ in range(members):
            (offset,) = self.take(1)
            for columns in self.columns(depth + 1):
                stored += columns.size
                self.codec.require(stored <= size * 8, "members overlap")
                yield columns + offset * 8


class NbitCodec(ZarrTwin, of=Nbit):
    """Zarr v3 codec `virtualizarr.nbit`."""


class NbitNumcodec(NumcodecsTwin, of=Nbit):
    """numcodecs codec `virtualizarr.nbit`."""
