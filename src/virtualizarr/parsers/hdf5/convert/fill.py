"""Fill values: HDF5's storage fill becomes Zarr's `fill_value`; `_FillValue` is another thing."""

from __future__ import annotations

from math import prod
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.convert.elements import Element
from virtualizarr.parsers.hdf5.layout import FillState, FillValue


def fill_of(fill: FillValue, size: int, element: Element) -> Any:
    """Return the value of elements never written: a numpy scalar, or None for zero bytes.

    `size` is the bytes of a stored element. HDF5 reads zeros where no fill value is defined, and so
    does this. Raises CorruptFileError if the stored value is not one element long,
    UnsupportedFeatureError if it differs along the axes of an array datatype, which a Zarr fill
    value cannot.
    """
    if fill.state is not FillState.USER_DEFINED or not fill.value:
        return None
    if len(fill.value) != size:
        raise CorruptFileError(f"the fill value has {len(fill.value)} bytes, an element {size}")
    if not any(fill.value) or element.is_text:
        return None
    values = element.values(fill.value)
    if len(values) != prod(element.axes):
        raise CorruptFileError(f"the fill value holds {len(values)} elements")
    if values.tobytes() != values[:1].tobytes() * len(values):
        raise UnsupportedFeatureError("a fill value that differs within an array element")
    return values[0]
