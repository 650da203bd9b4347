"""Deflate by libdeflate, in half the time of the standard library's zlib.

imagecodecs brings it; where that is not installed, and for whatever libdeflate refuses, the caller
goes on with zlib, which says better what is wrong. So what comes out is the same either way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from virtualizarr.codecs.base import Octets, octets

WORTHWHILE = 16 * 1024
"""Stored bytes of a chunk: for smaller ones, as coordinates have, imagecodecs is not imported."""

MOST_PER_BYTE = 1032
"""Bytes that one byte of a deflate stream can stand for (RFC 1951: 258 in two bits)."""


def zlib_content(data: Octets, limit: int) -> Octets | None:
    """Return what the zlib stream at the beginning of `data` holds, if that is at most `limit`.

    None where zlib should be asked: small or broken streams, and more content than `limit`.
    """
    if data.size < WORTHWHILE:
        return None
    decode = _decoder()
    if decode is None:
        return None
    try:
        return octets(decode(data, out=min(limit, MOST_PER_BYTE * data.size)))
    except (RuntimeError, ValueError):
        return None


@cache
def _decoder() -> Callable[..., Any] | None:
    try:
        import imagecodecs
    except ImportError:
        return None
    known = getattr(imagecodecs, "DEFLATE", None)  # a build without libdeflate has a stand-in
    if not getattr(known, "available", False):
        return None
    decode: Callable[..., Any] = imagecodecs.deflate_decode
    return decode
