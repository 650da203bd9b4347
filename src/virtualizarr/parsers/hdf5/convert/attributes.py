"""Attributes: which are shown, and as what.

Nothing is left out but netCDF-4's own bookkeeping. A value becomes, by the first rule that fits,

1. text (`str`, or a list of `str`); bytes that are not UTF-8 are read as Latin-1;
2. a numpy scalar or array of native byte order, in the file's own type; an array of one element is
   given as that element, as netCDF libraries do; FALSE/TRUE enumerations become booleans;
3. for a null dataspace `""` if the type is a string (how netCDF-C writes empty text), else an
   empty array;
4. a mapping for each compound element, a list for each variable-length sequence;
5. the path of the object for an object reference, None for a null one;
6. a text in angle brackets that says what could not be decoded, so that the reader knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from virtualizarr.parsers.hdf5.convert.elements import describe, pair_as_complex
from virtualizarr.parsers.hdf5.convert.text import readable
from virtualizarr.parsers.hdf5.layout import Attribute, DataspaceType, Undecoded
from virtualizarr.parsers.hdf5.layout_datatype import (
    Array,
    Complex,
    Compound,
    Datatype,
    Enumerated,
    Reference,
    ReferenceType,
    String,
    VariableLength,
)

NETCDF_RESERVED = frozenset(
    {
        *("DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Coordinates", "_Netcdf4Dimid"),
        *("_NCProperties", "_nc3_strict"),
    }
)
"""Attributes that netCDF-4 and the dimension scale interface keep for themselves."""

SCALE_RESERVED = NETCDF_RESERVED | {"CLASS", "NAME"}
"""The same on a dimension scale, where CLASS and NAME belong to the interface too."""


def is_scale(attributes: Mapping[str, Attribute]) -> bool:
    """Say whether these are the attributes of a dimension scale."""
    found = attributes.get("CLASS")
    return found is not None and found.value == "DIMENSION_SCALE"


def convert_attributes(
    attributes: Mapping[str, Attribute], paths: Mapping[int, str]
) -> dict[str, Any]:
    """Return the attributes to show; `paths` names the objects that references point to."""
    hidden = SCALE_RESERVED if is_scale(attributes) else NETCDF_RESERVED
    return {
        name if name.isascii() else readable(name): convert_attribute(attribute, paths)
        for name, attribute in attributes.items()
        if name not in hidden
    }


def convert_attribute(attribute: Attribute, paths: Mapping[int, str]) -> Any:
    """Return an attribute's value by the rules above."""
    value = attribute.value
    if type(value) is str:
        return value if value.isascii() else readable(value)
    if attribute.dataspace.type is DataspaceType.NULL:
        return _nothing(attribute.datatype)
    if isinstance(value, Undecoded):
        return f"<HDF5 {describe(attribute.datatype)}: {value.reason}>"
    converted = _convert(value, attribute.datatype, paths)
    if isinstance(converted, np.ndarray) and converted.size == 1:
        return converted.reshape(-1)[0]
    if isinstance(converted, list) and len(converted) == 1 and attribute.dataspace.shape == (1,):
        return converted[0]
    return converted


def _nothing(datatype: Datatype) -> Any:
    if isinstance(datatype, String) or (
        isinstance(datatype, VariableLength) and datatype.is_string
    ):
        return ""
    dtype = datatype.numpy_dtype()
    native = dtype is not None and dtype.kind in "iufcb"
    return np.empty(0, dtype.newbyteorder("=") if dtype is not None and native else np.float64)


def _convert(value: Any, datatype: Datatype, paths: Mapping[int, str]) -> Any:
    match datatype:
        case String():
            return _nested(value, readable)
        case VariableLength():
            if datatype.is_string:
                return _nested(value, readable)
            base = datatype.base
            if isinstance(value, np.ndarray) and value.dtype.kind == "O":
                return _nested(value, lambda each: _convert(each, base, paths))
            return _convert(value, base, paths)
        case Enumerated():
            return _native(value).astype(np.bool_)[()] if datatype.is_boolean else _native(value)
        case Reference():
            if datatype.type in (ReferenceType.OBJECT, ReferenceType.OBJECT_2):
                return _nested(value, lambda address: _target(int(address), paths))
            return _nested(value, str)
        case Array():
            return _convert(value, datatype.base, paths)
        case Compound():
            pair = pair_as_complex(datatype)
            if pair is not None:
                return _complex(value)
            return _nested(np.asarray(value), lambda row: _record(row, datatype, paths))
        case Complex():
            return _native(value)
        case _:
            return _native(value)


def _native(value: Any) -> Any:
    array = np.asarray(value)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array[()]


def _complex(value: Any) -> Any:
    real, imaginary = (_native(value[name]) for name in value.dtype.names)
    return (real + 1j * imaginary).astype(np.result_type(real, np.complex64))[()]


def _record(row: Any, datatype: Compound, paths: Mapping[int, str]) -> dict[str, Any]:
    return {
        readable(member.name): _convert(row[member.name], member.datatype, paths)
        for member in datatype.members
    }


def path_of(address: int, paths: Mapping[int, str]) -> str:
    """Return the path of the object at `address`; if it has none, a text that says where it is."""
    return readable(paths.get(address, f"<HDF5 object at byte {address}>"))


def _target(address: int, paths: Mapping[int, str]) -> str | None:
    return path_of(address, paths) if address else None


def _nested(value: Any, convert: Any) -> Any:
    """Apply `convert` to every element of an array, keeping its nesting, or to a lone value."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return [_nested(each, convert) for each in value]
    if isinstance(value, np.ndarray):
        value = value[()]
    return f"<HDF5 value: {value.reason}>" if isinstance(value, Undecoded) else convert(value)
