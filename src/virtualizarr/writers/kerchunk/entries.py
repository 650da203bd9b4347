"""References as text: keys and values of an array's chunks, block by block."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from itertools import compress, product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.model import INLINE, MISSING, ChunkManifest

BLOCK = 4096
DENSE = 4

type Row = type[list[Any] | tuple[Any, ...]]
type Value = str | list[Any] | tuple[Any, ...]
type Block = dict[str, Value]


def entries(
    manifest: ChunkManifest,
    prefix: str,
    separator: str,
    scalar: str,
    literal: Callable[[str], str],
    row: Row = list,
) -> Iterator[Block]:
    """Yield the references of an array, some thousands at a time, in C order.

    Keys are `prefix` and the indices joined by `separator`, or `scalar` for an array without axes;
    `literal` writes a location's URL. Byte ranges are of type `row`: tuples are cheaper to make,
    and JSON does not tell them from lists. Missing chunks have no entry.
    """
    codes = manifest.location.reshape(-1)
    present = np.flatnonzero(codes != MISSING)
    urls = [literal(location.url) for location in manifest.locations]
    offset, length = manifest.offset.reshape(-1), manifest.length.reshape(-1)
    keys = _keys(manifest.shape_chunk_grid, present, prefix, separator, scalar)
    for start in range(0, len(present), BLOCK):
        cells = present[start : start + BLOCK]
        own = [next(keys) for _ in range(len(cells))]
        kinds, begins, sizes = codes[cells], offset[cells], length[cells]
        if not (kinds == INLINE).any():
            yield dict(zip(own, _ranges(kinds, begins, sizes, urls, row), strict=True))
            continue
        yield {
            key: _inline(manifest.inline, begin, size)
            if code == INLINE
            else [urls[code], begin, size]
            for key, code, begin, size in zip(
                own, kinds.tolist(), begins.tolist(), sizes.tolist(), strict=True
            )
        }


def encoded_inline(data: bytes) -> str:
    """Return bytes as an inline value. Always base64: readers take other text for JSON."""
    return "base64:" + base64.b64encode(data).decode()


def _inline(data: bytes, start: int, size: int) -> str:
    return encoded_inline(data[start : start + size])


def _ranges(
    codes: npt.NDArray[np.uint32],
    offset: npt.NDArray[np.uint64],
    length: npt.NDArray[np.unsignedinteger[Any]],
    urls: Sequence[str],
    row: Row,
) -> Iterator[Any]:
    names = map(urls.__getitem__, codes.tolist())
    rows = zip(names, offset.tolist(), length.tolist(), strict=True)
    return rows if row is tuple else map(row, rows)


def _keys(
    grid_shape: tuple[int, ...],
    cells: npt.NDArray[np.int64],
    prefix: str,
    separator: str,
    scalar: str,
) -> Iterator[str]:
    """Yield the keys of cells, given in C order."""
    if not grid_shape:
        return iter([scalar] * len(cells))
    count = prod(grid_shape)
    if len(cells) * DENSE >= count:
        first, *others = ([str(i) for i in range(n)] for n in grid_shape)
        every = map(separator.join, product([prefix + text for text in first], *others))
        if len(cells) == count:
            return every
        wanted = np.zeros(count, np.bool_)
        wanted[cells] = True
        return compress(every, wanted.tolist())
    index = np.unravel_index(cells, grid_shape)
    columns = [map(str, axis.tolist()) for axis in index]
    return (prefix + separator.join(parts) for parts in zip(*columns, strict=True))
