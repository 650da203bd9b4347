"""ZFP floating-point and integer arrays, HDF5's registered filter 32013 (H5Z-ZFP).

The filter keeps the ZFP header in its client data and only the stream in the chunk; a decoder wants
both in one bit stream. The header is 32 bits of magic, 52 bits of type and shape, and 12 or 64 bits
of mode (zfp 1.0, "Full headers").
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

MAGIC = b"zfp"
DTYPES = ("<i4", "<i8", "<f4", "<f8")
MAGIC_BITS, TYPE_BITS, RANK_BITS, SHAPE_BITS = 32, 2, 2, 48
SHORT_MODE_BITS, LONG_MODE_BITS = 12, 64
LONG_MODE = (1 << SHORT_MODE_BITS) - 1  # this short mode announces a long one
MODE_AT = MAGIC_BITS + TYPE_BITS + RANK_BITS + SHAPE_BITS
MAX_WORDS = 8
FIXED_RATE_MODES = 2048  # short modes below say bits per block, less 1
LONG_MINBITS_BITS = 15  # the first field of a long mode: bits per block at least, less 1
BLOCK_SIDE = 4
MAX_BLOCK_HEADER_BITS = 20  # a flag, an exponent of 11 bits, a precision of 7
WORD_BYTES = 8
UNKNOWN_SIZE_LIMIT = 1 << 31


@dataclass(frozen=True)
class Zfp(ForeignCodec):
    """`header`: the 32-bit words of the ZFP header, the filter's client data after the first.

    A ZFP stream has no end mark and no checksum: one that is cut short within the bits it may have
    decodes to other values.
    """

    name: ClassVar[str] = "virtualizarr.zfp"
    header: tuple[int, ...]

    def __post_init__(self) -> None:
        self.require_words("header", 0, (1 << 32) - 1)
        self.require(0 < len(self.header) <= MAX_WORDS, f"header has {len(self.header)} words")
        self.require(self._bits().to_bytes(MAX_WORDS * 4, "little")[:3] == MAGIC, "no ZFP header")
        self.require(len(self.header) * 32 >= self.header_bits(), "the ZFP header is cut short")

    def _bits(self) -> int:
        return int.from_bytes(
            b"".join(word.to_bytes(4, "little") for word in self.header), "little"
        )

    def _field(self, at: int, width: int) -> int:
        return (self._bits() >> at) & ((1 << width) - 1)

    def header_bits(self) -> int:
        """Return the length of the header in bits."""
        long = self._field(MODE_AT, SHORT_MODE_BITS) == LONG_MODE
        return MODE_AT + SHORT_MODE_BITS + (LONG_MODE_BITS - SHORT_MODE_BITS if long else 0)

    def dtype(self) -> np.dtype[np.generic]:
        """Return the element type, little-endian."""
        return np.dtype(DTYPES[self._field(MAGIC_BITS, TYPE_BITS)])

    def shape(self) -> tuple[int, ...]:
        """Return the shape of the encoded array, slowest axis first."""
        rank = self._field(MAGIC_BITS + TYPE_BITS, RANK_BITS) + 1
        width = SHAPE_BITS // rank
        at = MAGIC_BITS + TYPE_BITS + RANK_BITS
        return tuple(self._field(at + axis * width, width) + 1 for axis in reversed(range(rank)))

    def _block_bits(self) -> tuple[int, int]:
        """Return the fewest and the most bits that a block of 4**rank values takes."""
        mode = self._field(MODE_AT, SHORT_MODE_BITS)
        if mode == LONG_MODE:
            least = self._field(MODE_AT + SHORT_MODE_BITS, LONG_MINBITS_BITS) + 1
        else:
            least = mode + 1 if mode < FIXED_RATE_MODES else 1
        values = BLOCK_SIDE ** len(self.shape())
        natural = MAX_BLOCK_HEADER_BITS + values * (self.dtype().itemsize * 8 + 1)
        return least, max(least, natural)

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        size = prod(self.shape()) * self.dtype().itemsize
        limit = UNKNOWN_SIZE_LIMIT if nbytes is None else capacity(nbytes)
        self.require(size <= limit, f"the header declares {size} bytes, at most {limit} fit")
        least, most = self._block_bits()
        blocks = prod(-(-length // BLOCK_SIDE) for length in self.shape())
        self.require(blocks * least <= (data.size + WORD_BYTES) * 8, "the stream is cut short")
        # zfp does not know where its input ends; behind enough zeros it cannot read past it.
        padding = bytes((blocks * most + 7) // 8 + 2 * WORD_BYTES)
        out = np.empty(self.shape(), self.dtype())
        self.imagecodecs("zfp_decode", self._stream(data) + padding, out=out)
        return octets(out)

    def _stream(self, data: Octets) -> bytes:
        """Return header and chunk as one bit stream, least significant bit first."""
        length = self.header_bits()
        header = self._bits() & ((1 << length) - 1)
        if length % 8 == 0:
            return header.to_bytes(length // 8, "little") + data.tobytes()
        whole, odd = divmod(length, 8)
        shifted = np.zeros(data.size + 1, np.uint8)
        shifted[:-1] = data << odd
        shifted[1:] |= data >> (8 - odd)
        shifted[0] |= header >> (whole * 8)
        head = header & ((1 << whole * 8) - 1)
        return head.to_bytes(whole, "little") + shifted.tobytes()


class ZfpCodec(ZarrTwin, of=Zfp):
    """Zarr v3 codec `virtualizarr.zfp`."""


class ZfpNumcodec(NumcodecsTwin, of=Zfp):
    """numcodecs codec `virtualizarr.zfp`."""
