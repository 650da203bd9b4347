"""Chunk keys, sorted to their arrays and turned into grid positions, as columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NoReturn

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.kerchunk.digits import Int64s, not_digits, whole_numbers
from virtualizarr.parsers.kerchunk.table import ReferenceTable, Runs

MAX_DIGITS = 15
MAX_CELLS = 2**62
_SLASH = ord("/")
_INDEX = re.compile(rf"0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}}")


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How an array spells its chunk keys: `prefix`, then indices joined by `separator`.

    `prefix` is what all keys of the array begin with, the array's path and in Zarr v3 "c".
    `scalars` are the spellings of the one key of an array without axes.
    """

    prefix: str
    separator: str
    scalars: tuple[str, ...]


def runs_by_array(
    table: ReferenceTable, metadata: Sequence[int], paths: Collection[str]
) -> dict[str, Runs]:
    """Return which runs of keys are chunks of each array, metadata keys left out.

    `paths` are those of all arrays. Raises CorruptFileError for a key that is neither metadata nor
    below an array.
    """
    heads = _folder_heads(table)
    is_head = np.zeros(len(table) + 1, np.bool_)
    is_head[heads] = True
    is_head[metadata] = True
    is_head[np.asarray(metadata, np.int64) + 1] = True
    bounds = np.flatnonzero(is_head[:-1]).tolist()
    described = set(metadata)
    owners: dict[str, str | None] = {}
    found: dict[str, Runs] = {}
    for begin, end in zip(bounds, [*bounds, len(table)][1:], strict=True):
        if begin in described:
            continue
        folder = table.name(begin).rpartition("/")[0]
        if folder not in owners:
            owners[folder] = _owner(folder, paths)
        owner = owners[folder]
        if owner is None:
            raise CorruptFileError("the key belongs to no array", node=table.name(begin))
        runs = found.setdefault(owner, [])
        if runs and runs[-1][1] == begin:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((begin, end))
    return found


def _folder_heads(table: ReferenceTable) -> Int64s:
    """Return the keys whose folder (what precedes the last slash) is not that of the key before."""
    count = len(table)
    letters = np.frombuffer(table.text, np.uint8)
    slashes = np.concatenate((np.full(1, -1, np.int64), np.flatnonzero(letters == _SLASH)))
    last = slashes[np.searchsorted(slashes, table.stops) - 1] if count else slashes[:0]
    sizes = np.maximum(last - table.starts, 0)
    is_head = np.ones(count, np.bool_)
    is_head[1:] = sizes[1:] != sizes[:-1]
    for size in np.unique(sizes).tolist():
        alike = np.flatnonzero(~is_head & (sizes == size))
        if len(alike) and size:
            windows = np.lib.stride_tricks.sliding_window_view(letters, size)
            one, two = windows[table.starts[alike]], windows[table.starts[alike - 1]]
            is_head[alike] = (one != two).any(axis=1)
    return np.flatnonzero(is_head)


def _owner(folder: str, paths: Collection[str]) -> str | None:
    """Return the nearest array at or above a folder."""
    while True:
        if folder in paths:
            return folder
        if not folder:
            return None
        folder = folder.rpartition("/")[0]


def positions(lines: bytes, count: int, form: KeyForm, grid_shape: tuple[int, ...]) -> Int64s:
    """Return the C-order position in the chunk grid of each of `count` keys, given as lines.

    Raises CorruptFileError for a key that is not of this form or lies outside the grid.
    """
    if not count:
        return np.zeros(0, np.int64)
    if not grid_shape:
        keys = _keys(lines)
        wrong = [key for key in keys if key not in form.scalars]
        if wrong or len(keys) > 1:
            key = wrong[0] if wrong else keys[1]
            raise CorruptFileError("this is no key of an array without axes", node=key)
        return np.zeros(1, np.int64)
    if prod(grid_shape) > MAX_CELLS:
        raise CorruptFileError(f"a chunk grid of {grid_shape} chunks")
    index = _indices(lines, count, form, len(grid_shape))
    if (index.max(axis=0) >= grid_shape).any():
        outside = (index >= np.array(grid_shape, np.int64)).any(axis=1)
        key = _keys(lines)[int(np.argmax(outside))]
        raise CorruptFileError(f"the chunk lies outside the grid of {grid_shape} chunks", node=key)
    if len(grid_shape) == 1:
        return index[:, 0]
    steps = [prod(grid_shape[axis + 1 :]) for axis in range(len(grid_shape))]
    return index @ np.array(steps, np.int64)


def _indices(lines: bytes, count: int, form: KeyForm, ndim: int) -> Int64s:
    """Return the indices in the keys, `(count, ndim)`."""
    start = b"\n" + form.prefix.encode()
    text = b"\n" + lines[:-1]
    if text.count(start) != count:
        _refuse(lines, form, ndim)
    letters = np.frombuffer(text.replace(start, b"\n")[1:] + b"\n", np.uint8)
    stops = not_digits(letters)
    expected = np.frombuffer((form.separator * (ndim - 1) + "\n").encode(), np.uint8)
    if len(stops) != count * ndim or (letters[stops].reshape(-1, ndim) != expected).any():
        _refuse(lines, form, ndim)
    starts = np.concatenate((np.zeros(1, np.int64), stops[:-1] + 1))
    values = whole_numbers(letters, starts, stops, MAX_DIGITS)
    if values is None:
        _refuse(lines, form, ndim)
    return values.reshape(-1, ndim)


def _keys(lines: bytes) -> list[str]:
    return lines.decode().split("\n")[:-1]


def _refuse(lines: bytes, form: KeyForm, ndim: int) -> NoReturn:
    """Raise CorruptFileError naming the first key that is not of the form."""
    for key in _keys(lines):
        parts = key.removeprefix(form.prefix).split(form.separator)
        plain = all(map(_INDEX.fullmatch, parts))
        if not key.startswith(form.prefix) or len(parts) != ndim or not plain:
            raise CorruptFileError(
                f"{key!r} is no chunk key of an array of {ndim} axes, whose keys begin with "
                f"{form.prefix!r} and have separator {form.separator!r}",
                node=key,
            )
    raise CorruptFileError(f"the chunk keys under {form.prefix!r} are malformed")


def paths_of(documents: Iterable[str], name: str) -> list[str]:
    """Return the paths of the nodes that have a metadata document of this name."""
    return [
        key.removesuffix(name).rstrip("/") for key in documents if key.rpartition("/")[2] == name
    ]
