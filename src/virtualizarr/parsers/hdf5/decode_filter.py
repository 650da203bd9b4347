"""Undoing the filters of a fractal heap's blocks and huge objects."""

from __future__ import annotations

import zlib

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.layout import Filter

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3


def unfiltered(stored: bytes, filters: tuple[Filter, ...], mask: int, size: int) -> bytes:
    """Return the `size` bytes that `filters`, less those whose bit is set in `mask`, turned into
    `stored`. Knows deflate, shuffle and fletcher32; any other raises UnsupportedFeatureError.
    """
    for i, each in reversed(list(enumerate(filters))):
        if not mask >> i & 1:
            stored = _undo(stored, each, size)
    if len(stored) != size:
        raise CorruptFileError(f"a filtered heap block gives {len(stored)} bytes, not {size}")
    return stored


def _undo(stored: bytes, each: Filter, size: int) -> bytes:
    if each.id == DEFLATE:
        return _inflated(stored, size)
    if each.id == SHUFFLE:
        width = each.client_data[0] if each.client_data else 1
        return _unshuffled(stored, width)
    if each.id == FLETCHER32:
        return stored[:-4]
    raise UnsupportedFeatureError(f"a fractal heap filtered by {each.name!r} (filter {each.id})")


def _inflated(stored: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(stored, size + 8)
    except zlib.error as cause:
        raise CorruptFileError(f"a deflated heap block does not inflate: {cause}") from cause


def _unshuffled(stored: bytes, width: int) -> bytes:
    if width < 2:
        return stored
    whole = len(stored) // width
    planes = np.frombuffer(stored, np.uint8, whole * width).reshape(width, whole)
    return planes.T.tobytes() + stored[whole * width :]
