"""The extensible array header (VII.D.1) and the sizes of all blocks that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.index.columns import ChunkedStorage

HEADER = "an extensible array header"


@dataclass(frozen=True, slots=True)
class SuperBlock:
    """The data blocks of one super block number: the first element's position, and how many.

    The data blocks of the first super blocks are pointed to by the index block itself.
    """

    position: int
    data_blocks: int
    entries: int  # of each data block


@dataclass(frozen=True, slots=True)
class ExtensibleArrayHeader:
    """VII.D.1, under the specification's names; `index_block_address` is absolute."""

    element_size: int
    max_num_elements_bits: int
    index_block_elements: int
    data_block_min_elements: int
    secondary_block_min_data_pointers: int
    page_bits: int
    index_block_address: int | None

    @property
    def page_entries(self) -> int:
        return 1 << self.page_bits

    @property
    def direct_super_blocks(self) -> int:
        """How many super blocks the index block stands for."""
        return 2 * (self.secondary_block_min_data_pointers.bit_length() - 1)

    def super_blocks(self) -> list[SuperBlock]:
        """Every super block the array can have; sizes double from one to the next in turn."""
        blocks: list[SuperBlock] = []
        position = self.index_block_elements
        smallest = self.data_block_min_elements
        for number in range(self.max_num_elements_bits - smallest.bit_length() + 2):
            block = SuperBlock(position, 1 << number // 2, smallest << (number + 1) // 2)
            blocks.append(block)
            position += block.data_blocks * block.entries
        return blocks

    def pages(self, block: SuperBlock) -> int:
        """Pages of each data block; 0 if they are not paged."""
        return block.entries // self.page_entries if block.entries > self.page_entries else 0


def decode_header(buffer: memoryview, storage: ChunkedStorage) -> ExtensibleArrayHeader:
    """Decode a header; raises CorruptFileError if its numbers cannot make an array."""
    at, sizes = storage.address, storage.sizes
    if buffer[:6] != b"EAHD\x00" + bytes([storage.filtered]):
        raise CorruptFileError(f"{HEADER} begins with {bytes(buffer[:6])!r}", at=at)
    check_lookup3(bytes(buffer), HEADER, at)
    cut = 12 + 6 * sizes.length
    raw = int.from_bytes(buffer[cut : cut + sizes.offset], "little")
    address = None if raw == (1 << 8 * sizes.offset) - 1 else raw + sizes.base
    header = ExtensibleArrayHeader(
        element_size=buffer[6],
        max_num_elements_bits=buffer[7],
        index_block_elements=buffer[8],
        data_block_min_elements=buffer[9],
        secondary_block_min_data_pointers=buffer[10],
        page_bits=buffer[11],
        index_block_address=address,
    )
    smallest, pointers = header.data_block_min_elements, header.secondary_block_min_data_pointers
    if (
        smallest.bit_count() != 1
        or pointers.bit_count() != 1
        or header.max_num_elements_bits > 64
        or header.page_bits > 64
        or len(header.super_blocks()) < header.direct_super_blocks
    ):
        raise CorruptFileError(f"{HEADER} declares impossible block sizes: {header}", at=at)
    if any(header.pages(block) for block in header.super_blocks()[: header.direct_super_blocks]):
        raise UnsupportedFeatureError(
            "an extensible array with paged data blocks in its index block", at=at
        )
    return header
