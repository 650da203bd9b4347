"""Chunk keys, as columns: which names of files are chunks of an array, and which chunks."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

MAX_DIGITS = 15
_ZERO, _NINE, _LINE = ord("0"), ord("9"), ord("\n")
_AFTER_NINE = chr(_NINE + 1)

type Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How an array spells its chunk keys: `prefix`, then indices joined by `separator`.

    `prefix` is what they begin with below the array's directory: nothing in Zarr v2, "c" and a
    separator in v3. `scalar` is the one key of an array without axes.
    """

    prefix: str
    separator: str
    scalar: str

    def key(self, index: Sequence[int]) -> str:
        """Return the key of a chunk by its grid index."""
        return self.prefix + self.separator.join(map(str, index)) if len(index) else self.scalar


def chunk_files(
    names: Sequence[str], folder: str, form: KeyForm, grid_shape: tuple[int, ...]
) -> tuple[Int64s, Int64s]:
    """Return which of the sorted `names` are chunks of the array in `folder`, and which chunks.

    `folder` is "" or ends in "/". The chunks are C-order positions in the chunk grid. Other files,
    and chunks outside the grid (as resizing an array leaves behind), are left out.
    """
    if not grid_shape:
        at = bisect_left(names, folder + form.scalar)
        found = at < len(names) and names[at] == folder + form.scalar
        return np.array([at] if found else [], np.int64), np.zeros(int(found), np.int64)
    start = folder + form.prefix
    low, high = bisect_left(names, f"{start}0"), bisect_left(names, start + _AFTER_NINE)
    keys = [name[len(start) :] for name in names[low:high]]
    rows, index = indices(keys, form.separator, len(grid_shape))
    inside = (index < np.array(grid_shape, np.int64)).all(axis=1)
    return low + rows[inside], linear(index[inside], grid_shape)


def indices(keys: Sequence[str], separator: str, ndim: int) -> tuple[Int64s, Int64s]:
    """Return the numbers of the keys that are `ndim` indices, and those indices, `(n, ndim)`.

    Indices are written without signs, spaces and leading zeros.
    """
    text = "\n".join(keys) + "\n" if keys else ""
    if not text.isascii() or text.count("\n") != len(keys):
        plain = re.compile(rf"\d+(?:{re.escape(separator)}\d+)*", re.ASCII)
        plain_rows = [row for row, key in enumerate(keys) if plain.fullmatch(key)]
        rows, index = indices([keys[row] for row in plain_rows], separator, ndim)
        return np.array(plain_rows, np.int64)[rows], index
    letters = np.frombuffer(text.encode(), np.uint8)
    lines = _lines_of_form(letters, separator, ndim)
    stops = np.flatnonzero(lines)
    starts = np.concatenate(([0], stops[:-1] + 1)).astype(np.int64)
    rows = np.flatnonzero(lines[stops] == _GOOD)
    kept = np.repeat(lines[stops] == _GOOD, stops + 1 - starts)
    good, values = _numbers(letters[kept], ndim)
    return rows[good], values[good]


_BAD, _GOOD = 1, 2


def _lines_of_form(
    letters: npt.NDArray[np.uint8], separator: str, ndim: int
) -> npt.NDArray[np.uint8]:
    """Mark the end of each line: good if it holds digits and `ndim - 1` separators alone."""
    marks = np.zeros(len(letters), np.uint8)
    stops = np.flatnonzero(letters == _LINE)
    if not len(stops):
        return marks
    starts = np.concatenate(([0], stops[:-1] + 1))
    is_separator = letters == ord(separator)
    is_digit = (letters >= _ZERO) & (letters <= _NINE)
    strange = np.add.reduceat(~(is_separator | is_digit), starts, dtype=np.int64) - 1
    separators = np.add.reduceat(is_separator, starts, dtype=np.int64)
    marks[stops] = np.where((strange == 0) & (separators == ndim - 1), _GOOD, _BAD)
    return marks


def _numbers(letters: npt.NDArray[np.uint8], ndim: int) -> tuple[npt.NDArray[np.bool_], Int64s]:
    """Return which lines of `ndim` runs of digits are well-formed numbers, and their values."""
    stops = np.flatnonzero((letters < _ZERO) | (letters > _NINE))
    if not len(stops):
        return np.zeros(0, np.bool_), np.zeros((0, ndim), np.int64)
    starts = np.concatenate(([0], stops[:-1] + 1))
    digits = stops - starts
    padded = (digits > 1) & (letters[np.minimum(starts, len(letters) - 1)] == _ZERO)
    good = (digits > 0) & (digits <= MAX_DIGITS) & ~padded
    values = np.zeros(len(stops), np.int64)
    for place in range(min(MAX_DIGITS, int(digits.max()))):
        has = digits > place
        values[has] += (letters[stops[has] - 1 - place].astype(np.int64) - _ZERO) * 10**place
    return good.reshape(-1, ndim).all(axis=1), values.reshape(-1, ndim)


def linear(index: Int64s, grid_shape: tuple[int, ...]) -> Int64s:
    """Return C-order positions in the grid of indices `(n, ndim)` that lie inside it."""
    steps = [prod(grid_shape[axis + 1 :]) for axis in range(len(grid_shape))]
    return index @ np.array(steps, np.int64)
