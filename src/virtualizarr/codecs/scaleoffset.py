"""The scale-offset filter, HDF5's filter 6.

A chunk is: minbits (4 bytes), the size of minval (1 byte), minval (that many bytes), zeros up to
byte 21, all little-endian; then each element less minval in minbits bits, most significant first.
Floats were multiplied by 10**scale_factor and rounded first (D-scaling). With a fill value, the
largest stored number stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

HEADER_BYTES = 21
MINVAL_AT = 5
MAX_MINVAL_BYTES = 8
KINDS = ("i", "u", "f")
BLOCK_ELEMENTS = 1 << 16


@dataclass(frozen=True)
class ScaleOffset(ForeignCodec):
    """`kind` ("i", "u", "f"), `itemsize` in bytes, `endian` of the decoded elements,
    `scale_factor` (for integers the number of bits asked for, for floats decimal digits), and
    `fill_value`: the bytes of the fill value as hexadecimal digits, little-endian, or None.
    """

    name: ClassVar[str] = "virtualizarr.scaleoffset"
    kind: str
    itemsize: int
    endian: str
    scale_factor: int
    fill_value: str | None = None

    def __post_init__(self) -> None:
        self.require(self.kind in KINDS, f"kind is {self.kind!r}")
        sizes = (4, 8) if self.kind == "f" else (1, 2, 4, 8)
        self.require(self.itemsize in sizes, f"itemsize is {self.itemsize!r}")
        self.require(self.endian in ("little", "big"), f"endian is {self.endian!r}")
        self.require_integers(scale_factor=(-(1 << 31), (1 << 31) - 1))
        self.fill_bits()

    def fill_bits(self) -> int | None:
        """Return the fill value's bits as an unsigned integer, None where there is none."""
        if self.fill_value is None:
            return None
        try:
            bits = bytes.fromhex(self.fill_value)
        except (TypeError, ValueError) as error:
            raise self.corrupt(f"fill_value is {self.fill_value!r}") from error
        self.require(len(bits) == self.itemsize, f"fill_value has {len(bits)} bytes")
        return int.from_bytes(bits, "little")

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        if self.kind != "f" and self.scale_factor == self.itemsize * 8:
            return data
        self.require(data.size >= HEADER_BYTES, f"{data.size} bytes cannot hold a header")
        count = self.known_size(nbytes) // self.itemsize
        minbits = int.from_bytes(data[:4].tobytes(), "little")
        size = min(int(data[4]), MAX_MINVAL_BYTES)
        minval = int.from_bytes(data[MINVAL_AT : MINVAL_AT + size].tobytes(), "little")
        self.require(minbits <= self.itemsize * 8, f"minbits is {minbits}")
        packed = data[HEADER_BYTES:]
        enough = count * minbits <= packed.size * 8
        self.require(enough, f"the chunk is too short for {count} elements of {minbits} bits")
        if minbits == self.itemsize * 8:
            return self._ordered(packed[: count * self.itemsize].view(f"<u{self.itemsize}"))
        stored = unpacked(packed, minbits, count, self.itemsize)
        bits = self._restored_floats if self.kind == "f" else self._restored_integers
        return self._ordered(bits(stored, minbits, minval))

    def _restored_integers(
        self, stored: npt.NDArray[Any], minbits: int, minval: int
    ) -> npt.NDArray[Any]:
        mask = (1 << self.itemsize * 8) - 1
        values = stored + stored.dtype.type(minval & mask)
        return self._with_fill(values, stored, minbits)

    def _restored_floats(
        self, stored: npt.NDArray[Any], minbits: int, minval: int
    ) -> npt.NDArray[Any]:
        real = np.dtype(f"f{self.itemsize}")
        bits = np.array(minval & ((1 << self.itemsize * 8) - 1), stored.dtype)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            power = np.power(real.type(10), real.type(self.scale_factor))
            signed = stored.view(f"i{self.itemsize}")
            values = signed.astype(real) / power + bits.view(real)
        return self._with_fill(values.astype(real).view(stored.dtype), stored, minbits)

    def _with_fill(
        self, values: npt.NDArray[Any], stored: npt.NDArray[Any], minbits: int
    ) -> npt.NDArray[Any]:
        fill = self.fill_bits()
        if fill is None:
            return values
        code = stored.dtype.type((1 << minbits) - 1)
        return np.where(stored == code, stored.dtype.type(fill), values)

    def _ordered(self, values: npt.NDArray[Any]) -> Octets:
        order = "<" if self.endian == "little" else ">"
        return octets(values.astype(f"{order}u{self.itemsize}"))


def unpacked(packed: Octets, bits: int, count: int, itemsize: int) -> npt.NDArray[Any]:
    """Return `count` unsigned integers of `bits` bits each, packed most significant bit first.

    The result is 1-D, `itemsize` bytes per element. The bits are spread out a block of elements at
    a time, so that the memory in use does not exceed the result by more than a few MB.
    """
    if count > BLOCK_ELEMENTS:  # a multiple of 8, so each block starts on a byte
        parts = [
            unpacked(
                packed[start * bits // 8 :], bits, min(BLOCK_ELEMENTS, count - start), itemsize
            )
            for start in range(0, count, BLOCK_ELEMENTS)
        ]
        return np.concatenate(parts)
    if bits == 0:
        return np.zeros(count, f"u{itemsize}")
    full = np.zeros((count, itemsize * 8), np.uint8)
    spread = np.unpackbits(packed[: (count * bits + 7) // 8], count=count * bits)
    full[:, itemsize * 8 - bits :] = spread.reshape(count, bits)
    values: npt.NDArray[Any] = np.packbits(full, axis=1).view(f">u{itemsize}").reshape(-1)
    return values.astype(f"u{itemsize}")


class ScaleOffsetCodec(ZarrTwin, of=ScaleOffset):
    """Zarr v3 codec `virtualizarr.scaleoffset`."""


class ScaleOffsetNumcodec(NumcodecsTwin, of=ScaleOffset):
    """numcodecs codec `virtualizarr.scaleoffset`."""
