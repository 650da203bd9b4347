"""Deflate, applied to some chunks of an array more often than to others.

HDF5 may deflate a chunk twice, and leaves out the second time where it gains nothing. Its filter
mask tells; where that is lost (DMR++ documents of some years do not hold it), the bytes tell: what
a whole zlib stream with its check value lies in was deflated once more.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

MAX_TIMES = 32
UNKNOWN_SIZE_LIMIT = 1 << 31
HEADER_CHECK = 31  # a zlib header is a multiple of it (RFC 1950)


@dataclass(frozen=True)
class Inflate(ForeignCodec):
    """`times`: how often deflate was applied at most."""

    name: ClassVar[str] = "virtualizarr.inflate"
    times: int

    def __post_init__(self) -> None:
        self.require_integers(times=(1, MAX_TIMES))

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        limit = UNKNOWN_SIZE_LIMIT if nbytes is None else capacity(nbytes)
        found = self._inflated(data, limit)
        if found is None:
            raise self.corrupt("the chunk is no zlib stream, or holds too much")
        for _ in range(self.times - 1):
            once_more = self._inflated(found, limit) if _is_zlib(found) else None
            if once_more is None:
                break
            found = once_more
        return found

    def _inflated(self, data: Octets, limit: int) -> Octets | None:
        """Return what a zlib stream holds, None if the bytes are no whole one."""
        decoder = zlib.decompressobj()
        try:
            found = decoder.decompress(data.data, limit + 1)
        except zlib.error:
            return None
        return octets(found) if decoder.eof and len(found) <= limit else None

    def encode(self, data: Octets) -> Octets:
        for _ in range(self.times):
            data = octets(zlib.compress(data.data))
        return data


def _is_zlib(data: Octets) -> bool:
    return data.size >= 2 and (int(data[0]) << 8 | int(data[1])) % HEADER_CHECK == 0


class InflateCodec(ZarrTwin, of=Inflate):
    """Zarr v3 codec `virtualizarr.inflate`."""


class InflateNumcodec(NumcodecsTwin, of=Inflate):
    """numcodecs codec `virtualizarr.inflate`."""
