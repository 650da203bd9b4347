"""The values of references, as the columns of a chunk manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, Location
from virtualizarr.parsers.kerchunk.document import inline_bytes

MAX_BYTE = 2**63 - 1
FREE_CELLS = 2**20
CELLS_PER_REFERENCE = 1024

type Sizes = Mapping[str, int]
type Int64s = npt.NDArray[np.int64]


def manifest_of(
    keys: Sequence[str],
    values: Sequence[Any],
    positions: Int64s,
    grid_shape: tuple[int, ...],
    resolve: Callable[[str], str],
    sizes: Sizes,
) -> ChunkManifest:
    """Return the manifest of an array from its references.

    `positions` are where in the grid (C order) each belongs. `resolve` turns the text of a
    reference into a URL; `sizes` holds the bytes of files that are referred to as a whole, by URL.
    Raises CorruptFileError for malformed references, UnsupportedFeatureError for what they cannot
    say here, naming the key.
    """
    cells = prod(grid_shape)
    if not len(keys):
        return ChunkManifest.empty(grid_shape)
    if cells > FREE_CELLS and cells > CELLS_PER_REFERENCE * len(keys):
        raise UnsupportedFeatureError(
            f"a chunk grid of {cells:,} cells of which {len(keys):,} are stored is too sparse"
        )
    if set(map(type, values)) == {list} and set(map(len, values)) == {3}:
        locations, location, offset, length = _ranges(keys, values, resolve)
        inline = b""
    else:
        whole = _spelled_out(keys, values, resolve, sizes)
        locations, location, offset, length, inline = whole
    return ChunkManifest.from_columns(
        locations,
        _spread(location, positions, grid_shape, MISSING),
        _spread(offset, positions, grid_shape, np.uint64(0)),
        _narrowed(_spread(length, positions, grid_shape, np.uint64(0))),
        inline,
    )


def whole_files(refs: Mapping[str, Any]) -> list[str]:
    """Return the texts of references to whole files, each once."""
    found = [value for value in refs.values() if type(value) is list and len(value) == 1]
    return list(dict.fromkeys(value[0] for value in found if isinstance(value[0], str)))


type _Columns = tuple[
    tuple[Location, ...],
    npt.NDArray[np.uint32],
    npt.NDArray[np.uint64],
    npt.NDArray[np.uint64],
]


def _ranges(
    keys: Sequence[str], values: Sequence[Sequence[Any]], resolve: Callable[[str], str]
) -> _Columns:
    """Return the columns of `[url, offset, length]` values."""
    texts = list(map(itemgetter(0), values))
    if set(map(type, texts)) != {str}:
        key = next(k for k, text in zip(keys, texts, strict=True) if not isinstance(text, str))
        raise UnsupportedFeatureError("a reference that names no file", node=key)
    urls: dict[str, int] = {}
    codes = {text: urls.setdefault(resolve(text), len(urls)) for text in dict.fromkeys(texts)}
    location = np.fromiter(map(codes.__getitem__, texts), np.uint32, len(texts))
    offset = _whole_numbers(keys, list(map(itemgetter(1), values)), "offset")
    length = _whole_numbers(keys, list(map(itemgetter(2), values)), "length")
    beyond = offset > np.uint64(MAX_BYTE) - length
    if beyond.any():
        raise CorruptFileError(
            "the reference lies beyond any file", node=keys[int(np.argmax(beyond))]
        )
    return tuple(map(Location, urls)), location, offset, length


def _whole_numbers(keys: Sequence[str], numbers: list[Any], what: str) -> npt.NDArray[np.uint64]:
    if set(map(type, numbers)) == {int}:
        try:
            column = np.array(numbers, np.int64)
        except OverflowError:
            column = np.full(1, -1, np.int64)
        if column.min() >= 0:
            return column.astype(np.uint64)
    for key, number in zip(keys, numbers, strict=True):
        if type(number) is not int or not 0 <= number <= MAX_BYTE:
            raise CorruptFileError(f"the {what} of a reference is {number!r:.80}", node=key)
    return np.zeros(0, np.uint64)


def _spelled_out(
    keys: Sequence[str], values: Sequence[Any], resolve: Callable[[str], str], sizes: Sizes
) -> tuple[*tuple[Any, ...]]:
    """Return the columns of values of all kinds, and the bytes of the inline ones."""
    kinds = np.fromiter(map(_kind, values), np.int8, len(values))
    if (kinds == _OTHER).any():
        at = int(np.argmax(kinds == _OTHER))
        raise CorruptFileError(f"the reference is {values[at]!r:.80}", node=keys[at])
    location = np.full(len(values), INLINE, np.uint32)
    offset, length = np.zeros(len(values), np.uint64), np.zeros(len(values), np.uint64)
    inlined = np.flatnonzero(kinds == _INLINE).tolist()
    pieces = [inline_bytes(values[i], keys[i]) for i in inlined]
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.uint64)
    length[inlined] = np.diff(ends, prepend=np.uint64(0))
    offset[inlined] = ends - length[inlined]
    ranged = np.flatnonzero(kinds != _INLINE).tolist()
    locations: tuple[Location, ...] = ()
    if ranged:
        own_keys = [keys[i] for i in ranged]
        triples = [_triple(values[i], keys[i], resolve, sizes) for i in ranged]
        columns = _ranges(own_keys, triples, resolve)
        locations, location[ranged], offset[ranged], length[ranged] = columns
    return locations, location, offset, length, b"".join(pieces)


_INLINE, _RANGE, _WHOLE, _OTHER = range(4)


def _kind(value: Any) -> int:
    if isinstance(value, str):
        return _INLINE
    if isinstance(value, list):
        return {1: _WHOLE, 3: _RANGE}.get(len(value), _OTHER)
    return _OTHER


def _triple(
    value: list[Any], key: str, resolve: Callable[[str], str], sizes: Sizes
) -> Sequence[Any]:
    """Return a reference with offset and length, those of the whole file where it has none."""
    if len(value) == 3 or not isinstance(value[0], str):
        return value if len(value) == 3 else (value[0], 0, 0)
    size = sizes.get(resolve(value[0]))
    if size is None:
        raise UnsupportedFeatureError(
            f"a reference to all of {value[0]!r}, whose size is not known", node=key
        )
    return (value[0], 0, size)


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


def _narrowed(length: npt.NDArray[np.uint64]) -> npt.NDArray[np.unsignedinteger[Any]]:
    return length.astype(np.uint32) if int(length.max()) < 2**32 else length
