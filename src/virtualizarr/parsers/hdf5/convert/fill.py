"""Fill values: HDF5's storage fill becomes Zarr's `fill_value`; `_FillValue` is another thing."""

from __future__ import annotations

from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.convert.elements import Element
from virtualizarr.parsers.hdf5.layout import FillState, FillValue


def fill_of(fill: FillValue, element: Element) -> Any:
    """Return the value of elements never written: a numpy scalar, or None for zero bytes.

    HDF5 reads zeros where no fill value is defined, and so does this. Raises CorruptFileError if the
    stored value is not one element long, UnsupportedFeatureError if it differs along the axes of an
    array datatype, which a Zarr fill value cannot.
    """
    if fill.state is not FillState.USER_DEFINED or not fill.value or element.in_heap:
        return None
    if not any(fill.value):
        return None
    count = int(np.prod(element.axes, dtype=np.int64))
    if len(fill.value) != count * element.dtype.itemsize:
        raise CorruptFileError(
            f"the fill value has {len(fill.value)} bytes, an element {count * element.dtype.itemsize}"
        )
    values = np.frombuffer(fill.value, element.dtype)
    if len({value.tobytes() for value in values[:1024]}) != 1 or values.nbytes != len(
        values[0].tobytes() * count
    ):
        raise UnsupportedFeatureError("a fill value that differs within an array element")
    return values[0]
