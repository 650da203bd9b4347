"""The compressed streams that hold the tiles of a FITS image (standard 4.0, section 10.4)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import Octets
from virtualizarr.errors import CorruptFileError

DATA, GZIP, PLAIN = "data", "gzip", "plain"
SOURCES = (DATA, GZIP, PLAIN)
"""Which of the columns COMPRESSED_DATA, GZIP_COMPRESSED_DATA, UNCOMPRESSED_DATA holds a tile."""

GZIP_WINDOW = 31  # zlib's code for a gzip header and the largest window
HCOMPRESS_HEADER = struct.Struct(">2siiiq3B")
HCOMPRESS_MAGIC = b"\xdd\x99"
HCOMPRESS_MAX_PIXELS = 1 << 28
HCOMPRESS_MAX_PLANES = 64
HCOMPRESS_LEAST = 2
"""The shortest side of a tile: the standard has 4, which not all writers heed."""

HCOMPRESS_GUARD = 64
ENDED_EARLY = "an HCOMPRESS tile ends before its stream does"
PLIO_HEADER_WORDS = 7


class Parameters(Protocol):
    """What the algorithms need to know besides the bytes."""

    @property
    def blocksize(self) -> int: ...
    @property
    def bytepix(self) -> int: ...
    @property
    def smooth(self) -> int: ...
    def require(self, holds: object, reason: str) -> None: ...
    def corrupt(self, reason: str) -> CorruptFileError: ...
    def imagecodecs(self, function: str, *args: Any, **options: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Stream:
    """One tile: its bytes, perhaps with others behind, its shape and the image's dtype.

    `quantized`: the stream holds integers that stand for floating point numbers.
    """

    parameters: Parameters
    data: Octets
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantized: bool

    @property
    def count(self) -> int:
        return prod(self.shape)

    def plain(self, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return the numbers at the start of the bytes, as they are."""
        size = self.count * dtype.itemsize
        self.parameters.require(self.data.size >= size, f"{self.data.size} bytes for {size}")
        return self.data[:size].view(dtype)

    def guarded(self, beyond: int) -> Octets:
        """Return the bytes with `beyond` bytes of ones behind their end in memory.

        The decoders look where a stream ends only now and then. Of a damaged one they read on
        meanwhile, at most so far as this, or to the next bit that is set.
        """
        whole = np.full(self.data.size + beyond, 0xFF, np.uint8)
        whole[: self.data.size] = self.data
        return whole[: self.data.size]

    def gunzipped(self) -> Octets:
        """Return what a gzip stream holds; never more than 8 bytes a pixel."""
        limit = self.count * 8
        inflate = zlib.decompressobj(GZIP_WINDOW)
        try:
            raw = inflate.decompress(self.data, limit + 1)
        except zlib.error as error:
            raise self.parameters.corrupt(f"a tile cannot be inflated: {error}") from error
        whole = inflate.eof and len(raw) <= limit
        self.parameters.require(whole, f"a tile of {self.count} pixels does not end where it must")
        return np.frombuffer(raw, np.uint8)

    def inflated(self, lossless: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return the numbers of a gzip stream; their size tells integers of other widths."""
        return self._numbers(self.gunzipped(), lossless)

    def unshuffled(self, lossless: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return the numbers of a gzip stream that holds first bytes first (GZIP_2)."""
        raw = self.gunzipped()
        width = self._width(raw.size)
        return self._numbers(np.ascontiguousarray(raw.reshape(width, -1).T).reshape(-1), lossless)

    def _width(self, size: int) -> int:
        width, rest = divmod(size, self.count)
        known = rest == 0 and width in (1, 2, 4, 8)
        self.parameters.require(known, f"{size} bytes in a tile of {self.count} pixels")
        return width

    def _numbers(self, raw: Octets, lossless: np.dtype[Any]) -> npt.NDArray[Any]:
        width = self._width(raw.size)
        real = lossless.kind == "f" and width == lossless.itemsize
        return raw.view(lossless if real else "u1" if width == 1 else f">i{width}")


def _stored_dtype(stream: Stream) -> np.dtype[Any]:
    return np.dtype(">i4") if stream.quantized else stream.dtype


def _gzip_1(stream: Stream) -> npt.NDArray[Any]:
    return stream.inflated(_stored_dtype(stream))


def _gzip_2(stream: Stream) -> npt.NDArray[Any]:
    return stream.unshuffled(_stored_dtype(stream))


def _no_compress(stream: Stream) -> npt.NDArray[Any]:
    return stream.plain(_stored_dtype(stream))


def _rice_1(stream: Stream) -> npt.NDArray[Any]:
    parameters = stream.parameters
    dtype = {1: "u1", 2: "i2", 4: "i4"}[parameters.bytepix]
    found = parameters.imagecodecs(
        "rcomp_decode",
        stream.guarded(parameters.blocksize * 16 + 64),
        shape=(stream.count,),
        dtype=dtype,
        nblock=parameters.blocksize,
    )
    return _counted(stream, found)


def _hcompress_1(stream: Stream) -> npt.NDArray[Any]:
    parameters = stream.parameters
    known = stream.data.size >= HCOMPRESS_HEADER.size
    parameters.require(known, f"an HCOMPRESS tile of {stream.data.size} bytes")
    magic, nx, ny, _, _, *planes = HCOMPRESS_HEADER.unpack_from(stream.data)
    right = magic == HCOMPRESS_MAGIC and nx * ny == stream.count
    parameters.require(right, f"an HCOMPRESS tile of {nx} by {ny} for shape {stream.shape}")
    # of thinner tiles a quadrant is empty, and the decoder writes its root where nothing is
    parameters.require(min(nx, ny) >= HCOMPRESS_LEAST, f"an HCOMPRESS tile of {nx} by {ny}")
    parameters.require(stream.count <= HCOMPRESS_MAX_PIXELS, f"a tile of {stream.count} pixels")
    parameters.require(max(planes) <= HCOMPRESS_MAX_PLANES, f"{planes} planes of bits")
    smooth = bool(parameters.smooth)
    whole = stream.guarded(HCOMPRESS_GUARD)
    found = _counted(stream, parameters.imagecodecs("hcomp_decode", whole, smooth=smooth))
    # the decoder takes what is behind the end for zeros: of a whole stream, ones make no difference
    longer = np.pad(stream.data, (0, HCOMPRESS_GUARD), constant_values=0xFF)
    other = _counted(stream, parameters.imagecodecs("hcomp_decode", longer, smooth=smooth))
    parameters.require(np.array_equal(found, other), ENDED_EARLY)
    return found


def _plio_1(stream: Stream) -> npt.NDArray[Any]:
    parameters = stream.parameters
    words = stream.data[: stream.data.size // 2 * 2].view(">i2").astype("i2")
    parameters.require(words.size >= PLIO_HEADER_WORDS, f"a PLIO tile of {words.size} words")
    first, length = (3, int(words[2])) if words[2] > 0 else (int(words[1]), _long_length(words))
    fits = 0 <= first <= length <= words.size
    parameters.require(fits, f"a PLIO tile of {words.size} words that says {first} to {length}")
    found = parameters.imagecodecs("plio_decode", words.tobytes(), npix=stream.count)
    return _counted(stream, found)


def _long_length(words: npt.NDArray[np.int16]) -> int:
    """Return the words of a line list that are counted in two words of its header."""
    return (int(words[4]) << 15) + int(words[3])


def _counted(stream: Stream, found: Any) -> npt.NDArray[Any]:
    values = np.asarray(found).reshape(-1)
    right = values.size == stream.count
    stream.parameters.require(right, f"{values.size} pixels in a tile of {stream.count}")
    return values


DECODERS: dict[str, Callable[[Stream], npt.NDArray[Any]]] = {
    "GZIP_1": _gzip_1,
    "GZIP_2": _gzip_2,
    "HCOMPRESS_1": _hcompress_1,
    "NOCOMPRESS": _no_compress,
    "PLIO_1": _plio_1,
    "RICE_1": _rice_1,
    "RICE_ONE": _rice_1,
}
