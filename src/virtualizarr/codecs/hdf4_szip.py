"""szip (extended Rice coding, CCSDS 121.0-B) as HDF4 stores it.

Since HDF 4.2r1 a stream begins with a byte that is 1 if the rest is not compressed, and the size of
the rest (4 bytes, big-endian); before, it was bare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.szip import pixel_bytes
from virtualizarr.codecs.zarr_base import ZarrTwin

REVISION_2 = 0x10000
PREAMBLE = 5
MAX_BYTES = 1 << 40


@dataclass(frozen=True)
class Hdf4Szip(ForeignCodec):
    """`length`: bytes that a stream holds once it is decoded; the rest as the file gives it."""

    name: ClassVar[str] = "virtualizarr.hdf4_szip"
    length: int
    options_mask: int
    pixels_per_block: int
    bits_per_pixel: int
    pixels_per_scanline: int

    def __post_init__(self) -> None:
        self.require_integers(
            length=(0, MAX_BYTES),
            options_mask=(0, (1 << 32) - 1),
            pixels_per_block=(2, 32),
            bits_per_pixel=(1, 64),
            pixels_per_scanline=(1, 1 << 20),
        )
        self.require(self.pixels_per_block % 2 == 0, f"{self.pixels_per_block} pixels per block")

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
        lost = self.length % pixel_bytes(self.bits_per_pixel)
        self.require(lost == 0, f"the last {lost} of {self.length} bytes are no pixel")
        out = np.zeros(self.length, np.uint8)
        decoded = self.imagecodecs(
            "szip_decode",
            stream,
            self.options_mask & ~REVISION_2,
            self.pixels_per_block,
            self.bits_per_pixel,
            self.pixels_per_scanline,
            out=out.data,
        )
        self.require(len(decoded) == self.length, f"{len(decoded)} of {self.length} bytes decoded")
        return octets(decoded)


class Hdf4SzipCodec(ZarrTwin, of=Hdf4Szip):
    """Zarr v3 codec `virtualizarr.hdf4_szip`."""


class Hdf4SzipNumcodec(NumcodecsTwin, of=Hdf4Szip):
    """numcodecs codec `virtualizarr.hdf4_szip`."""
