"""Extensible arrays (VII.D): the index of chunked datasets with one unlimited dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.index.array_elements import Pages, rows_of_pages
from virtualizarr.parsers.hdf5.index.bounds import (
    MAX_ADDRESS,
    Bytes2D,
    check_blocks,
    check_budget,
    check_buffer,
    check_extent,
    check_prefix,
    node_addresses,
)
from virtualizarr.parsers.hdf5.index.bytes_near import read_header, read_part
from virtualizarr.parsers.hdf5.index.checksums import CHECKSUM, check_sums
from virtualizarr.parsers.hdf5.index.columns import ChunkedStorage, ElementFormat, IndexRows
from virtualizarr.parsers.hdf5.index.extensible_array_header import (
    HEADER,
    ExtensibleArrayHeader,
    SuperBlock,
    decode_header,
)
from virtualizarr.parsers.hdf5.index.grid import Bools, UInt64s
from virtualizarr.source.ranges import ByteBlocks, ByteRange, Int64s
from virtualizarr.source.reading import Reading

_INDEX_BLOCK = "an extensible array index block"
_SUPER_BLOCK = "an extensible array super block"
_DATA_BLOCK = "an extensible array data block"
_PAGE = "a page of an extensible array"


@dataclass(frozen=True, slots=True, eq=False)
class DataBlocks:
    """Existing data blocks of one super block: addresses, first positions, pages initialised."""

    starts: Int64s
    positions: Int64s
    entries: int
    initialised: Bools | None  # (blocks, pages); None if not paged


def read_extensible_array(storage: ChunkedStorage) -> Reading[IndexRows]:
    """Read header, index block, super blocks, data blocks: a round each, where they exist."""
    sizes, file_size = storage.sizes, storage.file_size
    unlimited = [d for d, count in enumerate(storage.grid.max_counts) if count is None]
    if len(unlimited) != 1:
        raise CorruptFileError(
            f"an extensible array indexes a dataset with {len(unlimited)} unlimited dimensions",
            at=storage.address,
        )
    size = 12 + 6 * sizes.length + sizes.offset + CHECKSUM
    window = yield from read_header(storage.address, size, file_size, HEADER)
    header = decode_header(window.buffer[:size], storage)
    form = ElementFormat.of(header.element_size, storage.filtered, sizes, storage.address)
    if header.index_block_address is None:
        return rows_of_pages([], form, storage, unlimited[0])
    blocks = header.super_blocks()
    direct = header.direct_super_blocks
    inline = header.index_block_elements * header.element_size
    pointers = sum(block.data_blocks for block in blocks[:direct]) + len(blocks) - direct
    prefix = block_prefix(b"EAIB", storage)
    index_block = yield from read_part(
        window,
        header.index_block_address,
        len(prefix) + inline + pointers * sizes.offset + CHECKSUM,
        file_size,
        _INDEX_BLOCK,
    )
    row = np.frombuffer(index_block, np.uint8)[None, :]
    starts = np.array([header.index_block_address], np.int64)
    check_prefix(row, prefix, starts, _INDEX_BLOCK)
    check_sums(row, starts, _INDEX_BLOCK)
    pages = [Pages(np.zeros(1, np.int64), row[:, len(prefix) : len(prefix) + inline])]
    raw = decode_addresses(row[0, len(prefix) + inline : -CHECKSUM], sizes.offset)
    super_raw = raw[len(raw) - (len(blocks) - direct) :]
    near = _direct_blocks(raw, blocks[:direct], storage)
    further = yield from _read_super_blocks(super_raw, blocks[direct:], near, header, storage)
    return rows_of_pages([*pages, *further], form, storage, unlimited[0])


def block_prefix(signature: bytes, storage: ChunkedStorage) -> bytes:
    """What a block of this array begins with: signature, version, client, header address."""
    owner = (storage.address - storage.sizes.base).to_bytes(storage.sizes.offset, "little")
    return signature + b"\x00" + bytes([storage.filtered]) + owner


def decode_addresses(raw: np.ndarray[tuple[int], np.dtype[np.uint8]], width: int) -> UInt64s:
    """A run of raw addresses of `width` bytes each; undefined ones become 2^64 - 1."""
    address = np.ascontiguousarray(raw).view(f"<u{width}").astype(np.uint64)
    address[address == np.uint64((1 << 8 * width) - 1)] = np.uint64(2**64 - 1)
    return address


def _direct_blocks(
    raw: UInt64s, blocks: Sequence[SuperBlock], storage: ChunkedStorage
) -> list[DataBlocks]:
    found: list[DataBlocks] = []
    at = 0
    for block in blocks:
        found.append(_data_blocks(raw[at : at + block.data_blocks], block, None, storage))
        at += block.data_blocks
    return found


def _data_blocks(
    raw: UInt64s, block: SuperBlock, initialised: Bools | None, storage: ChunkedStorage
) -> DataBlocks:
    """The data blocks of `block` that exist."""
    exist = np.flatnonzero(raw != np.uint64(2**64 - 1))
    if len(exist) > 0 and block.position + block.data_blocks * block.entries > MAX_ADDRESS:
        raise CorruptFileError(f"{_SUPER_BLOCK} lies beyond 2^63 chunks", at=storage.address)
    starts = node_addresses(raw[exist], storage.sizes.base, storage.file_size, _DATA_BLOCK)
    positions = block.position + exist.astype(np.int64) * block.entries
    pages = None if initialised is None else initialised[exist]
    return DataBlocks(starts, positions, block.entries, pages)


def _read_super_blocks(
    raw: UInt64s,
    blocks: Sequence[SuperBlock],
    direct: Sequence[DataBlocks],
    header: ExtensibleArrayHeader,
    storage: ChunkedStorage,
) -> Reading[list[Pages]]:
    """Read the existing super blocks along with the data blocks already known, then their own."""
    exist = np.flatnonzero(raw != np.uint64(2**64 - 1)).tolist()
    starts = node_addresses(
        raw[exist], storage.sizes.base, storage.file_size, _SUPER_BLOCK
    ).tolist()
    ranges: list[ByteRange] = []
    for number, start in zip(exist, starts, strict=True):
        size = _super_block_size(header, blocks[number], storage)
        check_extent(start, size, storage.file_size, _SUPER_BLOCK)
        ranges.append(ByteRange(start, start + size))
    prefix = block_prefix(b"EADB", storage)
    near = _wanted(direct, header, storage)
    asked = sum(request.size for request in ranges) + _bytes_wanted(near)
    check_budget(asked, storage.file_size, storage.address)
    if not ranges and not near:
        return []
    answers = yield [*ranges, *(one.request for one in near)]
    pages = [
        p for one, a in zip(near, answers[len(ranges) :], strict=True) for p in one.pages(a, prefix)
    ]
    found: list[DataBlocks] = []
    for number, request, buffer in zip(exist, ranges, answers, strict=False):
        check_buffer(buffer, request.size, request.start, _SUPER_BLOCK)
        found.append(_decode_super_block(buffer, blocks[number], request.start, header, storage))
    far = _wanted(found, header, storage)
    check_budget(asked + _bytes_wanted(far), storage.file_size, storage.address)
    if not far:
        return pages
    answers = yield [one.request for one in far]
    return [*pages, *(p for one, a in zip(far, answers, strict=True) for p in one.pages(a, prefix))]


def _bytes_wanted(wanted: Sequence[_Wanted]) -> int:
    return sum(len(one.request.starts) * one.request.size for one in wanted)


def _bitmap_size(header: ExtensibleArrayHeader, block: SuperBlock) -> int:
    """Bytes of a super block's page bitmap: room for whole bytes for each data block."""
    return block.data_blocks * -(-header.pages(block) // 8)


def _block_offset_size(header: ExtensibleArrayHeader) -> int:
    return -(-header.max_num_elements_bits // 8)


def _super_block_size(
    header: ExtensibleArrayHeader, block: SuperBlock, storage: ChunkedStorage
) -> int:
    """Bytes of a super block."""
    width = storage.sizes.offset
    head = 6 + width + _block_offset_size(header)
    return head + _bitmap_size(header, block) + block.data_blocks * width + CHECKSUM


def _decode_super_block(
    buffer: memoryview,
    block: SuperBlock,
    at: int,
    header: ExtensibleArrayHeader,
    storage: ChunkedStorage,
) -> DataBlocks:
    """Decode a super block's page bitmap and data block addresses.

    The page bits of successive data blocks follow one another without padding, though the bitmap
    has room for whole bytes for each.
    """
    row = np.frombuffer(buffer, np.uint8)
    prefix = block_prefix(b"EASB", storage)
    starts = np.array([at], np.int64)
    check_prefix(row[None, :], prefix, starts, _SUPER_BLOCK)
    check_sums(row[None, :], starts, _SUPER_BLOCK)
    head = len(prefix) + _block_offset_size(header)
    bitmap_end = head + _bitmap_size(header, block)
    pages = header.pages(block)
    initialised = None
    if pages:
        bits = np.unpackbits(row[head:bitmap_end])[: block.data_blocks * pages]
        initialised = bits.reshape(block.data_blocks, pages).astype(np.bool_)
    raw = decode_addresses(row[bitmap_end:-CHECKSUM], storage.sizes.offset)
    return _data_blocks(raw, block, initialised, storage)


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """A request for data blocks or pages: `head` bytes, elements, checksum.

    `positions` None: only the beginnings of paged data blocks, to be checked.
    """

    request: ByteBlocks
    positions: Int64s | None
    head: int

    def pages(self, rows: Bytes2D, prefix: bytes) -> list[Pages]:
        what = _DATA_BLOCK if self.head else _PAGE
        if self.head:
            check_prefix(rows, prefix, self.request.starts, what)
        check_sums(rows, self.request.starts, what)
        if self.positions is None:
            return []
        return [Pages(self.positions, rows[:, self.head : -CHECKSUM])]


def _wanted(
    found: Sequence[DataBlocks], header: ExtensibleArrayHeader, storage: ChunkedStorage
) -> list[_Wanted]:
    """Plan the reading of data blocks: whole, or the initialised pages of paged ones."""
    head = 6 + storage.sizes.offset + _block_offset_size(header)
    wanted: list[_Wanted] = []
    for blocks in found:
        if len(blocks.starts) == 0:
            continue
        if blocks.initialised is None:
            size = head + blocks.entries * header.element_size + CHECKSUM
            wanted.append(_Wanted(ByteBlocks(blocks.starts, size), blocks.positions, head))
            continue
        wanted.append(_Wanted(ByteBlocks(blocks.starts, head + CHECKSUM), None, head))
        block, page = np.nonzero(blocks.initialised)
        size = header.page_entries * header.element_size + CHECKSUM
        last = int(page.max(initial=0)) * size
        check_extent(int(blocks.starts.max()), last, storage.file_size, _DATA_BLOCK)
        starts = blocks.starts[block] + head + CHECKSUM + page * size
        positions = blocks.positions[block] + page * header.page_entries
        wanted.append(_Wanted(ByteBlocks(starts, size), positions, 0))
    for one in wanted:
        check_blocks(one.request.starts, one.request.size, storage.file_size, _DATA_BLOCK)
    return wanted
