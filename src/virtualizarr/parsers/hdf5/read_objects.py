"""Reading objects: headers and all that hangs on them, a level of the hierarchy at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.hdf5.decode_dataset import decode_external_files
from virtualizarr.parsers.hdf5.decode_group import (
    decode_attribute_info,
    decode_link,
    decode_link_info,
    decode_symbol_table_message,
)
from virtualizarr.parsers.hdf5.decode_object_header import Message, MessageType, ObjectHeader
from virtualizarr.parsers.hdf5.layout import ExternalFile, Link, Superblock
from virtualizarr.parsers.hdf5.read_links import (
    read_dense_attributes,
    read_dense_links,
    read_external_files,
    read_symbol_table,
)
from virtualizarr.parsers.hdf5.read_object_header import read_object_headers
from virtualizarr.source.reading import Reading, together


@dataclass(slots=True, eq=False)
class Found:
    """An object met on a walk: its header, and what was stored outside of it."""

    path: str
    address: int
    header: ObjectHeader
    links: dict[str, Link] = field(default_factory=dict)
    attributes: list[Message] = field(default_factory=list)
    attributes_unordered: bool = False  # they come in the order of a hash
    external_files: tuple[ExternalFile, ...] = ()
    error: VirtualizeError | None = None

    @property
    def types(self) -> frozenset[int]:
        """The types of its header messages."""
        return self.header.types

    @property
    def is_group(self) -> bool:
        return bool(self.types & _GROUP_TYPES)


_GROUP_TYPES = frozenset([int(MessageType.SYMBOL_TABLE), int(MessageType.LINK_INFO)])


def read_found(
    superblock: Superblock,
    places: Sequence[tuple[str, int]],
    *,
    links_only: bool = False,
) -> Reading[list[Found]]:
    """Return the objects at `places`, (path, address) pairs, with links and dense attributes.

    An object that cannot be read has its `error` set. With `links_only`, attributes and external
    files are left out.
    """
    headers = yield from read_object_headers(superblock, [address for _, address in places])
    found = [
        _found(path, address, header)
        for (path, address), header in zip(places, headers, strict=True)
    ]
    parts = [
        _guarded(each, _read_outside(superblock, each, links_only))
        for each in found
        if each.error is None and each.types & _OUTSIDE
    ]
    if parts:
        yield from together(parts)
    if not links_only:
        for each in found:
            if each.error is None and MessageType.ATTRIBUTE in each.types:
                _take_compact_attributes(each)
    return found


def _found(path: str, address: int, header: ObjectHeader | VirtualizeError) -> Found:
    if isinstance(header, VirtualizeError):
        empty = ObjectHeader(address, 0, (), frozenset())
        return Found(path, address, empty, error=header.located(node=path))
    return Found(path, address, header)


def _take_compact_attributes(each: Found) -> None:
    compact = [message for message in each.header.messages if message[0] == 0x0C]
    if each.header.attribute_order_tracked:
        compact.sort(key=lambda message: message.creation_order)
    each.attributes = compact + each.attributes


def _guarded(each: Found, reading: Reading[None]) -> Reading[None]:
    try:
        yield from reading
    except VirtualizeError as error:
        each.error = error.located(node=each.path)


def _read_outside(superblock: Superblock, each: Found, links_only: bool) -> Reading[None]:
    """Read what `each` keeps outside its header: all kinds in the same rounds."""
    parts: list[Reading[None]] = []
    if each.is_group:
        parts.append(_read_links(superblock, each))
    if not links_only:
        for message in each.header.messages:
            if message.type == MessageType.ATTRIBUTE_INFO:
                parts.append(_read_attributes(superblock, each, message))
            elif message.type == MessageType.EXTERNAL_FILES:
                parts.append(_read_external(superblock, each, message))
    yield from parts[0] if len(parts) == 1 else together(parts)


def _read_links(superblock: Superblock, each: Found) -> Reading[None]:
    sizes = superblock.sizes
    links: list[tuple[Link, int | None]] = []
    tables: list[Reading[Any]] = []
    ordered = True  # a symbol table comes in the order of its names
    for message in each.header.messages:
        if message.type == MessageType.SYMBOL_TABLE:
            table = decode_symbol_table_message(message.body, sizes)
            tables.append(read_symbol_table(superblock, *table))
        elif message.type == MessageType.LINK:
            links.append(decode_link(message.body, sizes))
            ordered = False
        elif message.type == MessageType.LINK_INFO:
            ordered = False
            storage = decode_link_info(message.body, sizes)
            tables.append(read_dense_links(superblock, storage))
    for table_links in (yield from together(tables)):
        links += [link if isinstance(link, tuple) else (link, None) for link in table_links]
    if not ordered:
        links.sort(key=_rank if all(order is not None for _, order in links) else _name)
    each.links = {link.name: link for link, _ in links}
    if len(each.links) != len(links):
        raise CorruptFileError("two links of a group have one name", at=each.address)


def _rank(pair: tuple[Link, int | None]) -> int:
    return -1 if pair[1] is None else pair[1]


def _name(pair: tuple[Link, int | None]) -> bytes:
    return pair[0].name.encode("utf-8", "surrogateescape")


def _read_attributes(superblock: Superblock, each: Found, message: Message) -> Reading[None]:
    storage = decode_attribute_info(message.body, superblock.sizes)
    dense = yield from read_dense_attributes(superblock, storage)
    if storage.order_tracked:
        dense.sort(key=lambda attribute: attribute[0])
    each.attributes_unordered = not storage.order_tracked
    each.attributes = [
        _new(Message, (0x0C, flags, body, message.at, order)) for order, flags, body in dense
    ]


def _read_external(superblock: Superblock, each: Found, message: Message) -> Reading[None]:
    heap, slots = decode_external_files(message.body, superblock.sizes)
    each.external_files = yield from read_external_files(superblock, heap, slots)


_new = tuple.__new__  # a named tuple, in a third of the time
_OUTSIDE = _GROUP_TYPES | {int(MessageType.ATTRIBUTE_INFO), int(MessageType.EXTERNAL_FILES)}
