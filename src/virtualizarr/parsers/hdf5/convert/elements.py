"""Datatypes: how a stored HDF5 element becomes a Zarr element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.dtypes import STRING
from virtualizarr.parsers.hdf5.layout_datatype import (
    Array,
    Bitfield,
    Complex,
    Compound,
    Datatype,
    Enumerated,
    FixedPoint,
    FloatingPoint,
    Opaque,
    Reference,
    String,
    Time,
    VariableLength,
)

COMPLEX_NAMES = (("r", "i"), ("re", "im"), ("real", "imag"), ("real", "imaginary"))
"""Names of the two members by which a compound is known for a complex number."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element as Zarr sees it.

    `dtype` is the numpy dtype of the stored bytes, byte order and all (`StringDType` for text in the
    heap); `axes` are the axes of an array datatype, which become trailing axes of the Zarr array.
    """

    dtype: np.dtype[Any]
    axes: tuple[int, ...] = ()

    @property
    def in_heap(self) -> bool:
        """Whether the values lie in the global heap, so that references to chunks cannot give them."""
        return self.dtype.kind == "T"


def element_of(datatype: Datatype) -> Element:
    """Return the Zarr element of a datatype.

    Bitfields become unsigned integers, enumerations their integers (h5py's FALSE/TRUE becomes bool),
    opaque data raw bytes, pairs of floats named `r` and `i` complex numbers, fixed strings numpy's
    `S` with any space padding kept. Raises UnsupportedFeatureError naming what Zarr cannot hold.
    """
    if isinstance(datatype, Array):
        inner = element_of(datatype.base)
        if inner.in_heap:
            raise UnsupportedFeatureError("arrays of variable-length strings as elements")
        return Element(inner.dtype, datatype.shape + inner.axes)
    for kind, convert in _CONVERT.items():
        if isinstance(datatype, kind):
            return Element(convert(datatype))
    raise UnsupportedFeatureError(f"HDF5 datatype {datatype.name}")


def _number(datatype: Datatype) -> np.dtype[Any]:
    dtype = datatype.numpy_dtype()
    if dtype is None:
        raise UnsupportedFeatureError(f"numbers stored as {describe(datatype)}")
    return dtype


def _enumerated(datatype: Datatype) -> np.dtype[Any]:
    assert isinstance(datatype, Enumerated)
    return np.dtype(np.bool_) if datatype.is_boolean else _number(datatype.base)


def _complex(datatype: Datatype) -> np.dtype[Any]:
    dtype = datatype.numpy_dtype()
    if dtype is None:
        raise UnsupportedFeatureError(f"complex numbers of {describe(datatype)}")
    return dtype


def _variable_length(datatype: Datatype) -> np.dtype[Any]:
    assert isinstance(datatype, VariableLength)
    if not datatype.is_string:
        raise UnsupportedFeatureError(
            f"variable-length sequences of {describe(datatype.base)}: Zarr has no ragged arrays"
        )
    return STRING


def _compound(datatype: Datatype) -> np.dtype[Any]:
    assert isinstance(datatype, Compound)
    complex_dtype = _pair_as_complex(datatype)
    if complex_dtype is not None:
        return complex_dtype
    members = [(member, element_of(member.datatype)) for member in datatype.members]
    for member, element in members:
        if element.in_heap or element.axes:
            raise UnsupportedFeatureError(
                f"a compound whose member {member.name!r} is {describe(member.datatype)}"
            )
    dtype = np.dtype(
        {
            "names": [member.name for member, _ in members],
            "formats": [element.dtype for _, element in members],
            "offsets": [member.offset for member, _ in members],
            "itemsize": datatype.size,
        }
    )
    return dtype


def _pair_as_complex(datatype: Compound) -> np.dtype[Any] | None:
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


def _reference(datatype: Datatype) -> np.dtype[Any]:
    assert isinstance(datatype, Reference)
    kind = datatype.type.name.lower().removesuffix("_2")
    raise UnsupportedFeatureError(f"{kind} references: they mean nothing outside the file")


def _time(datatype: Datatype) -> np.dtype[Any]:
    raise UnsupportedFeatureError(f"HDF5's time datatype of {datatype.size} bytes")


def _bytes(datatype: Datatype) -> np.dtype[Any]:
    dtype = datatype.numpy_dtype()
    if dtype is None or datatype.size < 1:
        raise UnsupportedFeatureError(f"{describe(datatype)} elements")
    return dtype


_CONVERT: dict[type[Datatype], Callable[[Datatype], np.dtype[Any]]] = {
    FixedPoint: _number,
    FloatingPoint: _number,
    Bitfield: _number,
    String: _bytes,
    Opaque: _bytes,
    Enumerated: _enumerated,
    Complex: _complex,
    Compound: _compound,
    VariableLength: _variable_length,
    Reference: _reference,
    Time: _time,
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
        case _:
            return datatype.name
