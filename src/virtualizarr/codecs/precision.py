"""HDF5 integers of any size, and of fewer bits than their bytes hold, made into ordinary integers.

HDF5 integer types have a size in bytes, a precision, a bit offset and a sign bit within the
precision; libhdf5 shifts and sign-extends on reading. Zarr has no such types, so this codec does it
(HDF5 File Format Specification, IV.A.2.d, Fixed-Point Bit Field Description).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin, as_stored

MAX_ITEMSIZE = 8


@dataclass(frozen=True)
class Precision(ForeignCodec):
    """`itemsize` in bytes (1 to 8), `endian` ("little", "big"), `precision` and `offset` in bits,
    `signed`. The decoded integers have the same byte order, the next size there is (1, 2, 4 or 8
    bytes), and use all bits.
    """

    name: ClassVar[str] = "virtualizarr.precision"
    itemsize: int
    endian: str
    precision: int
    offset: int
    signed: bool

    def __post_init__(self) -> None:
        self.require_integers(itemsize=(1, MAX_ITEMSIZE))
        self.require(self.endian in ("little", "big"), f"endian is {self.endian!r}")
        self.require_integers(precision=(1, self.itemsize * 8), offset=(0, self.itemsize * 8 - 1))
        self.require(isinstance(self.signed, bool), f"signed is {self.signed!r}")
        fits = self.precision + self.offset <= self.itemsize * 8
        self.require(fits, "precision and offset exceed the element")

    @property
    def decoded_itemsize(self) -> int:
        """Bytes of a decoded integer."""
        return 1 << (self.itemsize - 1).bit_length()

    @property
    def decoded_dtype(self) -> np.dtype[Any]:
        """The dtype of decoded integers."""
        order, kind = "<" if self.endian == "little" else ">", "i" if self.signed else "u"
        return np.dtype(f"{order}{kind}{self.decoded_itemsize}")

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        elements, rest = divmod(data.size, self.itemsize)
        size = elements * self.decoded_itemsize
        whole = rest == 0 and (nbytes is None or size == nbytes)
        self.require(whole, f"{data.size} bytes are not the chunk's {self.itemsize} byte elements")
        dtype, bits = self.decoded_dtype, 8 * self.decoded_itemsize
        stored = self._widened(data, elements).view(dtype.str.replace("i", "u"))
        left = stored << (bits - self.precision - self.offset)
        right = left.astype(f"u{dtype.itemsize}").view(f"{dtype.kind}{dtype.itemsize}")
        values = right >> (bits - self.precision)
        return octets(values.astype(dtype))

    def _widened(self, data: Octets, elements: int) -> Octets:
        """Return the elements with zeros put before their highest byte, up to the decoded size."""
        width = self.decoded_itemsize
        if width == self.itemsize:
            return data
        wide = np.zeros((elements, width), np.uint8)
        place = (
            slice(self.itemsize) if self.endian == "little" else slice(width - self.itemsize, width)
        )
        wide[:, place] = data.reshape(elements, self.itemsize)
        return wide.reshape(-1)


class PrecisionCodec(ZarrTwin, of=Precision):
    """Zarr v3 codec `virtualizarr.precision`."""

    def resolve_metadata(self, chunk_spec: Any) -> Any:
        """Return what the codecs behind this one work on: elements of the size they are stored."""
        integer = self.foreign
        if not isinstance(integer, Precision) or integer.itemsize == integer.decoded_itemsize:
            return chunk_spec
        return as_stored(chunk_spec, integer.itemsize, integer.decoded_itemsize)


class PrecisionNumcodec(NumcodecsTwin, of=Precision):
    """numcodecs codec `virtualizarr.precision`."""
