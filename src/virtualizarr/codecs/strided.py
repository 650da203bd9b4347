"""Numbers at even distances in a run of bytes, as raw rasters and volumes store them.

Bands interleaved by pixel or line, axes in Fortran order, bytes before and after each line, samples
of a few bits and the floating point numbers of the VAX become whole chunks in C order. Formats of
the VAX: "VAX Architecture Reference Manual", chapter 1 (F_, D_ and G_floating).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from zarr.dtype import RawBytes

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin, chunk_nbytes

MAX_BYTES = 1 << 40
UNKNOWN_SIZE_LIMIT = 1 << 31
VAX_F, VAX_D, VAX_G = "vax_f", "vax_d", "vax_g"


@dataclass(frozen=True)
class Strided(ForeignCodec):
    """`shape`: elements of a chunk along each axis; `strides`: how far neighbours lie apart.

    `itemsize` is the size of a decoded element in bytes. Strides and `start`, where the first
    element lies, are in bytes; with `bits` (the width of an element, highest bit first) they are in
    bits, and an element decodes to one byte. A stride may be negative. `edge` is the shape of the
    last chunk of the axes, which may be stored without what lies beyond the array; () where all
    are whole. `form` names floating point numbers of the VAX, which come out little-endian.
    """

    name: ClassVar[str] = "virtualizarr.strided"
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int
    start: int = 0
    edge: tuple[int, ...] = ()
    bits: int = 0
    form: str = ""

    def __post_init__(self) -> None:
        self.require_words("shape", 1, MAX_BYTES)
        self.require_words("strides", -MAX_BYTES, MAX_BYTES)
        self.require_words("edge", 1, MAX_BYTES)
        self.require_integers(itemsize=(1, MAX_BYTES), start=(0, 8 * MAX_BYTES), bits=(0, 7))
        axes = {
            len(self.shape),
            len(self.strides),
            len(self.edge) if self.edge else len(self.shape),
        }
        self.require(len(axes) == 1, f"shape {self.shape}, strides {self.strides}, {self.edge}")
        kept = all(part <= whole for part, whole in zip(self.edge, self.shape, strict=False))
        self.require(kept, f"edge {self.edge} is larger than the chunk {self.shape}")
        self.require(self.nbytes <= MAX_BYTES, f"a chunk of {self.shape} is too large")
        self.require(self.form == "" or self.form in FORMS, f"form is {self.form!r}")
        if self.form in FORMS:
            fits = self.itemsize in FORMS[self.form].sizes and not self.bits
            self.require(fits, f"form {self.form} of {self.itemsize} bytes")
        self.require(not self.bits or self.itemsize == 1, f"{self.bits} bits in {self.itemsize}")
        unit = self.bits if self.bits else self.itemsize
        apart = are_apart(self.shape, self.strides, unit)
        self.require(apart, f"elements at strides {self.strides} of {self.shape} overlap")

    def configuration(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults."""
        usual = {field.name: field.default for field in fields(self)}
        every = super().configuration()
        return {key: every[key] for key in every if getattr(self, key) != usual[key]}

    @property
    def nbytes(self) -> int:
        """Bytes of a decoded chunk."""
        return prod(self.shape) * self.itemsize

    def stored_bytes(self, shape: Sequence[int]) -> int:
        """Return the bytes from the beginning of a chunk to the end of its last element."""
        unit = self.bits if self.bits else self.itemsize
        end = self.start + reach(shape, self.strides)[1] + unit
        return -(-end // 8) if self.bits else end

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        limit = UNKNOWN_SIZE_LIMIT if nbytes is None else nbytes
        fits = self.nbytes <= limit and nbytes in (None, self.nbytes)
        self.require(fits, f"{self.nbytes} bytes for a chunk of {nbytes}")
        lengths = self._lengths(data.size)
        before = reach(lengths, self.strides)[0]
        self.require(self.start + before >= 0, "elements before the first byte")
        found = self._elements(data, lengths)
        if self.form:
            found = FORMS[self.form].decode(found)
        if lengths != self.shape:
            whole = np.zeros((*self.shape, self.itemsize), np.uint8)
            whole[tuple(map(slice, lengths))] = found
            found = whole
        return np.ascontiguousarray(found).reshape(-1)

    def _lengths(self, size: int) -> tuple[int, ...]:
        """Return the shape of a chunk stored in so many bytes: whole, or that of the last one."""
        for lengths in (self.shape, self.edge):
            if lengths and size >= self.stored_bytes(lengths):
                return lengths
        if not self.shape and size >= self.stored_bytes(()):
            return ()
        raise self.corrupt(f"{size} bytes, a chunk of {self.shape} needs more")

    def _elements(self, data: Octets, lengths: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """Return the elements as bytes, with a last axis for those of one element."""
        unit = self.bits if self.bits else self.itemsize
        source = np.unpackbits(data) if self.bits else np.ascontiguousarray(data)
        view = np.lib.stride_tricks.as_strided(
            source[self.start :], (*lengths, unit), (*self.strides, 1), writeable=False
        )
        if not self.bits:
            return view
        weights = np.left_shift(1, np.arange(self.bits, dtype=np.uint8)[::-1]).astype(np.uint8)
        return (view @ weights)[..., np.newaxis]


def are_apart(shape: Sequence[int], strides: Sequence[int], unit: int) -> bool:
    """Say whether elements of size `unit` at these strides are nested runs without overlap."""
    axes = sorted((abs(s), n) for n, s in zip(shape, strides, strict=True) if n > 1)
    span = unit
    for stride, count in axes:
        if stride < span:
            return False
        span = stride * (count - 1) + span
    return True


def reach(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Return how far elements lie before (at most 0) and behind the first one."""
    ends = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
    return sum(end for end in ends if end < 0), sum(end for end in ends if end > 0)


@dataclass(frozen=True, slots=True)
class Form:
    """A floating point format: its sizes in bytes (several for complex numbers), its decoder."""

    sizes: tuple[int, ...]
    decode: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]


def _words(stored: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint64]:
    """Return VAX numbers as integers: their 16-bit words are stored highest first."""
    words = np.ascontiguousarray(stored).view("<u2").astype(np.uint64)
    words = words.reshape(*words.shape[:-1], -1, size // 2)
    total = np.zeros(words.shape[:-1], np.uint64)
    for word in np.moveaxis(words, -1, 0):
        total = (total << np.uint64(16)) | word
    return total


def _ieee(
    bits: npt.NDArray[np.uint64], exponent_bits: int, fraction_bits: int, dtype: str
) -> npt.NDArray[np.uint8]:
    """Return numbers as IEEE bytes; those of exponent 0 are 0, or NaN where the sign is set.

    The value is `0.1fraction * 2 ** (exponent - bias)`, the bias being half of the exponents.
    """
    fraction = bits & np.uint64((1 << fraction_bits) - 1)
    exponent = (bits >> np.uint64(fraction_bits)) & np.uint64((1 << exponent_bits) - 1)
    negative = (bits >> np.uint64(fraction_bits + exponent_bits)) & np.uint64(1)
    bias = 1 << (exponent_bits - 1)
    mantissa = (fraction | np.uint64(1 << fraction_bits)).astype("f8")
    values = np.ldexp(mantissa, exponent.astype(np.int32) - (bias + fraction_bits + 1))
    values = np.where(negative == 1, -values, values)
    values = np.where(exponent == 0, np.where(negative == 1, np.nan, 0.0), values)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values.astype(dtype)).view(np.uint8)


def _vax(size: int, exponent_bits: int) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]:
    fraction_bits = size * 8 - exponent_bits - 1

    def decode(stored: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return _ieee(_words(stored, size), exponent_bits, fraction_bits, f"<f{size}")

    return decode


FORMS: Mapping[str, Form] = {
    VAX_F: Form((4, 8), _vax(4, 8)),
    VAX_D: Form((8, 16), _vax(8, 8)),
    VAX_G: Form((8, 16), _vax(8, 11)),
}


class StridedCodec(ZarrTwin, of=Strided):
    """Zarr v3 codec `virtualizarr.strided`."""

    def resolve_metadata(self, chunk_spec: Any) -> Any:
        """Return what the codecs behind this one work on: the bytes of a whole chunk as stored."""
        strided = self.foreign
        if chunk_nbytes(chunk_spec) is None or not isinstance(strided, Strided):
            return chunk_spec
        stored = RawBytes(length=strided.stored_bytes(strided.shape))
        return replace(chunk_spec, shape=(1,), dtype=stored, fill_value=stored.default_scalar())


class StridedNumcodec(NumcodecsTwin, of=Strided):
    """numcodecs codec `virtualizarr.strided`."""
