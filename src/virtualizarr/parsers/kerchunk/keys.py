"""Chunk keys, sorted to their arrays and turned into grid positions, as columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.kerchunk.document import METADATA_NAMES

MAX_DIGITS = 15
MAX_CELLS = 2**62
_ZERO, _NINE = ord("0"), ord("9")
_INDEX = re.compile(rf"0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}}")

type Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How an array spells its chunk keys: `prefix`, then indices joined by `separator`.

    `prefix` is what all keys of the array begin with, the array's path and in Zarr v3 "c".
    `scalars` are the spellings of the one key of an array without axes.
    """

    prefix: str
    separator: str
    scalars: tuple[str, ...]


def keys_by_array(keys: Sequence[str], paths: Collection[str]) -> dict[str, list[str]]:
    """Return the chunk keys of each array, in the order given.

    `paths` are those of all arrays. Raises CorruptFileError for a key that is neither metadata nor
    below an array.
    """
    folders = [key.rpartition("/")[0] for key in keys]
    owners: dict[str, str | None] = {}
    for folder in dict.fromkeys(folders):
        owners[folder] = _owner(folder, paths)
    if len(owners) == 1:
        (owner,) = owners.values()
        found = {owner: list(keys)}
    else:
        found = {}
        numbers = {owner: i for i, owner in enumerate(dict.fromkeys(owners.values()))}
        codes = {folder: numbers[owner] for folder, owner in owners.items()}
        column = np.fromiter(map(codes.__getitem__, folders), np.int64, len(folders))
        order = np.argsort(column, kind="stable")
        bounds = np.searchsorted(column[order], np.arange(len(numbers) + 1))
        ordered = np.array(keys, object)[order]
        for owner, i in numbers.items():
            found[owner] = ordered[bounds[i] : bounds[i + 1]].tolist()
    strays = [key for key in found.pop(None, []) if not key.endswith(METADATA_NAMES)]
    if strays:
        raise CorruptFileError(
            f"{len(strays)} keys belong to no array; the first is {strays[0]!r}", node=strays[0]
        )
    return {owner: own for owner, own in found.items() if owner is not None}


def _owner(folder: str, paths: Collection[str]) -> str | None:
    """Return the nearest array at or above a folder."""
    while True:
        if folder in paths:
            return folder
        if not folder:
            return None
        folder = folder.rpartition("/")[0]


def positions(keys: Sequence[str], form: KeyForm, grid_shape: tuple[int, ...]) -> Int64s:
    """Return the C-order position in the chunk grid of each key.

    Raises CorruptFileError for a key that is not of this form or lies outside the grid.
    """
    if not keys:
        return np.zeros(0, np.int64)
    if not grid_shape:
        wrong = [key for key in keys if key not in form.scalars]
        if wrong or len(keys) > 1:
            raise CorruptFileError(f"{(wrong or keys)[0]!r} is no key of an array without axes")
        return np.zeros(1, np.int64)
    if prod(grid_shape) > MAX_CELLS:
        raise CorruptFileError(f"a chunk grid of {grid_shape} chunks")
    index = _indices(keys, form, len(grid_shape))
    outside = (index >= np.array(grid_shape, np.int64)).any(axis=1)
    if outside.any():
        key = keys[int(np.argmax(outside))]
        raise CorruptFileError(
            f"chunk {key!r} lies outside the grid of {grid_shape} chunks", node=key
        )
    steps = [prod(grid_shape[axis + 1 :]) for axis in range(len(grid_shape))]
    return index @ np.array(steps, np.int64)


def _indices(keys: Sequence[str], form: KeyForm, ndim: int) -> Int64s:
    """Return the indices in the keys, `(len(keys), ndim)`, by arithmetic on their characters."""
    text = "\n".join(keys) + "\n"
    if not text.isascii() or text.count("\n") != len(keys):
        _refuse(keys, form, ndim)
    if form.prefix:
        if ("\n" + text).count("\n" + form.prefix) != len(keys):
            _refuse(keys, form, ndim)
        text = ("\n" + text).replace("\n" + form.prefix, "\n")[1:]
    letters = np.frombuffer(text.encode(), np.uint8)
    is_digit = (letters >= _ZERO) & (letters <= _NINE)
    stops = np.flatnonzero(~is_digit)
    marks = letters[stops]
    expected = np.frombuffer((form.separator * (ndim - 1) + "\n").encode(), np.uint8)
    if len(stops) != len(keys) * ndim or (marks.reshape(-1, ndim) != expected).any():
        _refuse(keys, form, ndim)
    starts = np.concatenate(([0], stops[:-1] + 1))
    digits = stops - starts
    padded = (digits > 1) & (letters[starts] == _ZERO)
    if digits.min() < 1 or digits.max() > MAX_DIGITS or padded.any():
        _refuse(keys, form, ndim)
    values = letters[stops - 1].astype(np.int64) - _ZERO
    for place in range(1, int(digits.max())):
        has = digits > place
        values[has] += (letters[stops[has] - 1 - place].astype(np.int64) - _ZERO) * 10**place
    return values.reshape(-1, ndim)


def _refuse(keys: Sequence[str], form: KeyForm, ndim: int) -> None:
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


def paths_of(documents: Mapping[str, object], name: str) -> list[str]:
    """Return the paths of the nodes that have a metadata document of this name."""
    return [
        key.removesuffix(name).rstrip("/") for key in documents if key.rpartition("/")[2] == name
    ]
