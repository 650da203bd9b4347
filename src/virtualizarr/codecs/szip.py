"""szip (extended Rice coding, CCSDS 121.0-B), HDF5's filter 4.

A chunk is its uncompressed size (4 bytes, little-endian) and an szip stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, octets, output_limit
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

SIZE_BYTES = 4
MAX_RATIO = 1 << 15  # a run of zero blocks: 64 blocks of 32 pixels of 8 bytes in a few bits


def pixel_bytes(bits_per_pixel: int) -> int:
    """Return how many bytes a decoded pixel takes: 1, 2, 4 or 8. What is no whole one is lost."""
    return 1 << (-(-bits_per_pixel // 8) - 1).bit_length()


@dataclass(frozen=True, kw_only=True)
class SzipStream(ForeignCodec):
    """What an szip stream needs to be decoded; subclasses find the stream and its size."""

    options_mask: int
    pixels_per_block: int
    bits_per_pixel: int
    pixels_per_scanline: int

    def __post_init__(self) -> None:
        self.require_integers(
            options_mask=(0, (1 << 32) - 1),
            pixels_per_block=(2, 32),
            bits_per_pixel=(1, 64),
            pixels_per_scanline=(1, 1 << 20),
        )
        self.require(self.pixels_per_block % 2 == 0, f"{self.pixels_per_block} pixels per block")

    def stream(self, data: Octets, size: int, options_mask: int) -> Octets:
        """Return the `size` bytes that a bare stream holds."""
        lost = size % pixel_bytes(self.bits_per_pixel)
        self.require(lost == 0, f"the last {lost} of {size} bytes are no pixel: szip lost them")
        out = np.zeros(size, np.uint8)
        decoded = self.imagecodecs(
            "szip_decode",
            data,
            options_mask,
            self.pixels_per_block,
            self.bits_per_pixel,
            self.pixels_per_scanline,
            out=out.data,
        )
        self.require(len(decoded) == size, f"{len(decoded)} of {size} bytes decoded")
        return octets(decoded)


@dataclass(frozen=True, kw_only=True)
class Szip(SzipStream):
    """The four client data values of the filter, as libhdf5 stores them."""

    name: ClassVar[str] = "virtualizarr.szip"

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        self.require(data.size >= SIZE_BYTES, f"{data.size} bytes cannot hold a size")
        size = int.from_bytes(data[:SIZE_BYTES].tobytes(), "little")
        limit = output_limit(nbytes, data.size, MAX_RATIO)
        self.require(size <= limit, f"the header declares {size} bytes, at most {limit} fit")
        return self.stream(data[SIZE_BYTES:], size, self.options_mask)


class SzipCodec(ZarrTwin, of=Szip):
    """Zarr v3 codec `virtualizarr.szip`."""


class SzipNumcodec(NumcodecsTwin, of=Szip):
    """numcodecs codec `virtualizarr.szip`."""
