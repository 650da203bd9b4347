"""What every chunk index gives: columns with one row per allocated chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.index.bounds import MAX_ADDRESS
from virtualizarr.parsers.hdf5.index.grid import Bools, ChunkGrid, UInt64s
from virtualizarr.parsers.hdf5.layout import ChunkedLayout, Sizes
from virtualizarr.source.pages import scratch_columns
from virtualizarr.source.ranges import Int64s

type UInt32s = npt.NDArray[np.uint32]

_SLICE_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class ChunkedStorage:
    """All that the reading of an index needs to know of its dataset."""

    layout: ChunkedLayout
    grid: ChunkGrid
    sizes: Sizes
    filtered: bool
    file_size: int | None
    address: int  # of the index, absolute
    chunk_bytes: int  # of an unfiltered chunk


@dataclass(frozen=True, slots=True, eq=False)
class IndexRows:
    """Some rows of an index: addresses without the base; rows outside the current shape are gone.

    `size` and `filter_mask` are None for a dataset without filters.
    """

    cell: Int64s
    address: UInt64s
    size: UInt64s | None
    filter_mask: UInt32s | None

    def keep(self, rows: Bools | None) -> IndexRows:
        """Only the marked rows; None keeps all."""
        if rows is None or bool(rows.all()):
            return self
        return self._at(rows)

    def first(self, count: int) -> IndexRows:
        """The first `count` rows; copied where a view would hold on to far more memory."""
        return self._at(slice(count) if 2 * count >= len(self.cell) else np.arange(count))

    def _at(self, rows: slice | Bools | Int64s) -> IndexRows:
        return IndexRows(
            self.cell[rows],
            self.address[rows],
            None if self.size is None else self.size[rows],
            None if self.filter_mask is None else self.filter_mask[rows],
        )


def slices(rows: int, row_bytes: int) -> Iterator[slice]:
    """Cut a level of `rows` nodes into slices whose columns stay in the processor's cache."""
    step = max(1, _SLICE_BYTES // max(1, row_bytes))
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))


def gathered(parts: Iterable[IndexRows], most: int, storage: ChunkedStorage) -> IndexRows:
    """Join parts of at most `most` rows in all, their addresses made absolute.

    Raises CorruptFileError for a chunk that reaches past the end of the file.
    """
    kinds = [np.int64, np.uint64, *([np.uint64, np.uint32] if storage.filtered else [])]
    cell, address, *of_filtered = scratch_columns(most, *kinds)
    first = 0
    for part in parts:
        rows = slice(first, first + len(part.cell))
        first = rows.stop
        check_extents(part, storage)
        cell[rows] = part.cell
        np.add(part.address, np.uint64(storage.sizes.base), out=address[rows])
        for column, some in zip(of_filtered, (part.size, part.filter_mask), strict=False):
            column[rows] = some
    size, filter_mask = of_filtered or (None, None)
    return IndexRows(cell, address, size, filter_mask).first(first)


def check_extents(rows: IndexRows, storage: ChunkedStorage) -> None:
    """Raise CorruptFileError unless all chunks lie within the file."""
    if len(rows.cell) == 0:
        return
    size = rows.size if rows.size is not None else np.full(1, storage.chunk_bytes, np.uint64)
    file_end = storage.file_size if storage.file_size is not None else MAX_ADDRESS
    end = max(0, file_end - storage.sizes.base)
    if max(int(rows.address.max()), int(size.max())) <= end:
        last = rows.address + size
        if int(last.max()) <= end:
            return
    past = (rows.address > end) | (size > end) | (rows.address + size > end)
    row = int(past.argmax())
    raise CorruptFileError(
        f"chunk {rows.cell[row]} of {size[row % len(size)]} bytes reaches past the end of the file "
        f"({file_end} bytes); is the file truncated?",
        at=int(rows.address[row]) + storage.sizes.base,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ElementFormat:
    """How an array index or a version 2 B-tree stores a chunk: address, then size and filter mask.

    `dtype` has the fields `address` and, if filtered, `size` and `filter_mask`; of a B-tree record
    also `scaled`, the coordinates. The size may be 1 to 8 bytes wide; its field is the next wider
    integer and overlaps the mask, so what it holds must go through `size_bits`.
    """

    dtype: np.dtype[np.void]
    undefined: int
    size_bits: int | None

    @classmethod
    def of(
        cls, element_size: int, filtered: bool, sizes: Sizes, at: int, coordinates: int = 0
    ) -> ElementFormat:
        """Derive the format from the declared element size and number of coordinates.

        Raises CorruptFileError if no such element exists.
        """
        scaled_at = element_size - 8 * coordinates
        width = scaled_at - sizes.offset - (4 if filtered else 0)
        if not (1 <= width <= 8 if filtered else width == 0):
            kind = "filtered" if filtered else "unfiltered"
            raise CorruptFileError(f"{element_size} bytes cannot hold a {kind} chunk record", at=at)
        fields: dict[str, tuple[npt.DTypeLike, int]] = {"address": (f"<u{sizes.offset}", 0)}
        if filtered:
            fields["size"] = (f"<u{1 << (width - 1).bit_length()}", sizes.offset)
            fields["filter_mask"] = ("<u4", sizes.offset + width)
        if coordinates:
            fields["scaled"] = (np.dtype(("<u8", (coordinates,))), scaled_at)
        dtype = np.dtype(
            {
                "names": list(fields),
                "formats": [form for form, _ in fields.values()],
                "offsets": [offset for _, offset in fields.values()],
                "itemsize": element_size,
            }
        )
        return cls(dtype, (1 << 8 * sizes.offset) - 1, 8 * width if filtered else None)

    def address(self, records: npt.NDArray[np.void]) -> UInt64s:
        return records["address"].astype(np.uint64).reshape(-1)

    def size(self, records: npt.NDArray[np.void]) -> UInt64s | None:
        if self.size_bits is None:
            return None
        size = records["size"].astype(np.uint64).reshape(-1)
        if self.size_bits < 8 * self.dtype["size"].itemsize:
            size &= np.uint64((1 << self.size_bits) - 1)
        return size

    def filter_mask(self, records: npt.NDArray[np.void]) -> UInt32s | None:
        if self.size_bits is None:
            return None
        return records["filter_mask"].astype(np.uint32).reshape(-1)
