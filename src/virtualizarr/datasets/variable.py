"""What this package needs of xarray's private parts, and nothing else.

xarray prepares what a backend returns: it wraps the data of every variable for lazy indexing, and
`open_mfdataset` asks every variable to chunk itself. Neither makes sense of data that have no values,
so a backend here returns `VirtualVariable`s, which answer both by staying as they are. They behave as
variables in all else, and `concat`, `merge` and `combine` give ordinary variables again.
"""

from __future__ import annotations

from typing import Any, NoReturn

import xarray as xr
from xarray.core import indexing

from virtualizarr.errors import NotLoadedError
from virtualizarr.model import ManifestArray

_WRAPPERS = (
    indexing.CopyOnWriteArray,
    indexing.MemoryCachedArray,
    indexing.NdArrayLikeIndexingAdapter,
)


class VirtualVariable(xr.Variable):
    """A variable whose ManifestArray stays bare on its way through `xr.open_dataset`."""

    __slots__ = ()

    @property
    def data(self) -> Any:
        """The ManifestArray, or whatever was put in its place."""
        return xr.Variable.data.fget(self)

    @data.setter
    def data(self, data: Any) -> None:
        xr.Variable.data.fset(self, _unwrapped(data))

    def chunk(self, *args: Any, **kwargs: Any) -> xr.Variable:
        """Return the variable itself: virtual data have the chunks that the file has."""
        if is_virtual(self):
            return self
        return super().chunk(*args, **kwargs)

    def to_base_variable(self) -> VirtualVariable:
        """Return a shallow copy that is a VirtualVariable still."""
        return type(self)(self._dims, self._data, self._attrs, self._encoding, fastpath=True)

    to_variable = to_base_variable

    def load(self, **kwargs: Any) -> xr.Variable:
        """Raise NotLoadedError while the variable is virtual."""
        return _refuse_loading() if is_virtual(self) else super().load(**kwargs)

    def compute(self, **kwargs: Any) -> xr.Variable:
        """Raise NotLoadedError while the variable is virtual."""
        return _refuse_loading() if is_virtual(self) else super().compute(**kwargs)


def is_virtual(variable: xr.Variable) -> bool:
    """Say whether a variable holds references and no values."""
    return isinstance(variable._data, ManifestArray)


def manifest_array(variable: xr.Variable) -> ManifestArray | None:
    """Return the virtual array that a variable holds; None if it holds values."""
    data = variable._data
    return data if isinstance(data, ManifestArray) else None


def lazily_indexed(array: Any) -> Any:
    """Return a backend array wrapped so that indexing it reads nothing."""
    return indexing.LazilyIndexedArray(array)


def _unwrapped(data: Any) -> Any:
    inner = data
    while isinstance(inner, _WRAPPERS):
        inner = inner.array
    return inner if isinstance(inner, ManifestArray) else data


def _refuse_loading() -> NoReturn:
    raise NotLoadedError(
        "a virtual variable holds references, not values; "
        "read the dataset with `.virtualize.open()`, or name the variable in `loadable_variables`"
    )
