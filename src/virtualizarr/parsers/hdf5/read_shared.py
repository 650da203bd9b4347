"""Reading shared messages: those in another object header and those in a shared message heap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.hdf5.decode_object_header import (
    SHARED,
    Message,
    MessageType,
    ObjectHeader,
    SharedLocation,
    decode_shared,
)
from virtualizarr.parsers.hdf5.layout import Superblock
from virtualizarr.parsers.hdf5.read_heap import read_heap_map, read_heap_objects
from virtualizarr.parsers.hdf5.read_object_header import read_object_headers
from virtualizarr.source.reading import Reading, together

# Old fill value messages share the flag of the new ones.
_FLAG_OF = {int(MessageType.FILL_VALUE_OLD): int(MessageType.FILL_VALUE)}

type SharedKey = tuple[int, bytes]
"""Message type, and the body of the shared message."""
type SharedBodies = dict[SharedKey, Message | VirtualizeError]


def read_shared(
    superblock: Superblock, keys: Iterable[SharedKey], known: dict[int, ObjectHeader]
) -> Reading[SharedBodies]:
    """Return the message that each key stands for, or the error that it gives.

    `known` holds object headers already read, by address; those read here are added to it.
    """
    found: SharedBodies = {}
    headers: dict[SharedKey, int] = {}
    heaped: dict[int, dict[SharedKey, bytes]] = {}
    for key in keys:
        try:
            where = decode_shared(key[1], superblock.sizes)
            _sort(superblock, key, where, headers, heaped)
        except VirtualizeError as error:
            found[key] = error
    parts: list[Reading[Any]] = [
        _read_headers(superblock, headers, known),
        *(_read_heap(superblock, heap, ids) for heap, ids in heaped.items()),
    ]
    for part in (yield from together(parts)):
        found |= part
    return found


def _sort(
    superblock: Superblock,
    key: SharedKey,
    where: SharedLocation,
    headers: dict[SharedKey, int],
    heaped: dict[int, dict[SharedKey, bytes]],
) -> None:
    if where.header_address is not None:
        headers[key] = where.header_address
        return
    flag = _FLAG_OF.get(key[0], key[0])
    for index in superblock.shared_message_indexes:
        if index.message_type_flags >> flag & 1:
            if index.heap_address is None or where.heap_id is None:
                break
            heaped.setdefault(index.heap_address, {})[key] = where.heap_id
            return
    raise CorruptFileError(f"the file has no shared message heap for messages of type {key[0]}")


def _read_headers(
    superblock: Superblock, wanted: dict[SharedKey, int], known: dict[int, ObjectHeader]
) -> Reading[SharedBodies]:
    unread = sorted({at for at in wanted.values() if at not in known})
    headers = yield from read_object_headers(superblock, unread)
    errors: dict[int, VirtualizeError] = {}
    for at, header in zip(unread, headers, strict=True):
        if isinstance(header, VirtualizeError):
            errors[at] = header
        else:
            known[at] = header
    return {
        key: errors[at] if at in errors else _message(known[at], key[0])
        for key, at in wanted.items()
    }


def _message(header: ObjectHeader, kind: int) -> Message | VirtualizeError:
    for message in header.messages:
        if message.type == kind:
            if message.flags & SHARED:
                return CorruptFileError("a shared message is itself shared", at=message.at)
            return message
    return CorruptFileError(f"no message of type {kind} to share", at=header.address)


def _read_heap(
    superblock: Superblock, heap: int, ids: dict[SharedKey, bytes]
) -> Reading[SharedBodies]:
    try:
        heap_map = yield from read_heap_map(superblock, heap)
        bodies = yield from read_heap_objects(superblock, heap_map, list(ids.values()))
    except VirtualizeError as error:
        return dict.fromkeys(ids, error)
    return {key: Message(key[0], 0, body, heap) for key, body in zip(ids, bodies, strict=True)}
