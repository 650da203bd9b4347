"""Groups: link messages, link info, symbol tables, local heaps (III.A-III.C, IV.A.2)."""

from __future__ import annotations

from dataclasses import dataclass

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_fields import (
    address,
    bounded,
    signature,
    take,
    terminated,
    text,
    u16,
    u32,
    unsigned,
)
from virtualizarr.parsers.hdf5.layout import (
    ExternalLink,
    HardLink,
    Link,
    Sizes,
    SoftLink,
    UserDefinedLink,
)


@dataclass(frozen=True, slots=True)
class DenseStorage:
    """Where links or attributes are when they are not in the object header itself."""

    heap_address: int | None
    name_index_address: int | None
    order_tracked: bool


@bounded
def decode_link_info(body: bytes, sizes: Sizes) -> DenseStorage:
    """Decode a link info message."""
    return _dense(body, 8, sizes)


@bounded
def decode_attribute_info(body: bytes, sizes: Sizes) -> DenseStorage:
    """Decode an attribute info message."""
    return _dense(body, 2, sizes)


def _dense(body: bytes, order_size: int, sizes: Sizes) -> DenseStorage:
    tracked = bool(body[1] & 1)
    at = 2 + (order_size if tracked else 0)
    return DenseStorage(address(body, at, sizes), address(body, at + sizes.offset, sizes), tracked)


@bounded
def decode_link(body: bytes, sizes: Sizes) -> tuple[Link, int | None]:
    """Decode a link message; returns the link and its creation order, if tracked."""
    if body[0] != 1:
        raise CorruptFileError(f"link message version {body[0]}")
    flags = body[1]
    at = 2
    kind = 0
    order = None
    if flags & 0x08:
        kind = body[at]
        at += 1
    if flags & 0x04:
        order = unsigned(body, at, 8)
        at += 8
    if flags & 0x10:
        at += 1
    width = 1 << (flags & 3)
    size = unsigned(body, at, width)
    at += width
    name = checked_name(text(take(body, at, size)))
    at += size
    if kind == 0:
        target = address(body, at, sizes)
        if target is None:
            raise CorruptFileError(f"link {name!r} has no target")
        return HardLink(name, target), order
    data = take(body, at + 2, u16(body, at)[0])
    if kind == 1:
        return SoftLink(name, text(data.split(b"\0", 1)[0])), order
    if kind == 64:
        file, end = terminated(data, 1)
        return ExternalLink(name, file, terminated(data, end)[0]), order
    if kind < 64:
        raise CorruptFileError(f"link type {kind} of {name!r}")
    return UserDefinedLink(name, kind, data), order


def checked_name(name: str) -> str:
    """Return a link's name; raises CorruptFileError if it cannot be part of a path."""
    if not name or "/" in name or "\0" in name:
        raise CorruptFileError(f"a link is named {name!r}")
    return name


@bounded
def decode_symbol_table_message(body: bytes, sizes: Sizes) -> tuple[int, int]:
    """Return the addresses of a group's B-tree and local heap."""
    btree, heap = address(body, 0, sizes), address(body, sizes.offset, sizes)
    if btree is None or heap is None:
        raise CorruptFileError("a symbol table message without B-tree or local heap")
    return btree, heap


def local_heap_size(sizes: Sizes) -> int:
    """Return the bytes of a local heap's header."""
    return 8 + 2 * sizes.length + sizes.offset


@bounded
def decode_local_heap(buffer: bytes, sizes: Sizes) -> tuple[int, int]:
    """Return address and size of a local heap's data segment."""
    signature(buffer, b"HEAP")
    size = unsigned(buffer, 8, sizes.length)
    where = address(buffer, 8 + 2 * sizes.length, sizes)
    if where is None:
        raise CorruptFileError("a local heap has no data segment")
    return where, size


def group_node_size(sizes: Sizes) -> int:
    """Return the bytes of a version 1 B-tree node of a group."""
    pairs = 2 * sizes.group_internal_k
    return 8 + 2 * sizes.offset + pairs * sizes.offset + (pairs + 1) * sizes.length


@bounded
def decode_group_node(buffer: bytes, sizes: Sizes) -> tuple[int, list[int]]:
    """Return level and children's addresses of a group's version 1 B-tree node."""
    signature(buffer, b"TREE")
    if buffer[4] != 0:
        raise CorruptFileError(f"a group's B-tree node has type {buffer[4]}")
    level, used = buffer[5], u16(buffer, 6)[0]
    step = sizes.length + sizes.offset
    first = 8 + 2 * sizes.offset + sizes.length
    children = [address(buffer, first + i * step, sizes) for i in range(used)]
    if any(child is None for child in children):
        raise CorruptFileError("a group's B-tree node points nowhere")
    return level, [child for child in children if child is not None]


def symbol_entry_size(sizes: Sizes) -> int:
    """Return the bytes of a symbol table entry.

    libhdf5 gives the Link Name Offset the size of lengths; the specification says offsets.
    """
    return sizes.length + sizes.offset + 24


def symbol_node_size(sizes: Sizes) -> int:
    """Return the bytes of a full symbol table node."""
    return 8 + 2 * sizes.group_leaf_k * symbol_entry_size(sizes)


@bounded
def decode_symbol_node(buffer: bytes, heap: bytes, sizes: Sizes) -> list[Link]:
    """Decode a symbol table node; names and soft links are in `heap`, the local heap's data."""
    signature(buffer, b"SNOD")
    count = u16(buffer, 6)[0]
    length, step = sizes.length, symbol_entry_size(sizes)
    scratch = length + sizes.offset + 8
    links: list[Link] = []
    for at in range(8, 8 + count * step, step):
        name = checked_name(terminated(heap, unsigned(buffer, at, length))[0])
        if u32(buffer, at + scratch - 8)[0] == 2:
            target = terminated(heap, u32(buffer, at + scratch)[0])[0]
            links.append(SoftLink(name, target))
            continue
        where = address(buffer, at + length, sizes)
        if where is None:
            raise CorruptFileError(f"link {name!r} has no target")
        links.append(HardLink(name, where))
    return links
