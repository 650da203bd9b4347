"""The values of references, as the columns of a chunk manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, Location
from virtualizarr.model.columns import narrowed
from virtualizarr.parsers.kerchunk.digits import Int64s
from virtualizarr.parsers.kerchunk.document import inline_bytes
from virtualizarr.parsers.kerchunk.table import (
    MAX_BYTE,
    OTHER,
    ReferenceTable,
    Runs,
    rows_of,
)

FREE_CELLS = 2**20
CELLS_PER_REFERENCE = 1024
URLS_PER_REFERENCE = 4

type Sizes = Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """What is known of the files that references lead to.

    `resolve` turns the text of a reference into a URL; by URL, `sizes` holds the bytes of files
    that are referred to as a whole, and `known` what was noted when they were parsed.
    """

    resolve: Callable[[str], str]
    sizes: Sizes
    known: Mapping[str, Location]

    def locations(self, urls: Iterable[str]) -> tuple[Location, ...]:
        """Return the locations at some URLs."""
        known = self.known
        return tuple(known[url] if url in known else Location(url) for url in urls)


def manifest_of(
    table: ReferenceTable,
    runs: Runs,
    positions: Int64s,
    grid_shape: tuple[int, ...],
    files: Files,
) -> ChunkManifest:
    """Return the manifest of an array, whose references are some runs of rows.

    `positions` are where in the grid (C order) each belongs. Raises CorruptFileError for malformed
    references, UnsupportedFeatureError for what they cannot say here, naming the key.
    """
    cells = prod(grid_shape)
    if not len(positions):
        return ChunkManifest.empty(grid_shape)
    if cells > FREE_CELLS and cells > CELLS_PER_REFERENCE * len(positions):
        raise UnsupportedFeatureError(
            f"a chunk grid of {cells:,} cells of which {len(positions):,} are stored is too sparse"
        )
    numbers = _Numbers(files.resolve)
    location = numbers.of(rows_of(table.code, runs), table.urls)
    offset = rows_of(table.offset, runs).astype(np.uint64)
    length = rows_of(table.length, runs).astype(np.uint64)
    inline = _fill_others(table, runs, numbers, files.sizes, (location, offset, length))
    return ChunkManifest.from_columns(
        files.locations(numbers.urls),
        _spread(location, positions, grid_shape, MISSING),
        _spread(offset, positions, grid_shape, np.uint64(0)),
        narrowed(_spread(length, positions, grid_shape, np.uint64(0))),
        inline,
    )


class _Numbers:
    """The files of one array, numbered as they come."""

    __slots__ = ("resolve", "urls")

    def __init__(self, resolve: Callable[[str], str]) -> None:
        self.resolve = resolve
        self.urls: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.urls.setdefault(self.resolve(text), len(self.urls))

    def of(self, code: npt.NDArray[np.uint32], urls: Sequence[str]) -> npt.NDArray[np.uint32]:
        """Return the file of each code, MISSING for `OTHER`."""
        if len(urls) > URLS_PER_REFERENCE * len(code):
            found = np.unique(code)
            theirs = [self.number(urls[i]) if i < OTHER else MISSING for i in found.tolist()]
            return np.array(theirs, np.uint32)[np.searchsorted(found, code)]
        places = np.minimum(code, len(urls))
        new = np.full(len(urls) + 1, MISSING, np.uint32)
        is_used = np.zeros(len(urls) + 1, np.bool_)
        is_used[places] = True
        used = np.flatnonzero(is_used[:-1])
        new[used] = [self.number(urls[i]) for i in used.tolist()]
        return new[places]


type _Writable = tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


def _fill_others(
    table: ReferenceTable, runs: Runs, numbers: _Numbers, sizes: Sizes, columns: _Writable
) -> bytes:
    """Put the references that are no plain byte ranges into the columns; return inline bytes."""
    location, offset, length = columns
    others = np.flatnonzero(location == MISSING).tolist()
    if not others:
        return b""
    rows = np.concatenate([np.arange(begin, end) for begin, end in runs])
    inline: list[bytes] = []
    held = 0
    for i in others:
        key, value = table.name(rows[i]), table.others[int(rows[i])]
        if isinstance(value, str):
            inline.append(inline_bytes(value, key))
            location[i], offset[i], length[i] = INLINE, held, len(inline[-1])
            held += len(inline[-1])
            continue
        text = _named_file(value, key)
        location[i] = numbers.number(text)
        length[i] = _size(numbers.resolve(text), sizes, key)
    return b"".join(inline)


def _named_file(value: Any, key: str) -> str:
    """Return the text of a reference to a file as a whole; raise what is wrong with others."""
    if not isinstance(value, list) or len(value) not in (1, 3):
        raise CorruptFileError(f"the reference is {value!r:.80}", node=key)
    if not isinstance(value[0], str):
        raise UnsupportedFeatureError("a reference that names no file", node=key)
    if len(value) == 1:
        return value[0]
    for what, number in zip(("offset", "length"), value[1:], strict=True):
        if type(number) is not int or not 0 <= number <= MAX_BYTE:
            raise CorruptFileError(f"the {what} of a reference is {number!r:.80}", node=key)
    raise CorruptFileError("the reference lies beyond any file", node=key)


def _size(url: str, sizes: Sizes, key: str) -> int:
    size = sizes.get(url)
    if size is None:
        raise UnsupportedFeatureError(
            f"a reference to all of {url}, whose size is not known", node=key
        )
    return size


def _spread[A: npt.NDArray[Any]](
    column: A, positions: Int64s, grid_shape: tuple[int, ...], missing: np.generic
) -> A:
    """Return a column over the chunk grid, `missing` where there is no reference."""
    cells = prod(grid_shape)
    if len(positions) == cells and (np.diff(positions) == 1).all():
        return column.reshape(grid_shape)  # type: ignore[return-value]
    spread = np.full(cells, missing, column.dtype)
    spread[positions] = column
    return spread.reshape(grid_shape)  # type: ignore[return-value]
