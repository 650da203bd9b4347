"""One column of a table of fixed-size rows, as FITS (and its like) lays tables out.

A chunk is a block of whole rows; the codec picks one field of every row and turns it into numbers
or text that numpy can hold. Specification: FITS standard 4.0, sections 7.2 (ASCII tables) and 7.3
(binary tables). An image in which unsigned integers are stored with an offset (section 5.2.5) is a
table whose rows are pixels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

COPY, FLIP, TEXT, LOGICAL, BITS = "copy", "flip", "text", "logical", "bits"
INTEGER, REAL, COMPLEX = "integer", "real", "complex"
MAX_ROW_BYTES = 1 << 40
MAX_DECIMALS = 300
EXPONENT = re.compile(rb"([0-9.])(?=[+-])")
BLANK, NUL, TRUE = ord(" "), 0, ord("T")


@dataclass(frozen=True)
class Field(ForeignCodec):
    """`row_bytes`: bytes of a row; `offset` and `width`: where the field lies in it.

    `kind` says what becomes of a field. "copy": its bytes. "flip": integers of `size` bytes, big-
    endian, whose first bit is turned over (unsigned integers stored with an offset, or the other
    way round). "text": texts of `size` bytes, which end at their first NUL and lose blanks at their
    end. "logical": 1 for each "T", else 0. "bits": its first `size` bits, most significant first,
    a byte for each. "integer" and "real": a decimal number as text, to a big-endian integer or
    IEEE number of `size` bytes; a blank field, or one that reads as `null`, becomes 0 or NaN. A
    "real" without a decimal point has it before its last `decimals` digits.
    "complex": big-endian complex numbers of `size` bytes, times `scale`, plus `zero` (which CF
    attributes cannot say of complex numbers). With `pad`, rows that a chunk lacks at its end are
    filled with zero bytes; else such a chunk is refused.
    """

    name: ClassVar[str] = "virtualizarr.field"
    row_bytes: int
    offset: int
    width: int
    kind: str = COPY
    size: int = 1
    null: str | None = None
    scale: float = 1.0
    zero: float = 0.0
    pad: bool = False
    decimals: int = 0

    def __post_init__(self) -> None:
        self.require_integers(
            row_bytes=(1, MAX_ROW_BYTES), offset=(0, MAX_ROW_BYTES), width=(1, MAX_ROW_BYTES)
        )
        self.require_integers(size=(1, MAX_ROW_BYTES), decimals=(0, MAX_DECIMALS))
        self.require(self.kind in DECODERS, f"kind is {self.kind!r}")
        self.require(self.null is None or isinstance(self.null, str), f"null is {self.null!r}")
        numbers = all(isinstance(n, int | float) for n in (self.scale, self.zero))
        self.require(numbers, f"scale is {self.scale!r}, zero {self.zero!r}")
        self.require(isinstance(self.pad, bool), f"pad is {self.pad!r}")
        inside = self.offset + self.width <= self.row_bytes
        self.require(inside, f"the field leaves the row of {self.row_bytes} bytes")
        self.require(SIZES[self.kind](self), f"size is {self.size}, the width {self.width}")

    @property
    def decoded_width(self) -> int:
        """Bytes of the decoded field of one row."""
        return self.size if self.kind in (BITS, INTEGER, REAL) else self.width

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        rows, rest = divmod(data.size, self.row_bytes)
        self.require(rest == 0, f"{data.size} bytes are no whole rows of {self.row_bytes}")
        size = rows * self.decoded_width
        fits = nbytes is None or size == nbytes or (self.pad and size < nbytes)
        self.require(fits, f"{size} bytes for a chunk of {nbytes}")
        columns = slice(self.offset, self.offset + self.width)
        fields = np.ascontiguousarray(data.reshape(rows, self.row_bytes)[:, columns])
        found = octets(DECODERS[self.kind](self, fields))
        if nbytes is None or size == nbytes:
            return found
        out = np.zeros(nbytes, np.uint8)
        out[:size] = found
        return out

    def encode(self, data: Octets) -> Octets:
        if self.row_bytes != self.width or self.kind not in (COPY, FLIP):
            return super().encode(data)
        return octets(DECODERS[self.kind](self, data.reshape(-1, self.width)))


def _copied(codec: Field, fields: Octets) -> npt.NDArray[Any]:
    del codec
    return fields


def _flipped(codec: Field, fields: Octets) -> npt.NDArray[Any]:
    out = fields.reshape(-1, codec.size).copy()
    out[:, 0] ^= 0x80
    return out


def _text(codec: Field, fields: Octets) -> npt.NDArray[Any]:
    texts = fields.reshape(-1, codec.size)
    ended = np.logical_or.accumulate(texts == NUL, axis=1)
    shown = np.where(ended, np.uint8(BLANK), texts)
    behind = np.logical_and.accumulate((shown == BLANK)[:, ::-1], axis=1)[:, ::-1]
    found: npt.NDArray[Any] = np.where(behind, np.uint8(NUL), shown)
    return found


def _logical(codec: Field, fields: Octets) -> npt.NDArray[Any]:
    del codec
    return np.equal(fields, TRUE)


def _bits(codec: Field, fields: Octets) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = np.unpackbits(fields, axis=1, count=codec.size)
    return found


def _numbers(codec: Field, fields: Octets, null: bytes) -> npt.NDArray[Any]:
    """Return the fields as texts without blanks, with `null` for those that hold no value.

    Blanks within numbers (`- 23`) mean nothing, as in Fortran; CFITSIO reads them so too.
    """
    texts = np.char.strip(np.where(fields == NUL, np.uint8(BLANK), fields).view(f"S{codec.width}"))
    empty = texts == b""
    if codec.null is not None:
        empty |= texts == codec.null.strip().encode("latin-1", "replace")[: codec.width].strip()
    filled: npt.NDArray[Any] = np.where(empty, null, np.char.replace(texts, b" ", b""))
    return filled


def _integers(codec: Field, fields: Octets) -> npt.NDArray[Any]:
    texts = _numbers(codec, fields, b"0")
    try:
        return texts.astype("i8").astype(f">i{codec.size}", casting="unsafe")
    except (ValueError, OverflowError) as error:
        raise codec.corrupt(f"a field holds no integer: {error}") from error


def _reals(codec: Field, fields: Octets) -> npt.NDArray[Any]:
    texts = np.char.replace(np.char.upper(_numbers(codec, fields, b"NAN")), b"D", b"E")
    try:
        values = _parsed(texts)
    except ValueError as error:
        raise codec.corrupt(f"a field holds no number: {error}") from error
    if codec.decimals:
        implicit = np.char.find(texts, b".") < 0
        values[implicit] /= 10.0**codec.decimals
    return values.astype(f">f{codec.size}")


def _parsed(texts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return numbers, whose exponents may have a sign only (`1.5-3`); ValueError for others."""
    try:
        return texts.astype("f8")
    except ValueError:
        written = [EXPONENT.sub(rb"\1E", text) for text in texts.flat]
        return np.array(written, "S").astype("f8").reshape(texts.shape)


def _scaled(codec: Field, fields: Octets) -> npt.NDArray[Any]:
    stored = fields.reshape(-1).view(f">c{codec.size}")
    with np.errstate(over="ignore", invalid="ignore"):
        values = stored.astype("c16") * codec.scale + codec.zero
        return values.astype(f">c{codec.size}")


DECODERS: dict[str, Callable[[Field, Octets], npt.NDArray[Any]]] = {
    COPY: _copied,
    FLIP: _flipped,
    TEXT: _text,
    LOGICAL: _logical,
    BITS: _bits,
    INTEGER: _integers,
    REAL: _reals,
    COMPLEX: _scaled,
}

SIZES: dict[str, Callable[[Field], bool]] = {
    COPY: lambda _: True,
    FLIP: lambda codec: codec.size <= 8 and codec.width % codec.size == 0,
    TEXT: lambda codec: codec.width % codec.size == 0,
    LOGICAL: lambda _: True,
    BITS: lambda codec: codec.width * 8 - 8 < codec.size <= codec.width * 8,
    INTEGER: lambda codec: codec.size in (2, 4, 8),
    REAL: lambda codec: codec.size in (4, 8),
    COMPLEX: lambda codec: codec.size in (8, 16) and codec.width % codec.size == 0,
}
"""Whether `size` fits the kind and the width."""


class FieldCodec(ZarrTwin, of=Field):
    """Zarr v3 codec `virtualizarr.field`."""


class FieldNumcodec(NumcodecsTwin, of=Field):
    """numcodecs codec `virtualizarr.field`."""
