"""Chunk keys, sorted to their arrays and turned into grid positions, as columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.kerchunk.document import METADATA_NAMES

MAX_DIGITS = 15
MAX_CELLS = 2**62
_ZERO, _NINE, _SLASH, _LINE = ord("0"), ord("9"), ord("/"), ord("\n")
_INDEX = re.compile(rf"0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}}")

type Int64s = npt.NDArray[np.int64]
type Runs = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How an array spells its chunk keys: `prefix`, then indices joined by `separator`.

    `prefix` is what all keys of the array begin with, the array's path and in Zarr v3 "c".
    `scalars` are the spellings of the one key of an array without axes.
    """

    prefix: str
    separator: str
    scalars: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class KeyTable:
    """All keys of a document: as a list, and as lines of UTF-8 text.

    Line `i` is `text[starts[i] : stops[i]]`, and a line feed follows it.
    """

    names: Sequence[str]
    text: bytes
    starts: Int64s
    stops: Int64s

    @classmethod
    def of(cls, refs: Mapping[str, object]) -> KeyTable:
        """Raises CorruptFileError for keys that are not text of one line."""
        names = list(refs)
        try:
            text = ("\n".join(names) + "\n").encode() if names else b""
        except (TypeError, UnicodeEncodeError) as error:
            raise CorruptFileError(f"a key of the references is not text: {error}") from error
        stops = np.flatnonzero(np.frombuffer(text, np.uint8) == _LINE)
        if len(stops) != len(names):
            raise CorruptFileError("a key of the references has a line break in it")
        starts = np.concatenate((np.zeros(1, np.int64), stops[:-1] + 1))[: len(names)]
        return cls(names, text, starts, stops)

    def metadata_keys(self) -> list[int]:
        """Return the numbers of the keys whose last part names a metadata document."""
        letters = np.frombuffer(self.text, np.uint8)
        last = letters[np.maximum(self.stops - 1, 0)] if len(self.names) else letters
        candidates = np.flatnonzero((last < _ZERO) | (last > _NINE)).tolist()
        return [i for i in candidates if self.names[i].rpartition("/")[2] in METADATA_NAMES]

    def lines(self, runs: Runs) -> bytes:
        """Return the lines of some runs of keys."""
        return b"".join(self.text[self.starts[i] : self.stops[j - 1] + 1] for i, j in runs)


def runs_by_array(
    table: KeyTable, metadata: Sequence[int], paths: Collection[str]
) -> dict[str, Runs]:
    """Return which runs of keys are chunks of each array, metadata keys left out.

    `paths` are those of all arrays. Raises CorruptFileError for a key that is neither metadata nor
    below an array.
    """
    heads = _folder_heads(table)
    is_head = np.zeros(len(table.names) + 1, np.bool_)
    is_head[heads] = True
    is_head[metadata] = True
    is_head[np.asarray(metadata, np.int64) + 1] = True
    bounds = np.flatnonzero(is_head[:-1]).tolist()
    described = set(metadata)
    owners: dict[str, str | None] = {}
    found: dict[str, Runs] = {}
    for begin, end in zip(bounds, [*bounds[1:], len(table.names)], strict=True):
        if begin in described:
            continue
        folder = table.names[begin].rpartition("/")[0]
        if folder not in owners:
            owners[folder] = _owner(folder, paths)
        owner = owners[folder]
        if owner is None:
            raise CorruptFileError("the key belongs to no array", node=table.names[begin])
        runs = found.setdefault(owner, [])
        if runs and runs[-1][1] == begin:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((begin, end))
    return found


def _folder_heads(table: KeyTable) -> Int64s:
    """Return the keys whose folder (what precedes the last slash) is not that of the key before."""
    count = len(table.names)
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


def positions(
    keys: Sequence[str], lines: bytes, form: KeyForm, grid_shape: tuple[int, ...]
) -> Int64s:
    """Return the C-order position in the chunk grid of each key; `lines` are the keys as lines.

    Raises CorruptFileError for a key that is not of this form or lies outside the grid.
    """
    if not keys:
        return np.zeros(0, np.int64)
    if not grid_shape:
        wrong = [key for key in keys if key not in form.scalars]
        if wrong or len(keys) > 1:
            key = wrong[0] if wrong else keys[1]
            raise CorruptFileError("this is no key of an array without axes", node=key)
        return np.zeros(1, np.int64)
    if prod(grid_shape) > MAX_CELLS:
        raise CorruptFileError(f"a chunk grid of {grid_shape} chunks")
    index = _indices(keys, lines, form, len(grid_shape))
    if (index.max(axis=0) >= grid_shape).any():
        outside = (index >= np.array(grid_shape, np.int64)).any(axis=1)
        key = keys[int(np.argmax(outside))]
        raise CorruptFileError(f"the chunk lies outside the grid of {grid_shape} chunks", node=key)
    steps = [prod(grid_shape[axis + 1 :]) for axis in range(len(grid_shape))]
    return index @ np.array(steps, np.int64)


def _indices(keys: Sequence[str], lines: bytes, form: KeyForm, ndim: int) -> Int64s:
    """Return the indices in the keys, `(len(keys), ndim)`, by arithmetic on their characters."""
    start = b"\n" + form.prefix.encode()
    text = b"\n" + lines[:-1]
    if text.count(start) != len(keys):
        _refuse(keys, form, ndim)
    letters = np.frombuffer(text.replace(start, b"\n")[1:] + b"\n", np.uint8)
    stops = np.flatnonzero((letters < _ZERO) | (letters > _NINE))
    marks = letters[stops]
    expected = np.frombuffer((form.separator * (ndim - 1) + "\n").encode(), np.uint8)
    if len(stops) != len(keys) * ndim or (marks.reshape(-1, ndim) != expected).any():
        _refuse(keys, form, ndim)
    starts = np.concatenate((np.zeros(1, np.int64), stops[:-1] + 1))
    digits = stops - starts
    padded = (digits > 1) & (letters[starts] == _ZERO)
    longest = int(digits.max())
    if digits.min() < 1 or longest > MAX_DIGITS or padded.any():
        _refuse(keys, form, ndim)
    values = letters[stops - 1].astype(np.int64) - _ZERO
    for place in range(1, longest):
        has = np.flatnonzero(digits > place)
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


def paths_of(documents: Iterable[str], name: str) -> list[str]:
    """Return the paths of the nodes that have a metadata document of this name."""
    return [
        key.removesuffix(name).rstrip("/") for key in documents if key.rpartition("/")[2] == name
    ]
