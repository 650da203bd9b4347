"""The byte compressions of TIFF, each limited to the size that a strip or tile may have."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets, octets
from virtualizarr.codecs.libdeflate import zlib_content

LZMA_MEMORY = 256 * 1024 * 1024
"""Bytes that a decoder may use whatever the size of its chunk; the highest preset needs 65 MB."""

REVERSED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8).reshape(-1, 1), axis=1)[:, ::-1], axis=1
).reshape(-1)


class CcittShape(Protocol):
    """What the CCITT decoders, which count rows and columns, need of the codec."""

    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def edge(self) -> tuple[int, int]: ...
    @property
    def options(self) -> int: ...


def reversed_bits(data: Octets) -> Octets:
    """Return the bytes with the order of their bits reversed (FillOrder 2)."""
    return REVERSED[data]


def _none(codec: ForeignCodec, data: Octets, limit: int) -> Octets:
    del codec
    return data[:limit]


def _deflate(codec: ForeignCodec, data: Octets, limit: int) -> Octets:
    found = zlib_content(data, limit)
    if found is not None:
        return found
    try:
        return octets(zlib.decompressobj().decompress(data.data, limit))
    except zlib.error as error:
        raise codec.corrupt(f"deflate: {error}") from error


def _lzma(codec: ForeignCodec, data: Octets, limit: int) -> Octets:
    memory = max(LZMA_MEMORY, 4 * limit)
    try:
        return octets(lzma.LZMADecompressor(memlimit=memory).decompress(data.tobytes(), limit))
    except (lzma.LZMAError, EOFError) as error:
        raise codec.corrupt(f"lzma: {error}") from error


def _by_imagecodecs(function: str) -> Callable[[ForeignCodec, Octets, int], Octets]:
    def decompress(codec: ForeignCodec, data: Octets, limit: int) -> Octets:
        codec.require(data.size, "the chunk has no bytes")
        return octets(codec.imagecodecs(function, data, out=limit))

    return decompress


def _packbits(codec: ForeignCodec, data: Octets, limit: int) -> Octets:
    """PackBits: runs may cross the end of a strip, so one run more than the limit is allowed."""
    return octets(codec.imagecodecs("packbits_decode", data, out=limit + 128))[:limit]


def _ccitt(function: str, has_options: bool) -> Callable[[ForeignCodec, Octets, int], Octets]:
    def decompress(codec: ForeignCodec, data: Octets, limit: int) -> Octets:
        shaped: CcittShape = codec  # type: ignore[assignment]  # the tiff codec is one
        rows, columns, samples = shaped.shape
        codec.require(samples == 1, f"CCITT compression of {samples} samples")
        options = {"t4options": shaped.options} if has_options else {}
        image = codec.imagecodecs(function, data, rows, columns, **options)
        bilevel: npt.NDArray[np.bool_] = np.asarray(image).reshape(-1, columns) != 0
        return np.packbits(bilevel, axis=1).reshape(-1)[:limit]

    return decompress


DECOMPRESSORS: dict[str, Callable[[ForeignCodec, Octets, int], Octets]] = {
    "none": _none,
    "ccittrle": _ccitt("ccittrle_decode", has_options=False),
    "ccittfax3": _ccitt("ccittfax3_decode", has_options=True),
    "ccittfax4": _ccitt("ccittfax4_decode", has_options=False),
    "deflate": _deflate,
    "lzma": _lzma,
    "lzw": _by_imagecodecs("lzw_decode"),
    "packbits": _packbits,
    "zstd": _by_imagecodecs("zstd_decode"),
}
