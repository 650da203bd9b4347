"""szip (extended Rice coding, CCSDS 121.0-B) as HDF4 stores it.

Since HDF 4.2r1 a stream begins with a byte that is 1 if the rest is not compressed, and the size of
the rest (4 bytes, big-endian); before, it was bare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from virtualizarr.codecs.base import Octets, capacity
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.szip import SzipStream
from virtualizarr.codecs.zarr_base import ZarrTwin

REVISION_2 = 0x10000
PREAMBLE = 5
MAX_BYTES = 1 << 40


@dataclass(frozen=True, kw_only=True)
class Hdf4Szip(SzipStream):
    """`length`: bytes that a stream holds once it is decoded; the rest as the file gives it."""

    name: ClassVar[str] = "virtualizarr.hdf4_szip"
    length: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_integers(length=(0, MAX_BYTES))

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        allowed = nbytes is None or self.length <= capacity(nbytes)
        self.require(allowed, f"{self.length} bytes for a chunk of {nbytes}")
        if self.options_mask & REVISION_2:
            self.require(data.size >= PREAMBLE, f"{data.size} bytes cannot hold a preamble")
            size = int.from_bytes(data[1:PREAMBLE].tobytes(), "big")
            stream = data[PREAMBLE : PREAMBLE + size]
            self.require(stream.size == size, "the chunk is too short")
            if data[0] == 1:
                self.require(size >= self.length, "the chunk is too short")
                return stream[: self.length]
        else:
            stream = data
        return self.stream(stream, self.length, self.options_mask & ~REVISION_2)


class Hdf4SzipCodec(ZarrTwin, of=Hdf4Szip):
    """Zarr v3 codec `virtualizarr.hdf4_szip`."""


class Hdf4SzipNumcodec(NumcodecsTwin, of=Hdf4Szip):
    """numcodecs codec `virtualizarr.hdf4_szip`."""
