"""Reading object headers: many at a time, one round for each generation of message blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.decode_object_header import (
    FAIL_IF_UNKNOWN,
    KNOWN_TYPES,
    PREFIX_SIZE,
    Message,
    ObjectHeader,
    Prefix,
    decode_messages_v1,
    decode_messages_v2,
    decode_prefix,
)
from virtualizarr.parsers.hdf5.layout import Superblock
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

GUESS = 2048  # bytes asked for at an object header's address: mostly all of its first block


_NONE = Prefix(0, 0, 0)


@dataclass(slots=True, eq=False)
class _Partial:
    """An object header of which blocks are still to come."""

    address: int
    window: bytes = b""
    prefix: Prefix = _NONE
    messages: list[Message] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    bytes_seen: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    error: VirtualizeError | None = None


def exact(view: memoryview, size: int, at: int, what: str) -> bytes:
    """Return the bytes of an answer; raises CorruptFileError if the file ended before."""
    if len(view) < size:
        raise CorruptFileError(
            f"truncated: {what} of {size} bytes is cut off after {len(view)}", at=at
        )
    return bytes(view)


def inside(superblock: Superblock, start: int, size: int, what: str) -> None:
    """Raise CorruptFileError if `size` bytes from `start` pass the end that the superblock tells.

    Like libhdf5, takes bytes after the End of File Address for no part of the file.
    """
    end = superblock.end
    if end is not None and start + size > end:
        raise CorruptFileError(
            f"{what} of {size} bytes passes the end of the file ({end} bytes)", at=start
        )


def read_object_headers(
    superblock: Superblock, addresses: Sequence[int]
) -> Reading[list[ObjectHeader | VirtualizeError]]:
    """Return the object headers at `addresses`, or for each that is broken its error."""
    partials = [_Partial(address) for address in addresses]
    windows = (yield [ByteRange(at, at + GUESS) for at in addresses]) if partials else []
    for partial, window in zip(partials, windows, strict=True):
        _attempt(superblock, partial, bytes(window))
    waiting = [partial for partial in partials if partial.missing]
    while waiting:
        blocks = yield [
            ByteRange(start, start + size) for partial in waiting for start, size in partial.missing
        ]
        supply = iter(blocks)
        for partial in waiting:
            missing, partial.missing = partial.missing, []
            views = [next(supply) for _ in missing]
            _continue(superblock, partial, missing, views)
        waiting = [partial for partial in waiting if partial.missing]
    return [_finished(partial) for partial in partials]


def _attempt(superblock: Superblock, partial: _Partial, window: bytes) -> None:
    at = partial.address
    try:
        inside(superblock, at, 16, "object header")
        partial.window = window
        partial.prefix = prefix = decode_prefix(window[:PREFIX_SIZE], at)
        size = prefix.block_start + prefix.block_size + (4 if prefix.version == 2 else 0)
        if prefix.version == 2:
            _block(superblock, partial, at, size)
        elif prefix.block_size:
            _block(superblock, partial, at + prefix.block_start, prefix.block_size)
    except VirtualizeError as error:
        _fail(partial, error)


def _continue(
    superblock: Superblock,
    partial: _Partial,
    missing: list[tuple[int, int]],
    views: list[memoryview],
) -> None:
    try:
        for (start, size), view in zip(missing, views, strict=True):
            _take(superblock, partial, start, exact(view, size, start, "a header message block"))
    except VirtualizeError as error:
        _fail(partial, error)


def _fail(partial: _Partial, error: VirtualizeError) -> None:
    partial.error = error.located(at=partial.address)
    partial.missing = []


def _block(superblock: Superblock, partial: _Partial, start: int, size: int) -> None:
    """Take a block from the window, or note that it is missing."""
    inside(superblock, start, size, "a header message block")
    if start in partial.seen:
        raise CorruptFileError("an object header's continuation blocks form a loop", at=start)
    partial.seen.add(start)
    partial.bytes_seen += size
    if superblock.end is not None and partial.bytes_seen > superblock.end:
        raise CorruptFileError("an object header's blocks overlap", at=partial.address)
    offset = start - partial.address
    if offset >= 0 and offset + size <= len(partial.window):
        _take(superblock, partial, start, partial.window[offset : offset + size])
    else:
        partial.missing.append((start, size))


def _take(superblock: Superblock, partial: _Partial, start: int, block: bytes) -> None:
    prefix, sizes = partial.prefix, superblock.sizes
    if prefix.version == 1:
        messages, continuations = decode_messages_v1(block, start, sizes)
    else:
        first = start == partial.address
        if not first and block[:4] != b"OCHK":
            raise CorruptFileError("a continuation block without its signature", at=start)
        check_lookup3(block, "an object header's message block", start)
        skip = prefix.block_start if first else 4
        messages, continuations = decode_messages_v2(
            block[skip:-4], start + skip, prefix.has_creation_order, sizes
        )
    partial.messages += messages
    for next_start, size in continuations:
        _block(superblock, partial, next_start, size)


def _finished(partial: _Partial) -> ObjectHeader | VirtualizeError:
    if partial.error is not None:
        return partial.error
    types = frozenset([message[0] for message in partial.messages])
    if not types <= KNOWN_TYPES:
        for message in partial.messages:
            if message.flags & FAIL_IF_UNKNOWN and message.type not in KNOWN_TYPES:
                return CorruptFileError(
                    f"header message type {message.type:#x} is unknown and must be understood",
                    at=message.at,
                )
    prefix = partial.prefix
    return ObjectHeader(
        partial.address, prefix.version, partial.messages, types, prefix.has_creation_order
    )
