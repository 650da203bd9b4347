"""Object headers, versions 1 and 2: prefix and message blocks (IV.A.1)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.decode_fields import UNDEFINED, address, bounded, u32, unsigned
from virtualizarr.parsers.hdf5.layout import Sizes

SHARED = 0x02  # Header Message Flags, bit 1: the body says where the message is
FAIL_IF_UNKNOWN = 0x80  # bit 7: a reader that does not know the message must not read the object
PREFIX_SIZE = 42  # bytes: signature to size of chunk 0, with times and phase-change values


class MessageType(IntEnum):
    """Header message types (IV.A.2)."""

    NIL = 0x00
    DATASPACE = 0x01
    LINK_INFO = 0x02
    DATATYPE = 0x03
    FILL_VALUE_OLD = 0x04
    FILL_VALUE = 0x05
    LINK = 0x06
    EXTERNAL_FILES = 0x07
    LAYOUT = 0x08
    GROUP_INFO = 0x0A
    FILTER_PIPELINE = 0x0B
    ATTRIBUTE = 0x0C
    COMMENT = 0x0D
    MODIFIED_OLD = 0x0E
    SHARED_TABLE = 0x0F
    CONTINUATION = 0x10
    SYMBOL_TABLE = 0x11
    MODIFIED = 0x12
    BTREE_K = 0x13
    DRIVER_INFO = 0x14
    ATTRIBUTE_INFO = 0x15
    REFERENCE_COUNT = 0x16
    FILE_SPACE_INFO = 0x17
    CACHE_IMAGE = 0x18


KNOWN_TYPES = frozenset(int(each) for each in MessageType)


class Message(NamedTuple):
    """One header message; `at` is the file offset of its body."""

    type: int
    flags: int
    body: bytes
    at: int
    creation_order: int = 0


@dataclass(frozen=True, slots=True)
class ObjectHeader:
    """An object header's messages, in file order, continuations included."""

    address: int
    version: int
    messages: Sequence[Message]
    types: frozenset[int]  # of the messages
    attribute_order_tracked: bool = False


@dataclass(frozen=True, slots=True)
class Prefix:
    """What precedes the first message block."""

    version: int
    block_start: int  # relative to the header's address
    block_size: int  # messages only; in version 2 a checksum of four bytes follows
    has_creation_order: bool = False


@bounded
def decode_prefix(buffer: bytes, at: int) -> Prefix:
    """Decode an object header's prefix, either version."""
    if buffer[:4] == b"OHDR":
        if buffer[4] != 2:
            raise UnsupportedFeatureError(f"object header version {buffer[4]}", at=at)
        flags = buffer[5]
        start = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        return Prefix(2, start + width, unsigned(buffer, start, width), bool(flags & 0x04))
    if buffer[0] != 1:
        raise CorruptFileError("no object header here: neither version 1 nor 'OHDR'", at=at)
    return Prefix(1, 16, u32(buffer, 8)[0])


def decode_messages_v1(
    block: bytes, at: int, sizes: Sizes
) -> tuple[list[Message], list[tuple[int, int]]]:
    """Decode one message block of a version 1 header at file offset `at`.

    Returns the messages, and the continuation blocks as (start, size). Like libhdf5, goes by the
    size of the block and not by the number of messages that the prefix declares.
    """
    messages: list[Message] = []
    continuations: list[tuple[int, int]] = []
    here, end = 0, len(block)
    while here + 8 <= end:
        kind, size, flags = _V1(block, here)
        body = here + 8
        here = body + size
        if here > end:
            raise CorruptFileError(
                f"header message of type {kind:#x} and {size} bytes passes its block", at=at + body
            )
        if kind == 0x10:
            continuations.append(_continuation(block[body:here], at + body, sizes))
        elif kind:
            messages.append(_new(Message, (kind, flags, block[body:here], at + body, 0)))
    return messages, continuations


def decode_messages_v2(
    block: bytes, at: int, has_creation_order: bool, sizes: Sizes
) -> tuple[list[Message], list[tuple[int, int]]]:
    """Decode one message block of a version 2 header (without signature and checksum)."""
    messages: list[Message] = []
    continuations: list[tuple[int, int]] = []
    head = 6 if has_creation_order else 4
    order = 0
    here, end = 0, len(block)
    while here + head <= end:
        kind, size, flags = _V2(block, here)
        if has_creation_order:
            order = block[here + 4] | block[here + 5] << 8
        here += head
        stop = here + size
        if stop > end:
            raise CorruptFileError(
                f"header message of type {kind:#x} and {size} bytes passes its block", at=at + here
            )
        if kind == 0x10:
            continuations.append(_continuation(block[here:stop], at + here, sizes))
        elif kind:
            messages.append(_new(Message, (kind, flags, block[here:stop], at + here, order)))
        here = stop
    return messages, continuations


def _continuation(body: bytes, at: int, sizes: Sizes) -> tuple[int, int]:
    middle = sizes.offset
    end = middle + sizes.length
    if end > len(body):
        raise CorruptFileError("a continuation message is cut off", at=at)
    start = int.from_bytes(body[:middle], "little")
    if start == UNDEFINED[middle]:
        raise CorruptFileError("a continuation block has no address", at=at)
    return start + sizes.base, int.from_bytes(body[middle:end], "little")


@dataclass(frozen=True, slots=True)
class SharedLocation:
    """Where a shared message is: in another object header, or in a shared message heap."""

    header_address: int | None
    heap_id: bytes | None


@bounded
def decode_shared(body: bytes, sizes: Sizes) -> SharedLocation:
    """Decode a shared message, versions 1-3 (IV.A.2, Shared Message)."""
    version, kind = body[0], body[1]
    if version == 3 and kind == 1:
        if len(body) < 10:
            raise IndexError
        return SharedLocation(None, body[2:10])
    if version == 1:
        where = address(body, 8 + sizes.length, sizes)
    elif version in (2, 3):
        where = address(body, 2, sizes)
    else:
        raise CorruptFileError(f"shared message version {version}")
    if where is None:
        raise CorruptFileError("a shared message has no address")
    return SharedLocation(where, None)


_new = tuple.__new__  # a named tuple, in a third of the time: headers are many
_V1 = struct.Struct("<HHB").unpack_from
_V2 = struct.Struct("<BHB").unpack_from
