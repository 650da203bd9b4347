"""Readings of the superblock and of what its extension points to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.hdf5.decode_object_header import MessageType, ObjectHeader
from virtualizarr.parsers.hdf5.decode_superblock import (
    SIGNATURE,
    SUPERBLOCK_SIZE,
    decode_btree_k,
    decode_cache_image,
    decode_cache_image_location,
    decode_driver_info,
    decode_shared_table,
    decode_shared_table_location,
    decode_superblock,
    shared_table_size,
)
from virtualizarr.parsers.hdf5.layout import Superblock
from virtualizarr.parsers.hdf5.read_object_header import exact, inside, read_object_headers
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.reading import Reading, Request, Stat

_HEAD = 4096  # bytes of the first request: holds the superblock unless a long user block is before
_MAX_USER_BLOCK = 1 << 30  # bytes: where the search for the signature ends if the size is unknown


def read_superblock() -> Reading[Superblock]:
    """Return the superblock and what its extension says.

    Looks for the signature at 0, 512, 1024, 2048, ... as libhdf5 does. Raises CorruptFileError if
    there is none or if the file is shorter than its End of File Address; UnsupportedFeatureError
    for files that are one of a set (family, multi, subfiling).
    """
    head, facts = yield [ByteRange(0, _HEAD), Stat()]
    at = next((at for at in (0, 512, 1024, 2048) if head[at : at + 8] == SIGNATURE), None)
    if at is None:
        at = yield from _far_signature(facts.size)
        (buffer,) = yield [ByteRange(at, at + SUPERBLOCK_SIZE)]
    else:
        buffer = head[at : at + SUPERBLOCK_SIZE]
    superblock = decode_superblock(bytes(buffer), at, facts.size)
    end = superblock.sizes.end_of_file
    if facts.size is not None and end is not None and facts.size < end:
        raise CorruptFileError(
            f"truncated: the file has {facts.size} bytes, its superblock says {end}; "
            "it was cut off, or never closed by its writer",
            at=at,
        )
    if superblock.extension_address is not None:
        superblock = yield from _with_extension(superblock, superblock.extension_address)
    return superblock


def _far_signature(size: int | None) -> Reading[int]:
    stop = _MAX_USER_BLOCK if size is None else size
    places = [1 << k for k in range(12, max(13, stop.bit_length())) if 1 << k < stop]
    found = (yield [ByteRange(at, at + 8) for at in places]) if places else []
    for at, signature in zip(places, found, strict=True):
        if signature == SIGNATURE:
            return at
    raise CorruptFileError("this is no HDF5 file: its signature is nowhere", at=0)


def _with_extension(superblock: Superblock, extension: int) -> Reading[Superblock]:
    (header,) = yield from read_object_headers(superblock, [extension])
    if isinstance(header, VirtualizeError):
        raise header
    if _body(header, MessageType.DRIVER_INFO) is not None:
        what = decode_driver_info(_body(header, MessageType.DRIVER_INFO) or b"")
        raise UnsupportedFeatureError(f"the file is {what}: rewrite it as one file (h5repack)")
    k_values = _body(header, MessageType.BTREE_K)
    if k_values is not None:
        superblock = replace(superblock, sizes=decode_btree_k(k_values, superblock.sizes))
    image = _body(header, MessageType.CACHE_IMAGE)
    if image is not None:
        superblock = yield from _with_cache_image(superblock, image)
    table = _body(header, MessageType.SHARED_TABLE)
    if table is not None:
        superblock = yield from through_cache_image(
            superblock, _with_shared_table(superblock, table)
        )
    return superblock


def _body(header: ObjectHeader, kind: MessageType) -> bytes | None:
    return next((message.body for message in header.messages if message.type == kind), None)


def _with_cache_image(superblock: Superblock, body: bytes) -> Reading[Superblock]:
    where, size = decode_cache_image_location(body, superblock.sizes)
    if where is None or size == 0:
        return superblock
    inside(superblock, where, size, "metadata cache image")
    (view,) = yield [ByteRange(where, where + size)]
    block = exact(view, size, where, "metadata cache image")
    return replace(superblock, cache_image=decode_cache_image(block, superblock.sizes))


def _with_shared_table(superblock: Superblock, body: bytes) -> Reading[Superblock]:
    where, count = decode_shared_table_location(body, superblock.sizes)
    if where is None:
        return superblock
    size = shared_table_size(count, superblock.sizes)
    inside(superblock, where, size, "shared message table")
    (view,) = yield [ByteRange(where, where + size)]
    block = exact(view, size, where, "shared message table")
    indexes = decode_shared_table(block, count, superblock.sizes)
    return replace(superblock, shared_message_indexes=indexes)


def through_cache_image[T](superblock: Superblock, reading: Reading[T]) -> Reading[T]:
    """Return `reading` with every answer patched by the metadata cache image, if there is one.

    Every reading of a file's metadata goes through this: the entries of the image are newer than
    the bytes at their addresses.
    """
    return _patched(superblock.cache_image, reading) if superblock.cache_image else reading


type _Image = tuple[tuple[int, bytes], ...]


def _patched[T](image: _Image, reading: Reading[T]) -> Reading[T]:
    starts = [start for start, _ in image]
    try:
        requests = next(reading)
        while True:
            answers = yield requests
            patched = [_patch(image, starts, *pair) for pair in zip(requests, answers, strict=True)]
            requests = reading.send(patched)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _patch(image: _Image, starts: list[int], request: Request, answer: Any) -> Any:
    if isinstance(request, ByteRange):
        return memoryview(_laid(image, starts, request.start, request.stop, bytes(answer)))
    if isinstance(request, ByteBlocks):
        rows = np.array(answer)
        for i, first in enumerate(request.starts.tolist()):
            row = _laid(image, starts, first, first + request.size, rows[i].tobytes())
            rows[i] = np.frombuffer(row, np.uint8)
        return rows
    return answer


def _laid(image: _Image, starts: list[int], first: int, last: int, data: bytes) -> bytes:
    """Return `data`, the bytes from `first` to `last`, under what the image has for them."""
    low = max(0, bisect_right(starts, first) - 1)
    entries = image[low : bisect_left(starts, last)]
    if not entries:
        return data
    laid = bytearray(data)
    for start, content in entries:
        begin, end = max(first, start), min(last, start + len(content))
        if begin < end:
            laid.extend(bytes(max(0, end - first - len(laid))))
            laid[begin - first : end - first] = content[begin - start : end - start]
    return bytes(laid)
