"""HDF5 integers that fill only some bits of their element, made into ordinary integers.

HDF5 integer types have a precision, a bit offset and a sign bit within the precision; libhdf5
shifts and sign-extends on reading. Zarr has no such types, so this codec does it (HDF5 File Format
Specification, IV.A.2.d, Fixed-Point Bit Field Description).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

ITEMSIZES = (1, 2, 4, 8)


@dataclass(frozen=True)
class Precision(ForeignCodec):
    """`itemsize` in bytes (1, 2, 4, 8), `endian` ("little", "big"), `precision` and `offset` in
    bits, `signed`. The decoded integers have the same size and byte order and use all bits.
    """

    name: ClassVar[str] = "virtualizarr.precision"
    itemsize: int
    endian: str
    precision: int
    offset: int
    signed: bool

    def __post_init__(self) -> None:
        self.require(self.itemsize in ITEMSIZES, f"itemsize is {self.itemsize!r}")
        self.require(self.endian in ("little", "big"), f"endian is {self.endian!r}")
        self.require_integers(precision=(1, self.itemsize * 8), offset=(0, self.itemsize * 8 - 1))
        self.require(isinstance(self.signed, bool), f"signed is {self.signed!r}")
        fits = self.precision + self.offset <= self.itemsize * 8
        self.require(fits, "precision and offset exceed the element")

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        whole = data.size % self.itemsize == 0 and (nbytes is None or data.size == nbytes)
        self.require(whole, f"{data.size} bytes are not the chunk's {self.itemsize} byte elements")
        order = "<" if self.endian == "little" else ">"
        kind = "i" if self.signed else "u"
        stored = np.frombuffer(data, f"{order}u{self.itemsize}")
        left = stored << (self.itemsize * 8 - self.precision - self.offset)
        right = left.astype(f"u{self.itemsize}").view(f"{kind}{self.itemsize}")
        values = right >> (self.itemsize * 8 - self.precision)
        return octets(values.astype(f"{order}{kind}{self.itemsize}"))


class PrecisionCodec(ZarrTwin, of=Precision):
    """Zarr v3 codec `virtualizarr.precision`."""


class PrecisionNumcodec(NumcodecsTwin, of=Precision):
    """numcodecs codec `virtualizarr.precision`."""
