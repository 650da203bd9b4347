"""Messages of a dataset: dataspace, fill value, filters, layout, external files (IV.A.2)."""

from __future__ import annotations

import math
import struct
from functools import lru_cache

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.decode_fields import (
    UNDEFINED,
    address,
    bounded,
    padded,
    take,
    text,
    u16,
    u32,
    unsigned,
)
from virtualizarr.parsers.hdf5.layout import (
    ChunkedLayout,
    ChunkIndexType,
    CompactLayout,
    ContiguousLayout,
    Dataspace,
    DataspaceType,
    FillState,
    FillValue,
    Filter,
    Sizes,
)

MAX_RANK = 32


@lru_cache(1024)
def decode_dataspace(body: bytes, length: int) -> Dataspace:
    """Decode a dataspace message, versions 1 and 2; `length` is the Size of Lengths."""
    return _dataspace(body, length)


@bounded
def _dataspace(body: bytes, length: int) -> Dataspace:
    version, rank, flags = body[0], body[1], body[2]
    if version not in (1, 2):
        raise CorruptFileError(f"dataspace message version {version}")
    if rank > MAX_RANK:
        raise CorruptFileError(f"a dataspace of {rank} dimensions (at most {MAX_RANK})")
    start = 8 if version == 1 else 4
    if version == 2 and body[3] == DataspaceType.NULL:
        return Dataspace(DataspaceType.NULL)
    if rank == 0:
        return Dataspace(DataspaceType.SCALAR)
    shape = tuple(unsigned(body, start + i * length, length) for i in range(rank))
    if not flags & 1:
        return Dataspace(DataspaceType.SIMPLE, shape, shape)
    start += rank * length
    unlimited = UNDEFINED[length]
    most = [unsigned(body, start + i * length, length) for i in range(rank)]
    max_shape = tuple(None if each == unlimited else each for each in most)
    for size, limit in zip(shape, max_shape, strict=True):
        if limit is not None and size > limit:
            raise CorruptFileError(f"a dataspace of shape {shape} and maximum {max_shape}")
    return Dataspace(DataspaceType.SIMPLE, shape, max_shape)


@lru_cache(256)
@bounded
def decode_fill_value(body: bytes) -> FillValue:
    """Decode a fill value message, versions 1-3."""
    version = body[0]
    if version == 3:
        flags = body[1]
        times = {"allocation_time": flags & 3, "write_time": flags >> 2 & 3}
        if flags & 0x10:
            return FillValue(FillState.UNDEFINED, None, **times)
        if not flags & 0x20:
            return FillValue(FillState.DEFAULT, None, **times)
        size, start = u32(body, 2)[0], 6
    elif version in (1, 2):
        times = {"allocation_time": body[1], "write_time": body[2]}
        if not body[3]:
            return FillValue(FillState.UNDEFINED, None, **times)
        size, start = u32(body, 4)[0], 8
    else:
        raise CorruptFileError(f"fill value message version {version}")
    if size == 0:
        return FillValue(FillState.DEFAULT, None, **times)
    if size == 0xFFFFFFFF:
        return FillValue(FillState.UNDEFINED, None, **times)
    return FillValue(FillState.USER_DEFINED, take(body, start, size), **times)


@lru_cache(256)
@bounded
def decode_fill_value_old(body: bytes) -> FillValue:
    """Decode a fill value message of the old kind (type 0x0004)."""
    size = u32(body, 0)[0]
    if size == 0:
        return FillValue(FillState.UNDEFINED)
    return FillValue(FillState.USER_DEFINED, take(body, 4, size))


@lru_cache(256)
@bounded
def decode_filter_pipeline(body: bytes) -> tuple[Filter, ...]:
    """Decode a filter pipeline message, versions 1 and 2."""
    version, count = body[0], body[1]
    if version not in (1, 2):
        raise CorruptFileError(f"filter pipeline message version {version}")
    at = 8 if version == 1 else 2
    filters = []
    for _ in range(count):
        number = u16(body, at)[0]
        at += 2
        name_size = 0
        if version == 1 or number >= 256:
            name_size = u16(body, at)[0]
            at += 2
        flags, values = u16(body, at)[0], u16(body, at + 2)[0]
        at += 4
        name = text(take(body, at, name_size).split(b"\0", 1)[0])
        at += padded(name_size) if version == 1 else name_size
        client_data = tuple(u32(body, at + 4 * i)[0] for i in range(values))
        at += 4 * (values + (values % 2 if version == 1 else 0))
        filters.append(Filter(number, name, bool(flags & 1), client_data))
    return tuple(filters)


@bounded
def decode_virtual_location(body: bytes, sizes: Sizes) -> tuple[int | None, int] | None:
    """Return the heap address and index of a virtual layout; None if the layout is another."""
    if body[0] < 4 or body[1] != 3:
        return None
    return address(body, 2, sizes), u32(body, 2 + sizes.offset)[0]


@bounded
def decode_layout(
    body: bytes, at: int, sizes: Sizes
) -> CompactLayout | ContiguousLayout | ChunkedLayout:
    """Decode a data layout message at file offset `at`, versions 1-5, any class but virtual."""
    version = body[0]
    if version in (1, 2):
        return _layout_old(body, at, sizes)
    if version not in (3, 4, 5):
        raise UnsupportedFeatureError(f"data layout message version {version}", at=at)
    kind = body[1]
    if kind == 0:
        size = u16(body, 2)[0]
        return CompactLayout(take(body, 4, size), at + 4)
    if kind == 1:
        return ContiguousLayout(
            address(body, 2, sizes), unsigned(body, 2 + sizes.offset, sizes.length)
        )
    if kind != 2:
        raise UnsupportedFeatureError(f"data layout class {kind}", at=at)
    return _chunked_v3(body, at, sizes) if version == 3 else _chunked(body, at, sizes)


def _layout_old(
    body: bytes, at: int, sizes: Sizes
) -> CompactLayout | ContiguousLayout | ChunkedLayout:
    version, rank, kind = body[0], body[1], body[2]
    start = 8
    where = None
    if kind != 0:
        where = address(body, start, sizes)
        start += sizes.offset
    shape = tuple(u32(body, start + 4 * i)[0] for i in range(rank))
    start += 4 * rank
    if kind == 0:
        size = u32(body, start)[0]
        return CompactLayout(take(body, start + 4, size), at + start + 4)
    if kind == 1:
        return ContiguousLayout(where, None)
    if kind != 2:
        raise CorruptFileError(f"data layout class {kind}", at=at)
    return _made(version, shape, ChunkIndexType.BTREE_V1, where, at)


def _chunked_v3(body: bytes, at: int, sizes: Sizes) -> ChunkedLayout:
    shape: tuple[int, ...] = struct.unpack_from(f"<{body[2]}I", body, 3 + sizes.offset)
    return _made(3, shape, ChunkIndexType.BTREE_V1, address(body, 3, sizes), at)


def _chunked(body: bytes, at: int, sizes: Sizes) -> ChunkedLayout:
    version, flags, rank, width = body[0], body[2], body[3], body[4]
    if not 1 <= width <= 8:
        raise CorruptFileError(f"chunk dimensions of {width} bytes", at=at)
    shape = tuple(unsigned(body, 5 + i * width, width) for i in range(rank))
    start = 5 + rank * width
    kind = body[start]
    start += 1
    if kind not in _INDEX_PARAMETERS:
        raise UnsupportedFeatureError(f"chunk index type {kind}", at=at)
    size, mask = None, 0
    if kind == ChunkIndexType.SINGLE_CHUNK and flags & 2:
        size = unsigned(body, start, sizes.length)
        mask = u32(body, start + sizes.length)[0]
        start += sizes.length + 4
    start += _INDEX_PARAMETERS[kind]
    return _made(
        version,
        shape,
        ChunkIndexType(kind),
        address(body, start, sizes),
        at,
        single=(size, mask),
        partial_edge_chunks_unfiltered=bool(flags & 1),
    )


def _made(
    version: int,
    shape: tuple[int, ...],
    index_type: ChunkIndexType,
    where: int | None,
    at: int,
    single: tuple[int | None, int] = (None, 0),
    partial_edge_chunks_unfiltered: bool = False,
) -> ChunkedLayout:
    if len(shape) < 2 or len(shape) > MAX_RANK + 1 or math.prod(shape) == 0:
        raise CorruptFileError(f"chunks of dimensions {shape}, the last in bytes", at=at)
    return ChunkedLayout(
        version,
        shape[:-1],
        shape[-1],
        index_type,
        where,
        single_chunk_size=single[0],
        single_chunk_filter_mask=single[1],
        partial_edge_chunks_unfiltered=partial_edge_chunks_unfiltered,
    )


@bounded
def decode_external_files(
    body: bytes, sizes: Sizes
) -> tuple[int | None, list[tuple[int, int, int | None]]]:
    """Return the local heap's address, and name offset, file offset and size of each slot."""
    used = u16(body, 6)[0]
    length = sizes.length
    start = 8 + sizes.offset
    slots: list[tuple[int, int, int | None]] = []
    for at in range(start, start + used * 3 * length, 3 * length):
        name, offset, size = (unsigned(body, at + i * length, length) for i in range(3))
        slots.append((name, offset, None if size == UNDEFINED[length] else size))
    return address(body, 8, sizes), slots


# Bytes of the parameters between the chunk indexing type and the index's address.
_INDEX_PARAMETERS = {1: 0, 2: 0, 3: 1, 4: 5, 5: 6}
