"""Superblock, its extension's messages and the shared message table (II, III.D, IV.A.2)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.decode_fields import (
    address,
    bounded,
    signature,
    take,
    u16,
    unsigned,
)
from virtualizarr.parsers.hdf5.layout import SharedMessageIndex, Sizes, Superblock

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUPERBLOCK_SIZE = 128  # bytes: more than the longest, version 1 with its root entry
OPEN_FOR_WRITING = 0x05  # File Consistency Flags: write access, single writer with readers
DRIVERS = {
    b"NCSAfami": "a member of a 'family' file set",
    b"NCSAmult": "a member of a 'multi' file set",
    b"NCSAmulti": "a member of a 'multi' file set",
    b"NCSAsubf": "a subfiling stub",
}


@bounded
def decode_superblock(buffer: bytes, at: int, file_size: int | None) -> Superblock:
    """Decode the superblock found at file offset `at`, versions 0-3.

    Like libhdf5, takes the place where the signature was found for the base address and moves the
    end-of-file address with it, so that a user block may be added or removed afterwards.
    """
    version = buffer[8]
    if version > 3:
        raise UnsupportedFeatureError(f"superblock version {version}", at=at)
    if version >= 2:
        return _decode_new(buffer, at, file_size)
    sizes = _sizes(buffer[13], buffer[14], at)
    skip = 24 if version == 0 else 28
    offset = sizes.offset
    base = unsigned(buffer, skip, offset)
    sizes = replace(
        sizes,
        base=at,
        group_leaf_k=u16(buffer, 16)[0],
        group_internal_k=u16(buffer, 18)[0],
        chunk_internal_k=u16(buffer, 24)[0] if version == 1 else 32,
        end_of_file=_end_of_file(buffer, skip + 2 * offset, base, sizes, at),
    )
    if address(buffer, skip + 3 * offset, sizes) is not None:
        driver = address(buffer, skip + 3 * offset, sizes)
        raise UnsupportedFeatureError(
            "the superblock names a driver information block: the file is one of a set written by "
            "the family or multi driver; rewrite it as one file (h5repack)",
            at=driver,
        )
    root = address(buffer, skip + 4 * offset + sizes.length, sizes)
    if root is None:
        raise CorruptFileError("the superblock has no root group", at=at)
    return Superblock(version, sizes, root, file_size=file_size, end=_end(sizes, file_size))


def _decode_new(buffer: bytes, at: int, file_size: int | None) -> Superblock:
    version = buffer[8]
    sizes = _sizes(buffer[9], buffer[10], at)
    offset = sizes.offset
    check_lookup3(take(buffer, 0, 16 + 4 * offset), "superblock", at)
    if version >= 3 and buffer[11] & OPEN_FOR_WRITING:
        raise CorruptFileError(
            "a writer has the file open, or died before closing it: what it holds may change or be "
            "incomplete; close it, or mark it as closed with h5clear -s",
            at=at,
        )
    base = unsigned(buffer, 12, offset)
    sizes = replace(
        sizes, base=at, end_of_file=_end_of_file(buffer, 12 + 2 * offset, base, sizes, at)
    )
    root = address(buffer, 12 + 3 * offset, sizes)
    if root is None:
        raise CorruptFileError("the superblock has no root group", at=at)
    return Superblock(
        version,
        sizes,
        root,
        extension_address=address(buffer, 12 + offset, sizes),
        file_size=file_size,
        end=_end(sizes, file_size),
    )


def _end(sizes: Sizes, file_size: int | None) -> int | None:
    return min((end for end in (sizes.end_of_file, file_size) if end is not None), default=None)


def _sizes(offset: int, length: int, at: int) -> Sizes:
    for name, size in (("offsets", offset), ("lengths", length)):
        if size in (16, 32):
            raise UnsupportedFeatureError(f"size of {name} is {size} bytes", at=at)
        if size not in (2, 4, 8):
            raise CorruptFileError(f"size of {name} is {size} bytes", at=at)
    return Sizes(offset, length)


def _end_of_file(buffer: bytes, where: int, base: int, sizes: Sizes, at: int) -> int | None:
    stored = address(buffer, where, sizes)
    return None if stored is None else stored - base + at


@bounded
def decode_driver_info(body: bytes) -> str:
    """Return what the driver information message says the file is."""
    name = take(body, 1, 8)
    return DRIVERS.get(name, f"written by the file driver {name!r}")


@bounded
def decode_btree_k(body: bytes, sizes: Sizes) -> Sizes:
    """Return `sizes` with the values of a B-tree 'K' values message."""
    return replace(
        sizes,
        chunk_internal_k=u16(body, 1)[0],
        group_internal_k=u16(body, 3)[0],
        group_leaf_k=u16(body, 5)[0],
    )


@bounded
def decode_shared_table_location(body: bytes, sizes: Sizes) -> tuple[int | None, int]:
    """Return address and number of indexes of the shared message table."""
    return address(body, 1, sizes), body[1 + sizes.offset]


def shared_table_size(count: int, sizes: Sizes) -> int:
    """Return the bytes of a shared message table of `count` indexes."""
    return 8 + count * (14 + 2 * sizes.offset)


@bounded
def decode_shared_table(buffer: bytes, count: int, sizes: Sizes) -> tuple[SharedMessageIndex, ...]:
    """Decode the Shared Object Header Message Table: signature, indexes, checksum."""
    signature(buffer, b"SMTB")
    check_lookup3(buffer, "shared message table", None)
    size = 14 + 2 * sizes.offset
    starts = range(4, 4 + count * size, size)
    return tuple(
        SharedMessageIndex(
            message_type_flags=u16(buffer, start + 2)[0],
            heap_address=address(buffer, start + 14 + sizes.offset, sizes),
        )
        for start in starts
    )


@bounded
def decode_cache_image_location(body: bytes, sizes: Sizes) -> tuple[int | None, int]:
    """Return address and size of the metadata cache image block."""
    return address(body, 1, sizes), unsigned(body, 1 + sizes.offset, sizes.length)


@bounded
def decode_cache_image(buffer: bytes, sizes: Sizes) -> tuple[tuple[int, bytes], ...]:
    """Decode a metadata cache image into (absolute address, bytes) of its entries, by address."""
    signature(buffer, b"MDCI")
    check_lookup3(buffer, "metadata cache image", None)
    if buffer[4] != 0:
        raise UnsupportedFeatureError(f"metadata cache image version {buffer[4]}")
    count = unsigned(buffer, 6 + sizes.length, 4)
    at = 10 + sizes.length
    entries = []
    for _ in range(count):
        parents = u16(buffer, at + 8)[0]
        where = address(buffer, at + 14, sizes)
        size = unsigned(buffer, at + 14 + sizes.offset, sizes.length)
        at += 14 + sizes.offset + sizes.length + parents * sizes.offset
        if where is None:
            raise CorruptFileError("an entry of the metadata cache image has no address")
        entries.append((where, take(buffer, at, size)))
        at += size
    entries.sort()
    for (start, content), (following, _) in pairwise(entries):
        if start + len(content) > following:
            raise CorruptFileError("entries of the metadata cache image overlap", at=following)
    return tuple(entries)
