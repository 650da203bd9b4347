"""The data descriptors (DDs): where each tag and ref lies, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf4.layout import (
    DFTAG_NULL,
    EXTENDED_BIT,
    SPECIAL_BIT,
    Extents,
    Int64s,
    Key,
)
from virtualizarr.source.ranges import ByteRange

DD = np.dtype([("tag", ">u2"), ("ref", ">u2"), ("offset", ">i4"), ("length", ">i4")])
BLOCK_HEADER = 6
MAX_DDS = 8_000_000


def decode_blocks(
    windows: Sequence[tuple[int, memoryview]], at: int
) -> tuple[npt.NDArray[Any] | None, int, int]:
    """Return the descriptors of the block at `at` and where the next one is, 0 after the last.

    None where no window (offset and bytes) holds the block, of which the third number of bytes is
    then to be read at least.
    """
    needed = BLOCK_HEADER
    for start, view in windows:
        if not start <= at <= start + len(view) - BLOCK_HEADER:
            continue
        header = bytes(view[at - start : at - start + BLOCK_HEADER])
        count = int.from_bytes(header[:2], "big", signed=True)
        following = int.from_bytes(header[2:], "big", signed=True)
        if count <= 0 or following < 0:
            raise CorruptFileError(f"a block of {count} data descriptors, next {following}", at=at)
        needed = BLOCK_HEADER + count * DD.itemsize
        if at + needed <= start + len(view):
            return np.frombuffer(view[at - start + BLOCK_HEADER :], DD, count), following, needed
    return None, 0, needed


@dataclass(frozen=True, slots=True, eq=False)
class Descriptors:
    """Columns of one length, sorted by tag and ref: base tag, ref, byte offset and length.

    `special` marks those whose bytes describe where the data are. `order` is their place in the
    file's list, `packed` tag and ref as one number.
    """

    tag: Int64s
    ref: Int64s
    offset: Int64s
    length: Int64s
    special: npt.NDArray[np.bool_]
    order: Int64s
    packed: Int64s

    @classmethod
    def of(cls, parts: Sequence[npt.NDArray[Any]], size: int | None) -> Self:
        """Join blocks. CorruptFileError for a tag and ref given twice, or for too many."""
        count = sum(map(len, parts))
        if count > MAX_DDS or (size is not None and count * DD.itemsize > size):
            raise CorruptFileError(f"{count} data descriptors are more than the file has room for")
        rows = np.concatenate(parts)
        rows = rows[rows["tag"] > DFTAG_NULL]
        tag, ref = rows["tag"].astype(np.int64), rows["ref"].astype(np.int64)
        special = ((tag & SPECIAL_BIT) != 0) & ((tag & EXTENDED_BIT) == 0)
        tag = np.where(special, tag & ~SPECIAL_BIT, tag)
        order = np.lexsort((ref, tag))
        twice = np.flatnonzero((np.diff(tag[order]) == 0) & (np.diff(ref[order]) == 0))
        if len(twice):
            row = order[twice[0]]
            raise CorruptFileError(f"tag {tag[row]}, ref {ref[row]} has two data descriptors")
        offset, length = rows["offset"].astype(np.int64), rows["length"].astype(np.int64)
        tag, ref, special = tag[order], ref[order], special[order]
        packed = tag << 16 | ref
        return cls(tag, ref, offset[order], length[order], special, order, packed)

    @property
    def count(self) -> int:
        return len(self.tag)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which elements have been written."""
        return (self.offset >= 0) & (self.length >= 0)

    def rows(self, tag: int, refs: Int64s) -> Int64s:
        """Return the row of each ref under `tag`; -1 where there is none."""
        wanted = tag << 16 | refs
        if not self.count:
            return np.full(len(refs), -1, np.int64)
        at = np.minimum(np.searchsorted(self.packed, wanted), self.count - 1)
        return np.where(self.packed[at] == wanted, at, -1)

    def find(self, key: Key) -> int:
        """Return the row of a tag and ref, -1 if there is none."""
        wanted = key[0] << 16 | key[1]
        at = int(np.searchsorted(self.packed, wanted))
        return at if at < self.count and int(self.packed[at]) == wanted else -1

    def refs(self, tag: int) -> list[int]:
        """Return the refs of all elements of a tag that were written, in rising order."""
        return [int(ref) for ref in self.ref[(self.tag == tag) & self.present]]

    def refs_in_file_order(self, tag: int) -> list[int]:
        """Return the same refs in the order of the file's list."""
        rows = np.flatnonzero((self.tag == tag) & self.present)
        return [int(ref) for ref in self.ref[rows[np.argsort(self.order[rows])]]]

    def keys(self, rows: Int64s) -> list[Key]:
        """Return tag and ref of each row."""
        return list(zip(self.tag[rows].tolist(), self.ref[rows].tolist(), strict=True))

    def ranges(self, rows: Int64s) -> list[ByteRange]:
        """Return the bytes of each row."""
        starts, lengths = self.offset[rows].tolist(), self.length[rows].tolist()
        return [ByteRange(at, at + size) for at, size in zip(starts, lengths, strict=True)]

    def extents(self, row: int) -> Extents:
        """Return the one part of a plain element; none where it was never written."""
        if not self.present[row]:
            return Extents(np.empty(0, np.int64), np.empty(0, np.int64))
        return Extents(self.offset[row : row + 1], self.length[row : row + 1])
