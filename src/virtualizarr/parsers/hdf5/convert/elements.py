"""Datatypes: how a stored HDF5 element becomes a Zarr element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec
from virtualizarr.codecs.record import COPY, CUT, STRIP, SWAP, Record
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.dtypes import STRING, endian_of
from virtualizarr.model.metadata import CodecJson
from virtualizarr.parsers.hdf5.convert.members import spread
from virtualizarr.parsers.hdf5.convert.text import readable
from virtualizarr.parsers.hdf5.integers import unusual_integer
from virtualizarr.parsers.hdf5.layout_datatype import (
    Array,
    Bitfield,
    Complex,
    Compound,
    Datatype,
    Enumerated,
    FixedPoint,
    FloatingPoint,
    Member,
    Opaque,
    Padding,
    Reference,
    String,
    Time,
    VariableLength,
)

type Piece = tuple[int, int, int, str]

COMPLEX_NAMES = (("r", "i"), ("re", "im"), ("real", "imag"), ("real", "imaginary"))
"""Names of two members by which a compound is known for a complex number."""

NUMPY_TAG = "NUMPY:"


@dataclass(frozen=True, slots=True)
class Element:
    """One element as Zarr sees it.

    `dtype` is the numpy dtype, byte order and all, of what `foreign` makes of the stored bytes
    (`StringDType` for what is kept as text); `axes` are the axes of an array datatype, which become
    trailing axes of the Zarr array. `foreign` are our codecs for what libhdf5 would convert on
    reading, in the order they decode.
    """

    dtype: np.dtype[Any]
    axes: tuple[int, ...] = ()
    foreign: tuple[ForeignCodec, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether chunks hold only what leads to the values, which are kept inline as text."""
        return self.dtype.kind == "T"

    @property
    def codecs(self) -> tuple[CodecJson, ...]:
        """The Zarr codecs that stand behind `bytes`, in the order they encode."""
        return tuple(
            {"name": codec.name, "configuration": codec.configuration()}
            for codec in reversed(self.foreign)
        )

    def values(self, stored: bytes) -> npt.NDArray[Any]:
        """Decode whole elements, 1-D; the axes of array elements are not restored."""
        data = np.frombuffer(stored, np.uint8)
        for codec in self.foreign:
            data = codec.decode(data, None)
        return np.frombuffer(data, self.dtype)


@lru_cache(maxsize=1024)
def element_of(datatype: Datatype) -> Element:
    """Return the Zarr element of a datatype.

    Bitfields become unsigned integers, enumerations their integers (h5py's FALSE/TRUE bool), opaque
    data raw bytes, pairs of floats named `r` and `i` complex numbers, fixed strings numpy's `S`
    without their padding, arrays in compounds a member for each element, references to objects the
    objects' paths. Raises UnsupportedFeatureError naming what Zarr cannot hold.
    """
    if isinstance(datatype, Array):
        inner = element_of(datatype.base)
        return Element(inner.dtype, datatype.shape + inner.axes, inner.foreign)
    convert = _CONVERT.get(type(datatype))
    if convert is None:
        raise UnsupportedFeatureError(f"elements of type {describe(datatype)}")
    return convert(datatype)


def _plain(datatype: Datatype) -> Element:
    dtype = datatype.numpy_dtype()
    if dtype is None:
        raise UnsupportedFeatureError(f"elements of type {describe(datatype)}")
    return Element(dtype)


def _integer(datatype: FixedPoint | Bitfield) -> Element:
    if datatype.numpy_dtype() is not None:
        return _plain(datatype)
    codec = unusual_integer(datatype)
    if codec is None:
        raise UnsupportedFeatureError(f"elements of type {describe(datatype)}")
    return Element(codec.decoded_dtype, foreign=(codec,))


def _string(datatype: String) -> Element:
    dtype = np.dtype(f"S{datatype.size}")
    if datatype.padding is Padding.NULL_PAD or (
        datatype.padding is Padding.NULL_TERMINATE and datatype.size == 1
    ):
        return Element(dtype)
    kind = CUT if datatype.padding is Padding.NULL_TERMINATE else STRIP
    return Element(dtype, foreign=(Record(datatype.size, ((0, datatype.size, 1, kind),)),))


def _opaque(datatype: Opaque) -> Element:
    """Keep bytes as they are, but for the numpy types that h5py stores so and names in the tag."""
    if datatype.tag.startswith(NUMPY_TAG):
        try:
            dtype = np.dtype(datatype.tag.removeprefix(NUMPY_TAG))
        except TypeError:
            return _plain(datatype)
        if dtype.kind in "mMSU" and dtype.itemsize == datatype.size:
            return Element(dtype)
    return _plain(datatype)


def _enumerated(datatype: Enumerated) -> Element:
    return Element(np.dtype(np.bool_)) if datatype.is_boolean else element_of(datatype.base)


def _variable_length(datatype: VariableLength) -> Element:
    if not datatype.is_string:
        raise UnsupportedFeatureError(
            f"variable-length sequences of {describe(datatype.base)}: Zarr has no ragged arrays"
        )
    return Element(STRING)


def _reference(datatype: Reference) -> Element:
    """Show a reference to an object as the path of the object."""
    if datatype.numpy_dtype() is None:
        raise UnsupportedFeatureError(f"elements of type {datatype.describe()}")
    return Element(STRING)


def _compound(datatype: Compound) -> Element:
    pair = pair_as_complex(datatype)
    if pair is not None:
        return Element(pair)
    datatype = spread(datatype)
    members = [(readable(member.name), _member(member)) for member in datatype.members]
    if not members:
        raise UnsupportedFeatureError("compounds without members")
    stored = np.dtype([(name, element.dtype) for name, element in members])
    if _same_layout(stored, datatype.numpy_dtype()) and not any(
        element.foreign for _, element in members
    ):
        try:
            endian_of(stored)
        except UnsupportedFeatureError:  # members of both byte orders
            pass
        else:
            return Element(stored)
    record = Record(datatype.size, _merged(_pieces(datatype, 0)))
    return Element(stored.newbyteorder("<"), foreign=(record,))


def _same_layout(packed: np.dtype[Any], stored: np.dtype[Any] | None) -> bool:
    """Say whether two compound dtypes differ in nothing but names."""
    if stored is None or packed.fields is None or stored.fields is None:
        return packed == stored
    return packed.itemsize == stored.itemsize and all(
        one[1] == other[1] and _same_layout(one[0], other[0])
        for one, other in zip(packed.fields.values(), stored.fields.values(), strict=True)
    )


def _member(member: Member) -> Element:
    element = element_of(member.datatype)
    convertible = all(isinstance(codec, Record) for codec in element.foreign)
    if element.is_text or element.axes or not convertible:
        raise UnsupportedFeatureError(
            f"compounds with a member {member.name!r} of type {describe(member.datatype)}"
        )
    return element


def _pieces(datatype: Compound, start: int) -> list[Piece]:
    pieces: list[Piece] = []
    for member in datatype.members:
        element, offset = element_of(member.datatype), start + member.offset
        if isinstance(member.datatype, Compound) and element.dtype.fields is not None:
            pieces += _pieces(member.datatype, offset)
        elif element.foreign:
            pieces += [
                (offset + at, width, count, kind)
                for codec in element.foreign
                if isinstance(codec, Record)
                for at, width, count, kind in codec.pieces
            ]
        elif element.dtype.str[0] == ">":
            width = element.dtype.itemsize // (2 if element.dtype.kind == "c" else 1)
            pieces.append((offset, width, element.dtype.itemsize // width, SWAP))
        else:
            pieces.append((offset, 1, element.dtype.itemsize, COPY))
    return pieces


def _merged(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Join pieces that are copied from one run of bytes."""
    merged: list[Piece] = []
    for offset, width, count, kind in pieces:
        if merged and kind == COPY == merged[-1][3] and sum(merged[-1][::2]) == offset:
            merged[-1] = (merged[-1][0], 1, merged[-1][2] + count, COPY)
        else:
            merged.append((offset, width, count, kind))
    return tuple(merged)


def pair_as_complex(datatype: Compound) -> np.dtype[Any] | None:
    """Return the complex dtype that a compound stands for, None if it is an ordinary one."""
    if len(datatype.members) != 2:
        return None
    real, imaginary = datatype.members
    if (real.name, imaginary.name) not in COMPLEX_NAMES:
        return None
    base, other = real.datatype.numpy_dtype(), imaginary.datatype.numpy_dtype()
    if base is None or base != other or base.kind != "f" or base.itemsize not in (4, 8):
        return None
    if (real.offset, imaginary.offset, datatype.size) != (0, base.itemsize, 2 * base.itemsize):
        return None
    return np.dtype(f"{base.str[0]}c{2 * base.itemsize}")


_CONVERT: dict[type[Datatype], Callable[[Any], Element]] = {
    FixedPoint: _integer,
    FloatingPoint: _plain,
    Bitfield: _integer,
    String: _string,
    Opaque: _opaque,
    Enumerated: _enumerated,
    Complex: _plain,
    Compound: _compound,
    VariableLength: _variable_length,
    Reference: _reference,
}


def describe(datatype: Datatype) -> str:
    """Return what to call a datatype in a message."""
    match datatype:
        case FixedPoint() | Bitfield():
            kind = "bitfield" if isinstance(datatype, Bitfield) else "integer"
            whole = datatype.bit_precision == 8 * datatype.size and datatype.bit_offset == 0
            bits = "" if whole else f", {datatype.bit_precision} bits at {datatype.bit_offset}"
            return f"{datatype.size}-byte {kind}{bits}"
        case FloatingPoint():
            return (
                f"{datatype.size}-byte float of {datatype.bit_precision} bits "
                f"({datatype.exponent_size} exponent, {datatype.mantissa_size} mantissa)"
            )
        case Array():
            return f"array {datatype.shape} of {describe(datatype.base)}"
        case VariableLength():
            return "variable-length string" if datatype.is_string else "variable-length sequence"
        case Complex():
            return f"complex of {describe(datatype.base)}"
        case Time():
            return f"{datatype.size}-byte time"
        case _:
            return f"{type(datatype).__name__.lower()} of {datatype.size} bytes"
