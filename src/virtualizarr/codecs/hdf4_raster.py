"""Raster images as HDF4's older interfaces (DFR8, DF24) store them, decoded pixel by pixel.

Specification: "HDF Specification and Developer's Guide", HDF 4.1r5, sections on raster images:
tags DFTAG_RLE, DFTAG_IMC, DFTAG_JPEG5 and DFTAG_GREYJPEG5, and the interlace of DFTAG_ID.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, octets
from virtualizarr.codecs.hdf4_rle import expanded
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.tiff_jpeg import frame_of
from virtualizarr.codecs.zarr_base import ZarrTwin
from virtualizarr.errors import CorruptFileError

PLAIN, RLE, IMCOMP, JPEG = "none", "rle", "imcomp", "jpeg"
METHODS = (PLAIN, RLE, IMCOMP, JPEG)
PIXEL, LINE, COMPONENT = 0, 1, 2
STORED_AXES = {PIXEL: (0, 1, 2), LINE: (0, 2, 1), COMPONENT: (2, 0, 1)}
"""Which of rows, columns and components each axis of the stored numbers is."""

BLOCK = 4
"""Rows, columns and bytes of a block of IMCOMP."""

MAX_BYTES = 1 << 34


@dataclass(frozen=True)
class Hdf4Raster(ForeignCodec):
    """`shape`: rows, columns and components; `itemsize`: bytes of one number.

    `method`: "none", "rle", "imcomp" or "jpeg"; the last two have numbers of one byte. `interlace`:
    how the numbers lie: 0 by pixel, 1 by line, 2 by component; those of JPEG always by pixel.
    """

    name: ClassVar[str] = "virtualizarr.hdf4_raster"
    shape: tuple[int, int, int]
    method: str
    interlace: int = PIXEL
    itemsize: int = 1

    def __post_init__(self) -> None:
        self.require_words("shape", 1, 1 << 31)
        self.require(len(self.shape) == 3, f"shape is {self.shape}")
        self.require(self.method in METHODS, f"method is {self.method!r}")
        self.require_integers(interlace=(PIXEL, COMPONENT), itemsize=(1, 8))
        bytes_alone = self.method in (PLAIN, RLE) or self.itemsize == 1
        self.require(bytes_alone, f"{self.method} of numbers of {self.itemsize} bytes")
        self.require(self.nbytes <= MAX_BYTES, f"an image of {self.shape} is too large")
        blocks = all(n % BLOCK == 0 for n in self.shape[:2]) and self.shape[2] == 1
        self.require(self.method != IMCOMP or blocks, f"IMCOMP of an image of {self.shape}")

    @property
    def nbytes(self) -> int:
        """Bytes of a decoded image."""
        return prod(self.shape) * self.itemsize

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        self.require(nbytes in (None, self.nbytes), f"{self.nbytes} bytes for a chunk of {nbytes}")
        if self.method == JPEG:
            return self._jpeg(data)
        if self.method == IMCOMP:
            return self._imcomp(data)
        if self.method == RLE:
            data = expanded(self, data, self.nbytes, min_run=0, min_mix=0)
        self.require(data.size >= self.nbytes, f"{data.size} of {self.nbytes} bytes")
        axes = STORED_AXES[self.interlace]
        stored = data[: self.nbytes].reshape(*(self.shape[axis] for axis in axes), self.itemsize)
        return octets(np.ascontiguousarray(stored.transpose(*np.argsort(axes), 3)))

    def _imcomp(self, data: Octets) -> Octets:
        """Blocks of 4 x 4 pixels: a bit for each, and the two values that these choose from."""
        rows, columns, _ = self.shape
        size = rows * columns // BLOCK
        self.require(data.size >= size, f"{data.size} of {size} bytes")
        down, across = rows // BLOCK, columns // BLOCK
        blocks = data[:size].reshape(down, across, BLOCK)
        bits = np.unpackbits(blocks[..., :2], axis=2).reshape(down, across, BLOCK, BLOCK)
        high, low = blocks[..., 2, None, None], blocks[..., 3, None, None]
        return octets(np.ascontiguousarray(np.where(bits, high, low).transpose(0, 2, 1, 3)))

    def _jpeg(self, data: Octets) -> Octets:
        stream = data.tobytes()
        try:
            frame = frame_of(stream)
        except CorruptFileError as error:
            raise self.corrupt(str(error.reason)) from error
        found = None if frame is None else (frame.rows, frame.columns, frame.components)
        self.require(found == self.shape, f"a picture of {found} in an image of {self.shape}")
        image = np.asarray(self.imagecodecs("jpeg8_decode", stream))
        self.require(image.dtype == np.uint8, f"a picture of {image.dtype}")
        self.require(image.size == self.nbytes, f"a picture of {image.shape}")
        return octets(image)


class Hdf4RasterCodec(ZarrTwin, of=Hdf4Raster):
    """Zarr v3 codec `virtualizarr.hdf4_raster`."""


class Hdf4RasterNumcodec(NumcodecsTwin, of=Hdf4Raster):
    """numcodecs codec `virtualizarr.hdf4_raster`."""
