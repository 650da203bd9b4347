"""Samples of any width, and predictors: from decompressed bytes to numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.errors import UnsupportedFeatureError

type Numbers = npt.NDArray[Any]

KINDS = {"uint": "u", "int": "i", "float": "f", "complex": "c", "complexint": "c"}
WHOLE = {
    "u": (8, 16, 32, 64),
    "i": (8, 16, 32, 64),
    "f": (16, 32, 64),
    "c": (64, 128),
}
HORIZONTAL, FLOATING_POINT = 2, 3
PACKINTS_BITS = 32
FLOAT24_BITS = 24


@dataclass(frozen=True, slots=True)
class Sample:
    """How one sample is stored: `name` is a kind ("uint", "complexint" ...) and its `bits`.

    `dtype` is the numpy dtype of the decoded sample. A complex integer has half of the bits for
    each part, and decodes to the complex floating point number that holds it exactly.
    """

    name: str
    kind: str
    bits: int
    dtype: np.dtype[Any]

    @classmethod
    @lru_cache(maxsize=256)
    def named(cls, name: str) -> Sample:
        """Return the sample of a name such as "uint12"; UnsupportedFeatureError if not read."""
        match = re.fullmatch(r"(uint|int|float|complexint|complex)([0-9]{1,3})", name)
        dtype = _decoded(match[1], int(match[2])) if match else None
        if match is None or dtype is None:
            raise UnsupportedFeatureError(f"TIFF samples stored as {name!r} are not read here")
        return cls(name, match[1], int(match[2]), dtype)

    @property
    def is_whole(self) -> bool:
        """Whether numpy has the stored form itself as a dtype."""
        return self.kind != "complexint" and self.bits in WHOLE[KINDS[self.kind]]

    @property
    def is_pair(self) -> bool:
        """Whether a sample is a complex number."""
        return KINDS[self.kind] == "c"


def _decoded(kind: str, bits: int) -> np.dtype[Any] | None:
    if kind in ("uint", "int") and 1 <= bits <= 64:
        width = next(width for width in WHOLE["u"] if bits <= width)
        return np.dtype(f"{kind}{width}")
    if kind == "float" and bits in (16, 24, 32, 64):
        return np.dtype(f"float{bits if bits != FLOAT24_BITS else 32}")
    if kind == "complex" and bits in WHOLE["c"]:
        return np.dtype(f"complex{bits}")
    if kind == "complexint" and bits in (32, 64):
        return np.dtype(f"complex{2 * bits}")
    return None


class Stored(Protocol):
    """What unpacking needs of the codec."""

    @property
    def stored(self) -> Sample: ...
    @property
    def endian(self) -> str: ...
    def imagecodecs(self, function: str, *args: Any, **options: Any) -> Any: ...


def numbers(codec: Stored, raw: Octets, shape: tuple[int, int], predictor: int) -> Numbers:
    """Return whole rows of stored samples as native numbers of shape (rows, samples of a row).

    For predictor 3 the bytes of floats stay in its order (Technical Note 3); for predictor 2
    complex numbers are words of 64 bits, as libtiff swaps them.
    """
    stored = codec.stored
    order: Literal["<", ">"] = "<" if codec.endian == "little" else ">"
    if predictor == FLOATING_POINT:
        return raw.view(stored.dtype).reshape(shape)
    if predictor == HORIZONTAL and stored.is_pair:
        words = raw.view(np.dtype(f"{order}u8")).astype(np.dtype("<u8"))
        return words.view(np.dtype("<c8")).astype(stored.dtype, copy=False).reshape(shape)
    if stored.is_whole:
        values = raw.view(stored.dtype.newbyteorder(order)).reshape(shape)
        return values.astype(stored.dtype, copy=True)
    if stored.kind == "complexint":
        parts = raw.view(np.dtype(f"{order}i{stored.bits // 16}"))
        half = np.dtype(f"f{stored.dtype.itemsize // 2}")
        return parts.astype(half).view(stored.dtype).reshape(shape)
    if stored.kind == "float":
        floats = codec.imagecodecs("float24_decode", raw.tobytes(), byteorder=order)
        return np.asarray(floats, np.float32).reshape(shape)
    return _sign_extended(_unpacked(codec, raw, shape), stored)


def _unpacked(codec: Stored, raw: Octets, shape: tuple[int, int]) -> Numbers:
    """Return unsigned integers of any width, highest bit first; each row begins at a byte."""
    rows, per_row = shape
    bits = codec.stored.bits
    unsigned = np.dtype(f"u{codec.stored.dtype.itemsize}")
    if bits == 1:
        return np.unpackbits(raw.reshape(rows, -1), axis=1)[:, :per_row].astype(unsigned)
    if bits <= PACKINTS_BITS:
        packed = codec.imagecodecs("packints_decode", raw.tobytes(), unsigned, bits, runlen=per_row)
        return np.array(packed, unsigned).reshape(shape)
    flags = np.unpackbits(raw.reshape(rows, -1), axis=1)[:, : per_row * bits]
    total = np.zeros(shape, unsigned)
    for flag in np.moveaxis(flags.reshape(rows, per_row, bits), 2, 0):
        total = (total << unsigned.type(1)) | flag
    return total


def _sign_extended(values: Numbers, stored: Sample) -> Numbers:
    if stored.kind != "int":
        return values
    shift = stored.dtype.type(stored.dtype.itemsize * 8 - stored.bits)
    signed: Numbers = (values.view(stored.dtype) << shift) >> shift
    return signed


def packed_numbers(codec: ForeignCodec, raw: Octets, bits: tuple[int, ...], endian: str) -> Numbers:
    """Return the uint8 samples of pixels that are packed into one word, as RGB565 is.

    Samples are scaled up to all values of a byte, by repeating their bits.
    """
    width = sum(bits)
    word = next((size for size in (8, 16, 32) if size == width), None)
    if word is None or max(bits) > 8:
        raise UnsupportedFeatureError(f"TIFF samples of {bits} bits in one pixel are not read here")
    codec.require(raw.size * 8 % word == 0, f"{raw.size} bytes are no whole pixels of {word} bits")
    order = "<" if endian == "little" else ">"
    words = raw.view(np.dtype(f"{order}u{word // 8}")).astype(np.uint32)
    samples = np.empty((words.size, len(bits)), np.uint8)
    for i, count in enumerate(bits):
        value = words >> np.uint32(sum(bits[i + 1 :])) & np.uint32((1 << count) - 1)
        repeated = (8 // count + 1) * count
        scale = ((1 << repeated) - 1) // ((1 << count) - 1)
        samples[:, i] = value * np.uint32(scale) >> np.uint32(repeated - 8)
    return samples


def _horizontal(pixels: Numbers) -> Numbers:
    """Undo Predictor 2: each sample is stored as its difference to the one in the column before.

    Differences are those of integers of the sample's width, also where samples are floats.
    """
    words = pixels.view(np.dtype(f"u{pixels.dtype.itemsize}"))
    return np.cumsum(words, axis=1, dtype=words.dtype).view(pixels.dtype)


def _floating_point(pixels: Numbers) -> Numbers:
    """Undo Predictor 3: per row, the bytes of a float lie apart, highest first, as differences.

    A complex number is one word, as tifffile writes it: the imaginary part is the higher half.
    """
    rows, columns, samples = pixels.shape
    itemsize = pixels.dtype.itemsize
    stored = pixels.view(np.uint8).reshape(rows, itemsize * columns, samples)
    planes = np.cumsum(stored, axis=1, dtype=np.uint8).reshape(rows, itemsize, columns * samples)
    words = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(np.dtype(f">u{itemsize}"))
    little = words.reshape(pixels.shape).astype(np.dtype(f"<u{itemsize}"))
    return little.view(pixels.dtype.newbyteorder("<")).astype(pixels.dtype, copy=False)


PREDICTORS: dict[int, Callable[[Numbers], Numbers]] = {
    1: lambda pixels: pixels,
    HORIZONTAL: _horizontal,
    FLOATING_POINT: _floating_point,
}
