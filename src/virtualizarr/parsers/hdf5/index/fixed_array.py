"""Fixed arrays (VII.C): the index of chunked datasets whose dimensions are all limited."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.index.array_elements import Pages, rows_of_pages
from virtualizarr.parsers.hdf5.index.bounds import (
    Bytes2D,
    check_blocks,
    check_budget,
    check_extent,
    check_prefix,
)
from virtualizarr.parsers.hdf5.index.bytes_near import Window, read_header, read_part
from virtualizarr.parsers.hdf5.index.checksums import CHECKSUM, check_sums
from virtualizarr.parsers.hdf5.index.columns import ChunkedStorage, ElementFormat, IndexRows
from virtualizarr.source.ranges import ByteBlocks
from virtualizarr.source.reading import Reading

_HEADER = "a fixed array header"
_DATA_BLOCK = "a fixed array data block"
_PAGE = "a fixed array page"


@dataclass(frozen=True, slots=True)
class FixedArrayHeader:
    """VII.C.1, under the specification's names; `data_block_address` is absolute."""

    entry_size: int
    page_bits: int
    max_num_entries: int
    data_block_address: int | None

    @property
    def page_entries(self) -> int:
        return 1 << self.page_bits

    @property
    def pages(self) -> int:
        """Number of pages; 0 if the data block is not paged."""
        if self.max_num_entries <= self.page_entries:
            return 0
        return -(-self.max_num_entries // self.page_entries)


def decode_header(buffer: memoryview, storage: ChunkedStorage) -> FixedArrayHeader:
    """Decode a header; raises CorruptFileError if it does not fit its dataset."""
    at, sizes = storage.address, storage.sizes
    if buffer[:6] != b"FAHD\x00" + bytes([storage.filtered]):
        raise CorruptFileError(f"{_HEADER} begins with {bytes(buffer[:6])!r}", at=at)
    check_lookup3(bytes(buffer), _HEADER, at)
    cut = 8 + sizes.length
    entries = int.from_bytes(buffer[8:cut], "little")
    raw = int.from_bytes(buffer[cut : cut + sizes.offset], "little")
    undefined = raw == (1 << 8 * sizes.offset) - 1
    header = FixedArrayHeader(
        buffer[6], buffer[7], entries, None if undefined else raw + sizes.base
    )
    limits = storage.grid.max_counts
    cells = math.prod(n for n in limits if n is not None)
    if None in limits or entries != cells:
        raise CorruptFileError(f"{_HEADER} counts {entries} chunks for a grid of {limits}", at=at)
    return header


def read_fixed_array(storage: ChunkedStorage) -> Reading[IndexRows]:
    """Read header, data block and, if it is paged, its pages: one to three rounds."""
    sizes = storage.sizes
    size = 8 + sizes.length + sizes.offset + CHECKSUM
    window = yield from read_header(storage.address, size, storage.file_size, _HEADER)
    header = decode_header(window.buffer[:size], storage)
    form = ElementFormat.of(header.entry_size, storage.filtered, sizes, storage.address)
    if header.data_block_address is None:
        return rows_of_pages([], form, storage, None)
    if header.pages == 0:
        pages = yield from _read_unpaged(storage, window, header, header.data_block_address)
    else:
        pages = yield from _read_paged(storage, window, header, header.data_block_address)
    return rows_of_pages(pages, form, storage, None)


def data_block_prefix(storage: ChunkedStorage) -> bytes:
    """What a data block of this array begins with: signature, version, client, header address."""
    owner = (storage.address - storage.sizes.base).to_bytes(storage.sizes.offset, "little")
    return b"FADB\x00" + bytes([storage.filtered]) + owner


def _check_data_block(row: Bytes2D, prefix: bytes, address: int) -> None:
    """Check a data block, or what a paged one has before its pages."""
    starts = np.array([address], np.int64)
    check_prefix(row, prefix, starts, _DATA_BLOCK)
    check_sums(row, starts, _DATA_BLOCK)


def _read_unpaged(
    storage: ChunkedStorage, window: Window, header: FixedArrayHeader, address: int
) -> Reading[list[Pages]]:
    prefix = data_block_prefix(storage)
    size = len(prefix) + header.max_num_entries * header.entry_size + CHECKSUM
    block = yield from read_part(window, address, size, storage.file_size, _DATA_BLOCK)
    row = np.frombuffer(block, np.uint8)[None, :]
    _check_data_block(row, prefix, address)
    return [Pages(np.zeros(1, np.int64), row[:, len(prefix) : -CHECKSUM])]


def _read_paged(
    storage: ChunkedStorage, window: Window, header: FixedArrayHeader, address: int
) -> Reading[list[Pages]]:
    prefix = data_block_prefix(storage)
    bitmap_size = -(-header.pages // 8)
    head_size = len(prefix) + bitmap_size + CHECKSUM
    head = yield from read_part(window, address, head_size, storage.file_size, _DATA_BLOCK)
    row = np.frombuffer(head, np.uint8)[None, :]
    _check_data_block(row, prefix, address)
    bitmap = row[0, len(prefix) : len(prefix) + bitmap_size]
    present = np.flatnonzero(np.unpackbits(bitmap)[: header.pages])
    page_size = header.page_entries * header.entry_size + CHECKSUM
    check_extent(address + head_size, 0, storage.file_size, _DATA_BLOCK)
    return (yield from _read_pages(storage, header, present, address + head_size, page_size))


def _read_pages(
    storage: ChunkedStorage,
    header: FixedArrayHeader,
    present: np.ndarray[tuple[int], np.dtype[np.intp]],
    first: int,
    page_size: int,
) -> Reading[list[Pages]]:
    """Read the pages present; the last of the array, which may be short, beside the others."""
    if len(present) == 0:
        return []
    check_extent(first, int(present[-1]) * page_size, storage.file_size, _DATA_BLOCK)
    short = header.max_num_entries % header.page_entries
    groups = [(present, header.page_entries)]
    if short and present[-1] == header.pages - 1:
        groups = [(present[:-1], header.page_entries), (present[-1:], short)]
    requests: list[ByteBlocks] = []
    for numbers, entries in groups:
        starts = first + numbers.astype(np.int64) * page_size
        size = entries * header.entry_size + CHECKSUM
        check_blocks(starts, size, storage.file_size, _PAGE)
        requests.append(ByteBlocks(starts, size))
    asked = sum(len(request.starts) * request.size for request in requests)
    check_budget(asked, storage.file_size, first)
    answers = yield requests
    pages: list[Pages] = []
    for (numbers, _), request, rows in zip(groups, requests, answers, strict=True):
        check_sums(rows, request.starts, _PAGE)
        pages.append(Pages(numbers.astype(np.int64) * header.page_entries, rows[:, :-CHECKSUM]))
    return pages
