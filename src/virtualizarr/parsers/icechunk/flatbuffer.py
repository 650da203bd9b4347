"""FlatBuffers as Icechunk uses them: tables read one at a time, or a whole vector of them at once.

Specification: "FlatBuffers internals". A table starts with the distance back to its vtable; a
vtable holds its own size, the table's size, and for each field the distance from the table's start,
or 0 where the field is absent. Tables of one kind share a handful of vtables, so the fields of a
million tables are read with a few array operations. Every position is checked before it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError

MANY = 65_536

type Positions = npt.NDArray[np.int64]


class Buffer:
    """The bytes of one FlatBuffer, and the same bytes as aligned 32-bit words."""

    __slots__ = ("bytes", "data", "words")

    def __init__(self, data: bytes) -> None:
        self.bytes = data
        self.data = np.frombuffer(data, np.uint8)
        self.words = np.frombuffer(data + bytes(-len(data) % 4), "<u4")

    def root(self) -> Table:
        """Return the table that the buffer holds."""
        return Table(self, self.unsigned(0, 4))

    def unsigned(self, at: int, size: int) -> int:
        """Return a little-endian number. Raises CorruptFileError past the end."""
        self.check(at, size)
        return int.from_bytes(self.bytes[at : at + size], "little")

    def check(self, at: int, size: int) -> None:
        """Raise CorruptFileError unless `size` bytes lie at `at`."""
        if at < 0 or size < 0 or at + size > len(self.bytes):
            raise CorruptFileError(f"the buffer ends before {size} bytes", at=at)

    def words_at(self, at: Positions) -> npt.NDArray[np.uint32]:
        """Return the 32-bit numbers at aligned positions."""
        if len(at) and (int(at.min()) < 0 or int(at.max()) + 4 > len(self.bytes) or (at & 3).any()):
            raise CorruptFileError("a position in the buffer lies outside it, or is not aligned")
        found: npt.NDArray[np.uint32] = self.words[at >> 2]
        return found

    def follow(self, at: Positions) -> Positions:
        """Return what the relative offsets at these positions point to."""
        return at + self.words_at(at).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table of a buffer. Fields are given by their ids, in the order of the schema."""

    buffer: Buffer
    at: int

    def field(self, number: int) -> int | None:
        """Return where a field lies; None where it is absent."""
        buffer = self.buffer
        distance = int.from_bytes(buffer.bytes[self.at : self.at + 4], "little", signed=True)
        buffer.check(self.at, 4)
        vtable = self.at - distance
        if 4 + 2 * number + 2 > buffer.unsigned(vtable, 2):
            return None
        offset = buffer.unsigned(vtable + 4 + 2 * number, 2)
        return self.at + offset if offset else None

    def number(self, number: int, size: int, default: int = 0) -> int:
        """Return an unsigned scalar field of `size` bytes."""
        at = self.field(number)
        return default if at is None else self.buffer.unsigned(at, size)

    def struct(self, number: int, size: int) -> bytes | None:
        """Return the bytes of a struct field."""
        at = self.field(number)
        if at is None:
            return None
        self.buffer.check(at, size)
        return self.buffer.bytes[at : at + size]

    def vector(self, number: int) -> tuple[int, int]:
        """Return where a vector's elements start, and how many there are; none where absent."""
        at = self.field(number)
        if at is None:
            return 0, 0
        start = at + self.buffer.unsigned(at, 4)
        return start + 4, self.buffer.unsigned(start, 4)

    def octets(self, number: int) -> bytes:
        """Return a vector of bytes, or a string, as bytes."""
        start, count = self.vector(number)
        self.buffer.check(start, count)
        return self.buffer.bytes[start : start + count]

    def text(self, number: int) -> str:
        """Return a string."""
        try:
            return self.octets(number).decode()
        except UnicodeDecodeError as error:
            raise CorruptFileError("a string is not UTF-8", at=self.at) from error

    def child(self, number: int) -> Table | None:
        """Return the table that a field points to."""
        at = self.field(number)
        return None if at is None else Table(self.buffer, at + self.buffer.unsigned(at, 4))

    def positions(self, number: int) -> Positions:
        """Return where the tables of a vector lie."""
        parts = list(self.position_blocks(number, MANY))
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def position_blocks(self, number: int, size: int) -> Iterator[Positions]:
        """Yield where the tables of a vector lie, `size` of them at a time."""
        start, count = self.vector(number)
        self.buffer.check(start, 4 * count)
        for at in range(0, count, size):
            numbers = np.arange(at, min(at + size, count), dtype=np.int64)
            yield self.buffer.follow(start + 4 * numbers)

    def tables(self, number: int) -> list[Table]:
        """Return the tables of a vector."""
        return [Table(self.buffer, at) for at in self.positions(number).tolist()]


class Tables:
    """Many tables of one kind, their fields as columns."""

    __slots__ = ("_at", "_buffer", "_kind", "_vtables")

    def __init__(self, buffer: Buffer, at: Positions) -> None:
        self._buffer = buffer
        self._at = at
        vtables = at - buffer.words_at(at).view(np.int32)
        distinct, self._kind = np.unique(vtables, return_inverse=True)
        self._vtables: list[int] = distinct.tolist()

    def __len__(self) -> int:
        return len(self._at)

    def field(self, number: int) -> tuple[npt.NDArray[np.bool_], Positions]:
        """Return which tables have a field, and where it lies in those."""
        offsets = np.array([self._offset(vtable, number) for vtable in self._vtables], np.int64)
        own = offsets[self._kind] if len(offsets) else np.zeros(0, np.int64)
        present = own != 0
        return present, (self._at + own)[present]

    def _offset(self, vtable: int, number: int) -> int:
        at = 4 + 2 * number
        inside = at + 2 <= self._buffer.unsigned(vtable, 2)
        return self._buffer.unsigned(vtable + at, 2) if inside else 0

    def numbers(self, number: int, words: int) -> npt.NDArray[np.uint64]:
        """Return an unsigned scalar field of one or two 32-bit words; 0 where it is absent."""
        present, at = self.field(number)
        values = np.zeros(len(self), np.uint64)
        found = self._buffer.words_at(at).astype(np.uint64)
        if words == 2:
            found |= self._buffer.words_at(at + 4).astype(np.uint64) << np.uint64(32)
        values[present] = found
        return values

    def vectors(self, number: int) -> tuple[Positions, Positions]:
        """Return start and length of a vector of bytes (or a string); length -1 where absent."""
        present, at = self.field(number)
        starts, lengths = np.zeros(len(self), np.int64), np.full(len(self), -1, np.int64)
        heads = self._buffer.follow(at)
        counts = self._buffer.words_at(heads)
        starts[present], lengths[present] = heads + 4, counts
        self._check(starts, lengths)
        return starts, lengths

    def _check(self, starts: Positions, lengths: Positions) -> None:
        if len(starts) and int((starts + lengths).max()) > len(self._buffer.bytes):
            raise CorruptFileError("a vector reaches past the end of the buffer")

    def word_rows(self, number: int, width: int) -> npt.NDArray[np.uint32]:
        """Return a vector of `width` 32-bit numbers of every table, as rows."""
        starts, lengths = self.vectors(number)
        if (lengths != width).any():
            raise CorruptFileError(f"an index does not have {width} numbers")
        ruler = 4 * np.arange(width, dtype=np.int64)
        flat = (starts[:, None] + ruler).reshape(-1)
        return self._buffer.words_at(flat).reshape(len(self), width)

    def structs(self, number: int, size: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[Any]]:
        """Return which tables have a struct field, and its bytes in those, as rows of uint8."""
        present, at = self.field(number)
        if len(at) and int(at.max()) + size > len(self._buffer.bytes):
            raise CorruptFileError("a struct reaches past the end of the buffer")
        return present, self._buffer.data[at[:, None] + np.arange(size)]

    def changes(self, starts: Positions, lengths: Positions) -> npt.NDArray[np.bool_]:
        """Say for each vector of bytes whether it differs from the one before; True for the first.

        Whole words are compared, so that what follows a vector may make it seem to differ. Costs
        memory for all their bytes at once.
        """
        changed = np.ones(len(starts), np.bool_)
        if len(starts) < 2:
            return changed
        counts = np.maximum(lengths + 3, 0) >> 2
        width = int(counts.max())
        ruler = np.arange(width, dtype=np.int64)
        if int(counts.min()) < width:
            ruler = np.minimum(ruler, np.maximum(counts - 1, 0)[:, None])
        rows = self._buffer.words[(starts >> 2)[:, None] + ruler]
        changed[1:] = (rows[1:] != rows[:-1]).any(axis=1) | (lengths[1:] != lengths[:-1])
        return changed
