"""Chunk keys, sorted to their arrays and turned into grid positions, as columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NoReturn

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.kerchunk.digits import Int64s, Text, are_plain
from virtualizarr.parsers.kerchunk.table import ReferenceTable, Runs, rows_of

MAX_DIGITS = 15
MAX_CELLS = 2**62
KEYS_AT_ONCE = 32_768
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
    starts, last = table.starts, np.empty(len(table), np.int64)
    for at in range(0, len(table), KEYS_AT_ONCE):
        stops = table.stops[at : at + KEYS_AT_ONCE]
        begin = int(starts[at])
        slashes = np.flatnonzero(table.text.letters[begin : stops[-1]] == _SLASH)
        slashes = np.concatenate((np.full(1, -1, np.int64), slashes + begin))
        last[at : at + KEYS_AT_ONCE] = slashes[np.searchsorted(slashes, stops) - 1]
    return np.flatnonzero(~table.text.repeats(starts, np.maximum(last, starts)))


def _owner(folder: str, paths: Collection[str]) -> str | None:
    """Return the nearest array at or above a folder."""
    while True:
        if folder in paths:
            return folder
        if not folder:
            return None
        folder = folder.rpartition("/")[0]


def positions(
    table: ReferenceTable, runs: Runs, form: KeyForm, grid_shape: tuple[int, ...]
) -> Int64s:
    """Return the C-order position in the chunk grid of each key of some runs of rows.

    Raises CorruptFileError for a key that is not of this form or lies outside the grid.
    """
    if not runs:
        return np.zeros(0, np.int64)
    if not grid_shape:
        keys = list(table.names(runs))
        wrong = [key for key in keys if key not in form.scalars]
        if wrong or len(keys) > 1:
            key = wrong[0] if wrong else keys[1]
            raise CorruptFileError("this is no key of an array without axes", node=key)
        return np.zeros(1, np.int64)
    if prod(grid_shape) > MAX_CELLS:
        raise CorruptFileError(f"a chunk grid of {grid_shape} chunks")
    starts, stops = rows_of(table.starts, runs), rows_of(table.stops, runs)
    steps = [prod(grid_shape[axis + 1 :]) for axis in range(len(grid_shape))]
    found = np.zeros(len(starts), np.int64)
    outside = np.zeros(len(starts), np.bool_)
    for at in range(0, len(starts), KEYS_AT_ONCE):
        part = slice(at, at + KEYS_AT_ONCE)
        axes = _indices(table.text, starts[part], stops[part], form, len(grid_shape))
        if axes is None:
            _refuse(table.names(runs), form, len(grid_shape))
        for index, step, count in zip(axes, steps, grid_shape, strict=True):
            found[part] += index * step
            outside[part] |= index >= count
    if outside.any():
        row = int(np.argmax(outside))
        key = table.text.between(int(starts[row]), int(stops[row])).decode()
        raise CorruptFileError(f"the chunk lies outside the grid of {grid_shape} chunks", node=key)
    return found


def _indices(
    text: Text, starts: Int64s, stops: Int64s, form: KeyForm, ndim: int
) -> list[Int64s] | None:
    """Return the indices in keys for each axis; None if a key is not of the form.

    A key is read from its end: an index, a separator, an index, ... and then the prefix.
    """
    axes: list[Int64s] = []
    ends = stops
    for axis in range(ndim):
        if axis:
            ends = ends - 1
            if (text.letters[ends] != ord(form.separator)).any():
                return None
        values, digits = text.numbers_before(ends)
        if not are_plain(values, digits, MAX_DIGITS):
            return None
        axes.append(values.view(np.int64))
        ends = ends - digits
    prefix = form.prefix.encode()
    if (ends - starts != len(prefix)).any() or not text.repeats(starts, ends)[1:].all():
        return None
    alike = text.between(int(starts[0]), int(ends[0])) == prefix
    return axes[::-1] if alike else None


def _refuse(keys: Iterable[str], form: KeyForm, ndim: int) -> NoReturn:
    """Raise CorruptFileError naming the first key that is not of the form."""
    for key in keys:
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
    """Return the paths of the nodes that have a metadata document of this name.

    Raises CorruptFileError for a path with an empty name in it, which no reader asks for and which
    would be that of another node.
    """
    found: list[str] = []
    for key in documents:
        path, slash, last = key.rpartition("/")
        if last == name:
            if slash and "" in path.split("/"):
                raise CorruptFileError(f"the key {key!r:.80} has an empty name in it")
            found.append(path)
    return found
