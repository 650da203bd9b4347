"""HDF4's coder N-bit: of each number only a field of bits is stored, one field after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

MAX_BYTES = 1 << 40
BLOCK_BITS = 1 << 22  # bits that are unpacked to bytes at one time


@dataclass(frozen=True)
class Hdf4Nbit(ForeignCodec):
    """`length`: bytes that a stream holds once it is decoded, in numbers of `size` bytes.

    `start_bit`: the field's highest bit, 0 being a number's lowest; `bit_len`: bits in the field.
    Other bits are `fill` (0 or 1); with `sign_ext` those above the field are as its highest bit.
    """

    name: ClassVar[str] = "virtualizarr.hdf4_nbit"
    length: int
    size: int
    start_bit: int
    bit_len: int
    sign_ext: bool = False
    fill: int = 0

    def __post_init__(self) -> None:
        self.require_integers(
            length=(0, MAX_BYTES), size=(1, 8), start_bit=(0, 63), bit_len=(1, 64), fill=(0, 1)
        )
        inside = self.start_bit < self.size * 8 and self.bit_len <= self.start_bit + 1
        self.require(inside, f"bits {self.start_bit} and {self.bit_len} below of {self.size} bytes")
        self.require(self.length % self.size == 0, f"{self.length} bytes of {self.size} each")
        self.require(isinstance(self.sign_ext, bool), f"sign_ext is {self.sign_ext!r}")

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        allowed = nbytes is None or self.length <= capacity(nbytes)
        self.require(allowed, f"{self.length} bytes for a chunk of {nbytes}")
        count = self.length // self.size
        self.require(count * self.bit_len <= data.size * 8, "the chunk is too short")
        out = np.empty((count, self.size), np.uint8)
        first = self.size * 8 - 1 - self.start_bit
        # A whole number of 8 fields starts each block on a byte.
        step = max(BLOCK_BITS // (self.size * 8) // 8 * 8, 8)
        for start in range(0, count, step):
            block = out[start : start + step]
            stop_bit = (start + len(block)) * self.bit_len
            stored = data[start * self.bit_len // 8 : (stop_bit + 7) // 8]
            bits = np.unpackbits(stored, count=len(block) * self.bit_len)
            field = bits.reshape(len(block), self.bit_len)
            full = np.full((len(block), self.size * 8), self.fill, np.uint8)
            full[:, first : first + self.bit_len] = field
            if self.sign_ext:
                full[:, :first] = field[:, :1]
            block[:] = np.packbits(full, axis=1)
        return out.reshape(-1)


class Hdf4NbitCodec(ZarrTwin, of=Hdf4Nbit):
    """Zarr v3 codec `virtualizarr.hdf4_nbit`."""


class Hdf4NbitNumcodec(NumcodecsTwin, of=Hdf4Nbit):
    """numcodecs codec `virtualizarr.hdf4_nbit`."""
