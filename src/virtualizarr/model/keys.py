"""numpy index keys, taken apart: one selector for each axis, and where axes come and go."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index as as_int
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt

type Selector = int | range | npt.NDArray[np.int64]
type Key = Any

POINTWISE = "virtual arrays cannot be indexed point by point, only axis by axis"


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """An orthogonal selection.

    `selectors` has one entry per axis of the array: an int (the axis goes), a range, or an array of
    positions, which are not negative. `layout` names the axes of the result in order: the number of
    an old axis, or None for a new one of length 1.
    """

    selectors: tuple[Selector, ...]
    layout: tuple[int | None, ...]


def parse_key(key: Key, shape: tuple[int, ...]) -> Selection:
    """Take a numpy key apart.

    Integer arrays must be one-dimensional or an open mesh (as `numpy.ix_` makes), boolean arrays
    one-dimensional. Raises IndexError for positions outside the array and keys of other kinds.
    """
    parts = _without_ellipsis(key if isinstance(key, tuple) else (key,), len(shape))
    arrays = [part for part in parts if _is_array(part)]
    if len(arrays) > 1 or any(np.ndim(array) > 1 for array in arrays):
        return _open_mesh(parts, shape)
    if arrays:
        _check_adjacent(key if isinstance(key, tuple) else (key,))
    selectors: list[Selector] = []
    layout: list[int | None] = []
    for part in parts:
        if part is None:
            layout.append(None)
            continue
        axis = len(selectors)
        if isinstance(part, slice):
            selectors.append(range(shape[axis])[part])
        elif _is_array(part):
            selectors.append(_positions(part, shape[axis], axis))
        else:
            selectors.append(_position(as_int(part), shape[axis], axis))
            continue
        layout.append(axis)
    return Selection(tuple(selectors), tuple(layout))


def _is_array(part: Any) -> bool:
    if isinstance(part, bool):
        return True
    return part is not None and not isinstance(part, slice | int | np.integer | EllipsisType)


def _check_adjacent(parts: tuple[Any, ...]) -> None:
    """Raise IndexError where numpy would move the axis of an array to the front."""
    advanced = [
        n for n, part in enumerate(parts) if _is_array(part) or isinstance(part, int | np.integer)
    ]
    if advanced[-1] - advanced[0] + 1 != len(advanced):
        raise IndexError("integers and an array with a slice between them: index in two steps")


def _open_mesh(parts: list[Any], shape: tuple[int, ...]) -> Selection:
    if len(parts) != len(shape) or not all(_is_array(part) for part in parts):
        raise IndexError(POINTWISE)
    places: dict[int, int] = {}
    single: list[int] = []
    selectors: list[Selector] = []
    for axis, part in enumerate(parts):
        wide = [place for place, length in enumerate(np.shape(part)) if length != 1]
        if len(wide) > 1 or (wide and any(place >= wide[0] for place in places)):
            raise IndexError(POINTWISE)
        if wide:
            places[wide[0]] = axis
        else:
            single.append(axis)
        selectors.append(_positions(np.reshape(part, -1), shape[axis], axis))
    layout: list[int | None] = []
    for place in range(max(np.ndim(part) for part in parts)):
        if place not in places and single and _in_order(places, place, single[0]):
            places[place] = single.pop(0)
        layout.append(places.get(place))
    for axis in single:
        selectors[axis] = int(np.asarray(selectors[axis])[0])
    return Selection(tuple(selectors), tuple(layout))


def _in_order(places: dict[int, int], place: int, axis: int) -> bool:
    return all((other < place) == (taken < axis) for other, taken in places.items())


def _without_ellipsis(key: tuple[Any, ...], ndim: int) -> list[Any]:
    used = sum(part is not None and not isinstance(part, EllipsisType) for part in key)
    dots = [place for place, part in enumerate(key) if isinstance(part, EllipsisType)]
    if used > ndim:
        raise IndexError(f"{used} indices for an array of {ndim} dimensions")
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis")
    place = dots[0] if dots else len(key)
    full = [slice(None)] * (ndim - used)
    return [*key[:place], *full, *key[place + 1 :]]


def _position(position: int, extent: int, axis: int) -> int:
    if not -extent <= position < extent:
        raise IndexError(f"index {position} is out of bounds for axis {axis} of length {extent}")
    return position % extent


def _positions(part: Any, extent: int, axis: int) -> npt.NDArray[np.int64]:
    values = np.asarray(part)
    if values.dtype == bool:
        if values.shape != (extent,):
            raise IndexError(f"boolean index of shape {values.shape} for axis of length {extent}")
        return np.flatnonzero(values)
    if values.ndim != 1 or (values.dtype.kind not in "iu" and values.size):
        raise IndexError(f"cannot index a virtual array with {part!r}")
    positions = values.astype(np.int64)
    if len(positions) and not (-extent <= positions.min() and positions.max() < extent):
        raise IndexError(f"positions out of bounds for axis {axis} of length {extent}")
    return np.where(positions < 0, positions + extent, positions)
