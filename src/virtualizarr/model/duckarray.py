"""numpy's functions on virtual arrays: those that only move references; a clear no to the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from virtualizarr.errors import CombineError
from virtualizarr.model import combine, select
from virtualizarr.model.dtypes import data_type_of, encode_fill
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.nulls import UnknownNulls, not_loaded
from virtualizarr.model.virtual import Virtual


@runtime_checkable
class Maskable(Protocol):
    """An array that can turn elements into its fill value."""

    def masked(self, condition: npt.ArrayLike, other: Any) -> Any:
        """Return the array with `other` where `condition` is False."""
        ...


def _is_virtual(operand: object) -> bool:
    return hasattr(type(operand), "masked")


def result_type(*operands: Any) -> np.dtype[Any]:
    """Return the one dtype of all operands; Python scalars must fit in it.

    Raises CombineError if dtypes differ: virtual arrays cannot be cast.
    """
    if len(operands) == 1:  # as xarray asks of each array
        only: np.dtype[Any] = operands[0].dtype
        return only
    arrays = [
        operand for operand in operands if isinstance(getattr(operand, "dtype", None), np.dtype)
    ]
    first: np.dtype[Any] = next(
        array.dtype for array in arrays if not isinstance(array, np.generic)
    )
    for operand in operands:
        dtype = getattr(operand, "dtype", operand)
        if dtype is first or dtype == first:
            continue
        if _is_scalar(operand) and (first.kind in "OTV" or np.result_type(first, operand) == first):
            continue
        raise CombineError(
            f"virtual arrays keep their dtype: {first} cannot be joined with {_named(operand)}; "
            f"{combine.WAYS_OUT}"
        )
    return first


def _is_scalar(operand: Any) -> bool:
    return np.ndim(operand) == 0 and not isinstance(operand, np.dtype | type)


def _named(operand: Any) -> str:
    dtype = getattr(operand, "dtype", None)
    return repr(operand) if dtype is None else str(dtype)


def concatenate(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    """`numpy.concatenate` and `numpy.concat` of virtual arrays; see `combine.concatenate`."""
    if axis is None:
        raise not_loaded("concatenating flattened arrays")
    return combine.concatenate(_all_virtual(arrays), axis)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """`numpy.stack` of virtual arrays; see `combine.stack`."""
    return combine.stack(_all_virtual(arrays), axis)


def _all_virtual(arrays: Sequence[Any]) -> Sequence[Any]:
    if not all(hasattr(kind, "masked") for kind in set(map(type, arrays))):
        loaded = [place for place, array in enumerate(arrays) if not _is_virtual(array)]
        raise CombineError(
            f"array {loaded[0]} of {len(arrays)} is loaded, the others are virtual: load this "
            "variable from every file, or from none"
        )
    return arrays


def expand_dims[A: Virtual](a: A, axis: int | tuple[int, ...]) -> A:
    """`numpy.expand_dims`: new axes of length 1."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    for place in sorted(normalize_axis_tuple(axes, a.metadata.ndim + len(axes))):
        a = combine.expand_dims(a, place)
    return a


def broadcast_to[A: Virtual](array: A, shape: int | tuple[int, ...], subok: bool = False) -> A:
    """`numpy.broadcast_to`: references repeat."""
    del subok
    return combine.broadcast_to(array, (shape,) if isinstance(shape, int) else tuple(shape))


def transpose[A: Virtual](a: A, axes: Sequence[int] | None = None) -> A:
    """`numpy.transpose`, by a `transpose` codec where stored bytes would have to move."""
    ndim = a.metadata.ndim
    order = tuple(reversed(range(ndim))) if axes is None else normalize_axis_tuple(axes, ndim)
    if len(order) != ndim:
        raise ValueError(f"axes {axes} do not match an array of {ndim} dimensions")
    return select.transpose(a, order)


def moveaxis[A: Virtual](a: A, source: int | Sequence[int], destination: int | Sequence[int]) -> A:
    """`numpy.moveaxis`."""
    ndim = a.metadata.ndim
    sources = normalize_axis_tuple(_as_sequence(source), ndim)
    destinations = normalize_axis_tuple(_as_sequence(destination), ndim)
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return select.transpose(a, tuple(order))


def _as_sequence(axes: int | Sequence[int]) -> Sequence[int]:
    return (axes,) if isinstance(axes, int) else tuple(axes)


def squeeze[A: Virtual](a: A, axis: int | tuple[int, ...] | None = None) -> A:
    """`numpy.squeeze`: drops axes of length 1 whose chunks have length 1."""
    shape = a.metadata.shape
    if axis is None:
        axes = tuple(place for place, length in enumerate(shape) if length == 1)
    else:
        axes = normalize_axis_tuple(axis, len(shape))
    if any(shape[place] != 1 for place in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return select.getitem(a, tuple(0 if n in axes else slice(None) for n in range(len(shape))))


def take[A: Virtual](a: A, indices: npt.ArrayLike, axis: int | None = None) -> A:
    """`numpy.take` of whole chunks along an axis."""
    if axis is None:
        raise not_loaded("taking from a flattened array")
    place = normalize_axis_index(axis, a.metadata.ndim)
    return select.getitem(a, ((slice(None),) * place) + (indices,))


def full_like[A: Virtual](
    a: A,
    fill_value: Any,
    dtype: npt.DTypeLike | None = None,
    order: str = "K",
    subok: bool = True,
    shape: tuple[int, ...] | None = None,
) -> A:
    """`numpy.full_like`: an array of missing chunks whose fill value is `fill_value`."""
    del order, subok
    metadata = a.metadata
    if shape is not None and tuple(np.atleast_1d(shape)) != metadata.shape:
        raise not_loaded("full_like of another shape")
    kind = np.dtype(dtype) if dtype is not None else metadata.dtype
    codecs = metadata.codecs
    if kind != metadata.dtype:
        endian = {} if kind.itemsize == 1 else {"configuration": {"endian": "little"}}
        codecs = ({"name": "bytes", **endian},)
    filled = metadata.replace(
        data_type=data_type_of(kind), fill_value=encode_fill(fill_value, kind), codecs=codecs
    )
    return a.rebuilt(filled, ChunkManifest.empty(filled.grid_shape))


def where(condition: Any, x: Any, y: Any, /) -> Any:
    """`numpy.where` that masks whole chunks, as `masking.where` does."""
    known = _known_bool(condition)
    if known is not None and np.shape(x) == np.shape(y) == np.shape(condition):
        return x if known else y
    if not isinstance(x, Maskable) or _is_virtual(y) or _is_virtual(condition):
        raise not_loaded("choosing between arrays")
    if np.ndim(y):
        raise not_loaded("filling with an array")
    return x.masked(condition, y)


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """`numpy.array_equal`: True if both refer to the same bytes, decoded the same way."""
    del equal_nan
    return np.shape(a1) == np.shape(a2) and bool(np.all(a1 == a2))


def isnan(x: Virtual) -> UnknownNulls:
    """Stand in for `numpy.isnan`, for comparisons; any other use raises NotLoadedError."""
    return UnknownNulls(x.metadata.shape)


FUNCTIONS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    np.array_equal: array_equal,
    np.array_equiv: array_equal,
    np.broadcast_to: broadcast_to,
    np.concatenate: concatenate,
    np.expand_dims: expand_dims,
    np.full_like: full_like,
    np.moveaxis: moveaxis,
    np.ndim: lambda a: a.metadata.ndim,
    np.result_type: result_type,
    np.shape: lambda a: a.metadata.shape,
    np.squeeze: squeeze,
    np.stack: stack,
    np.take: take,
    np.transpose: transpose,
    np.where: where,
}


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: Sequence[Any]) -> Any:
    """Return a ufunc's result where references alone tell it; raises NotLoadedError elsewhere.

    Known are equality, NaN as comparisons need it, and `~`, `&` and `|` of boolean arrays of which
    one is all missing chunks.
    """
    if method == "__call__":
        if ufunc in (np.isnan, np.isnat):
            return isnan(inputs[0])
        if ufunc is np.equal:
            left, right = inputs
            return left == right if _is_virtual(left) else right == left
        if ufunc is np.invert and (known := _known_bool(inputs[0])) is not None:
            return full_like(inputs[0], not known)
        if ufunc in (np.bitwise_and, np.bitwise_or):
            return _apply_logic(ufunc, inputs)
    raise not_loaded(f"numpy.{ufunc.__name__}")


def _apply_logic(ufunc: np.ufunc, inputs: Sequence[Any]) -> Any:
    """Combine with booleans that are known without reading, at no cost of memory."""
    known = [_known_bool(operand) for operand in inputs]
    if None in known and any(isinstance(operand, UnknownNulls) for operand in inputs):
        return next(operand for operand in inputs if isinstance(operand, UnknownNulls))
    absorbing = ufunc is np.bitwise_or
    for operand, value in zip(inputs, known, strict=True):
        other = inputs[1] if operand is inputs[0] else inputs[0]
        if value is not None:
            return operand if value is absorbing else other
    raise not_loaded(f"numpy.{ufunc.__name__}")


def _known_bool(operand: Any) -> bool | None:
    if not _is_virtual(operand) or operand.metadata.dtype != np.bool_:
        return None
    return bool(operand.metadata.fill_value) if operand.manifest.all_missing else None
