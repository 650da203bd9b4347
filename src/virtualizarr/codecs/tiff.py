"""The strips and tiles of TIFF files, decoded to whole chunks of plain little-endian numbers.

Specification: TIFF revision 6.0 (sections 8 to 22) and its supplements; Technical Note 3 for the
floating point predictor. One codec does all that lies between the bytes of a strip or tile and its
samples: decompression, bit order, unpacking, predictor, byte order, plane order and padding.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, fields
from math import isfinite, prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.tiff_compression import DECOMPRESSORS, reversed_bits
from virtualizarr.codecs.tiff_images import IMAGE_DECODERS, Tables
from virtualizarr.codecs.tiff_samples import PREDICTORS, Sample, numbers, packed_numbers
from virtualizarr.codecs.zarr_base import ZarrTwin
from virtualizarr.errors import UnsupportedFeatureError

MAX_CHUNK_BYTES = 1 << 40


@dataclass(frozen=True)
class Tiff(ForeignCodec):
    """`shape`: rows, columns and samples of a chunk; `sample`: how one is stored, e.g. "uint12".

    `edge`: rows and columns of the last chunk of each axis, which may be stored without padding.
    `bits`: of each sample, where samples of a pixel differ (the 5, 6 and 5 of RGB565), else empty.
    `band_first`: decoded chunks hold band after band, not pixel after pixel.
    `tables`: as base64, the JPEGTables tag, or the header that an old-style JPEG strip lacks.
    `photometric`: the tag, for JPEG and what libtiff decodes; `options`: T4Options.
    `subsampling`, `luma`, `black_white`: the tags YCbCrSubSampling, YCbCrCoefficients and
    ReferenceBlackWhite, outside of JPEG. `event_bits`: of the skip, x and y of an EER event.
    """

    name: ClassVar[str] = "virtualizarr.tiff"
    shape: tuple[int, int, int]
    sample: str
    compression: str = "none"
    endian: str = "little"
    edge: tuple[int, int] = (0, 0)
    predictor: int = 1
    fill_order: int = 1
    band_first: bool = False
    bits: tuple[int, ...] = ()
    tables: str = ""
    photometric: int = -1
    options: int = 0
    subsampling: tuple[int, ...] = ()
    luma: tuple[float, ...] = ()
    black_white: tuple[float, ...] = ()
    event_bits: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.require_words("shape", 1, 1 << 32)
        self.require_words("edge", 0, 1 << 32)
        self.require_words("bits", 1, 32)
        self.require_words("subsampling", 1, 4)
        self.require_words("event_bits", 1, 16)
        known = all(map(_is_finite, (*self.luma, *self.black_white)))
        self.require(known, f"YCbCr colours of {self.luma} and {self.black_white}")
        counts = [len(some) for some in (self.subsampling, self.luma, self.black_white)]
        known = all(n in some for n, some in zip(counts, [(0, 2), (0, 3), (0, 6)], strict=True))
        self.require(known, f"the numbers of values of YCbCr are {counts}")
        self.require_integers(
            fill_order=(1, 2), photometric=(-1, 65535), options=(0, (1 << 32) - 1)
        )
        known = [len(axes) for axes in (self.shape, self.edge)] == [3, 2]
        self.require(known, f"shape {self.shape}, edge {self.edge}")
        kept = all(part <= whole for part, whole in zip(self.edge, self.shape, strict=False))
        self.require(kept, f"edge {self.edge} is larger than the chunk {self.shape}")
        self.require(self.endian in ("little", "big"), f"endian is {self.endian!r}")
        self.require(self.nbytes <= MAX_CHUNK_BYTES, f"a chunk of {self.shape} is too large")
        if self.compression not in DECOMPRESSORS.keys() | IMAGE_DECODERS.keys():
            raise UnsupportedFeatureError(f"TIFF compression {self.compression!r} is not read here")
        if self.predictor not in PREDICTORS:
            raise UnsupportedFeatureError(f"TIFF predictor {self.predictor!r} is not read here")
        packed = bool(self.bits) or not self.stored.is_whole
        if self.predictor != 1 and (packed or self.stored.bits > 64):
            raise UnsupportedFeatureError(
                f"TIFF predictor {self.predictor} over samples stored as {self.sample!r}"
            )

    def configuration(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, and the shape and sample."""
        usual = {field.name: field.default for field in fields(self)}
        every = super().configuration()
        return {key: every[key] for key in every if getattr(self, key) != usual[key]}

    @property
    def stored(self) -> Sample:
        """How a sample is stored; raises UnsupportedFeatureError for one that is not read."""
        return Sample.named(self.sample)

    @property
    def nbytes(self) -> int:
        """Bytes of a decoded chunk."""
        return prod(self.shape) * self.stored.dtype.itemsize

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        expected = self.nbytes
        self.require(nbytes in (None, expected), f"{expected} bytes for a chunk of {nbytes}")
        if self.compression in IMAGE_DECODERS:
            pixels = self._cropped(self._image(data))
        else:
            pixels = self._pixels(data)
        if pixels.shape != self.shape:
            whole = np.zeros(self.shape, pixels.dtype)
            whole[: pixels.shape[0], : pixels.shape[1]] = pixels
            pixels = whole
        if self.band_first:
            pixels = pixels.transpose(2, 0, 1)
        little = pixels.dtype.newbyteorder("<")
        return np.ascontiguousarray(pixels, little).reshape(-1).view(np.uint8)

    def _image(self, data: Octets) -> npt.NDArray[Any]:
        """Return what an image codec made of the chunk: rows, columns and samples."""
        try:
            tables = base64.b64decode(self.tables, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.corrupt("the JPEG tables are not base64") from error
        decoder = IMAGE_DECODERS[self.compression]
        image = decoder(self, data, self.shape, Tables(tables, self.photometric))
        wanted = self.stored.dtype
        if image.dtype != wanted:
            same_kind = image.dtype.kind in "bu" and wanted.kind == "u"
            smaller = image.dtype.itemsize <= wanted.itemsize
            self.require(same_kind and smaller, f"{image.dtype} decoded where {wanted} is declared")
            image = image.astype(wanted)
        if image.ndim == 2:
            image = image[:, :, np.newaxis]
        held = image.ndim == 3 and image.shape[2] == self.shape[2]
        self.require(held, f"an image of shape {image.shape} in a chunk of {self.shape}")
        return image

    def _cropped(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return an image without rows and columns that reach beyond the chunk."""
        for length, whole, edge in zip(image.shape[:2], self.shape[:2], self.edge, strict=True):
            enough = length >= whole or (edge and length >= edge)
            self.require(enough, f"an image of shape {image.shape} in a chunk of {self.shape}")
        return image[: self.shape[0], : self.shape[1]]

    def _pixels(self, data: Octets) -> npt.NDArray[Any]:
        """Return the samples of a chunk compressed as bytes: rows, columns and samples."""
        rows, columns, samples = self.shape
        if self.fill_order == 2:
            data = reversed_bits(data)
        pixel_bits = sum(self.bits) if self.bits else samples * self.stored.bits
        row_bytes = -(-columns * pixel_bits // 8)
        decompress = DECOMPRESSORS[self.compression]
        raw = decompress(self, data, rows * row_bytes)
        raw, count = self._whole_rows(raw, row_bytes)
        if self.bits:
            values = packed_numbers(self, raw, self.bits, self.endian)
        else:
            values = numbers(self, raw, (count, columns * samples), self.predictor)
        pixels = values.reshape(count, columns, samples)
        return PREDICTORS[self.predictor](pixels)

    def _whole_rows(self, raw: Octets, row_bytes: int) -> tuple[Octets, int]:
        """Return the bytes of whole rows and their number: all rows, or those of the last strip."""
        count = raw.size // row_bytes
        if count >= self.shape[0]:
            count = self.shape[0]
        elif not 0 < self.edge[0] == count:
            raise self.corrupt(
                f"{raw.size} bytes decoded, {self.shape[0]} rows of {row_bytes} bytes are declared"
            )
        return raw[: count * row_bytes], count


def _is_finite(number: object) -> bool:
    return isinstance(number, int | float) and isfinite(number)


class TiffCodec(ZarrTwin, of=Tiff):
    """Zarr v3 codec `virtualizarr.tiff`."""


class TiffNumcodec(NumcodecsTwin, of=Tiff):
    """numcodecs codec `virtualizarr.tiff`."""
