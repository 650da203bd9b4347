"""What this package needs of xarray's private parts, and nothing else.

xarray prepares what a backend returns: it wraps the data of every variable for lazy indexing, and
`open_mfdataset` asks every variable to chunk itself. Neither makes sense for data without values,
so virtual data live in `VirtualVariable`s, which answer by staying as they are. They are variables
in all else, and what `concat` joins is an ordinary variable again.
"""

from __future__ import annotations

from typing import Any

import xarray as xr
from xarray.core import indexing

from virtualizarr.model import ManifestArray

_WRAPPERS = (
    indexing.CopyOnWriteArray,
    indexing.MemoryCachedArray,
    indexing.NdArrayLikeIndexingAdapter,
)


_DATA: Any = xr.Variable.data


class VirtualVariable(xr.Variable):
    """A variable whose ManifestArray stays bare on its way through `xr.open_dataset`."""

    __slots__ = ()

    @property
    def data(self) -> Any:
        """The ManifestArray, or whatever was put in its place."""
        return _DATA.fget(self)

    @data.setter
    def data(self, data: Any) -> None:
        _DATA.fset(self, _unwrapped(data))

    def chunk(self, chunks: Any = None, *args: Any, **kwargs: Any) -> VirtualVariable:
        """Return the variable itself: virtual data have the chunks that the file has."""
        if is_virtual(self):
            return self
        return super().chunk({} if chunks is None else chunks, *args, **kwargs)

    def to_base_variable(self) -> VirtualVariable:
        """Return a shallow copy that is a VirtualVariable still."""
        data: Any = self._data
        return type(self)(self._dims, data, self._attrs, self._encoding, fastpath=True)

    to_variable = to_base_variable

    @property
    def chunks(self) -> Any:
        """None while the variable is virtual: no parallel framework can compute it."""
        return None if is_virtual(self) else super().chunks

    @property
    def chunksizes(self) -> Any:
        """Empty while the variable is virtual."""
        return {} if is_virtual(self) else super().chunksizes


def is_virtual(variable: xr.Variable) -> bool:
    """Say whether a variable holds references and no values."""
    return manifest_array(variable) is not None


def manifest_array(variable: xr.Variable) -> ManifestArray | None:
    """Return the virtual array that a variable holds; None if it holds values."""
    data: Any = variable._data
    return data if isinstance(data, ManifestArray) else None


def lazily_indexed(array: Any) -> Any:
    """Return a backend array wrapped so that indexing it reads nothing."""
    return indexing.LazilyIndexedArray(array)


def _unwrapped(data: Any) -> Any:
    inner = data
    while isinstance(inner, _WRAPPERS):
        inner = inner.array
    return inner if isinstance(inner, ManifestArray) else data
