"""The rows of all files of an array, gathered into its chunk manifest."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, ChunkManifest
from virtualizarr.model.columns import narrowed
from virtualizarr.parsers.kerchunk.columns import CELLS_PER_REFERENCE, FREE_CELLS, Files, Sizes
from virtualizarr.parsers.kerchunk.partition import Partition


class Gathered:
    """The references of one array, added file by file."""

    __slots__ = ("_numbers", "_parts", "_resolve", "_rows", "_shape")

    def __init__(self, grid_shape: tuple[int, ...], resolve: Callable[[str], str]) -> None:
        """`resolve` turns the text of a path into a URL."""
        self._shape = grid_shape
        self._resolve = resolve
        self._numbers: dict[str, int] = {}
        self._parts: list[tuple[int, Partition]] = []
        self._rows = 0

    def add(self, start: int, part: Partition) -> None:
        """Add the rows of the file whose first row is chunk `start`, counted in C order.

        Raises CorruptFileError for a reference outside the grid.
        """
        rows = min(prod(self._shape) - start, len(part.code))
        inlined_outside = len(part.inlined) and int(part.inlined[-1]) >= rows
        if inlined_outside or (part.code[rows:] >= 0).any():
            raise CorruptFileError(
                f"there are references after the last of the grid's {self._shape} chunks"
            )
        if not len(part.inlined) and not (part.code >= 0).any():
            return
        codes = [self._number(text) for text in part.paths]
        table = np.array([*codes, -1], np.int64)
        self._parts.append((start, part._replace(paths=(), code=table[part.code[:rows]])))
        self._rows += rows

    def _number(self, text: str) -> int:
        return self._numbers.setdefault(self._resolve(text), len(self._numbers))

    def whole_files(self) -> list[str]:
        """Return the URLs that are referred to as a whole: offset and size are zero."""
        urls = list(self._numbers)
        found: dict[int, None] = {}
        for _, part in self._parts:
            found.update(dict.fromkeys(part.code[_whole(part)].tolist()))
        return [urls[number] for number in found]

    def manifest(self, files: Files) -> ChunkManifest:
        """Return the manifest; `files` has the sizes of `whole_files`.

        Raises UnsupportedFeatureError for a file whose size is not known, and for a grid that is
        nearly empty.
        """
        cells = prod(self._shape)
        if not self._parts:
            return ChunkManifest.empty(self._shape)
        if cells > FREE_CELLS and cells > CELLS_PER_REFERENCE * self._rows:
            raise UnsupportedFeatureError(
                f"a chunk grid of {cells:,} cells with {self._rows:,} rows is too sparse"
            )
        whole_sizes = self._whole_sizes(files.sizes)
        location = np.full(cells, MISSING, np.uint32)
        offset, length = np.zeros(cells, np.uint64), np.zeros(cells, np.uint64)
        inline: list[bytes] = []
        held = 0
        for start, part in self._parts:
            rows = slice(start, start + len(part.code))
            ranged = part.code >= 0
            code = part.code.astype(np.uint32)
            code[~ranged] = MISSING
            size = np.where(_whole(part), whole_sizes[part.code], part.size[: len(code)])
            location[rows] = code
            offset[rows] = np.where(ranged, part.offset[: len(code)], 0)
            length[rows] = np.where(ranged, size, 0)
            places = part.inlined + start
            location[places] = INLINE
            offset[places] = np.cumsum(part.inline_sizes) - part.inline_sizes + held
            length[places] = part.inline_sizes
            inline.append(part.inline)
            held += len(part.inline)
        return ChunkManifest.from_columns(
            files.locations(self._numbers),
            location.reshape(self._shape),
            offset.reshape(self._shape),
            narrowed(length).reshape(self._shape),
            b"".join(inline),
        )

    def _whole_sizes(self, sizes: Sizes) -> npt.NDArray[np.int64]:
        """Return the size of each file where it is referred to as a whole, by number."""
        known = np.zeros(len(self._numbers) + 1, np.int64)
        for url in self.whole_files():
            if url not in sizes:
                raise UnsupportedFeatureError(f"a reference to all of {url}, of unknown size")
            known[self._numbers[url]] = sizes[url]
        return known


def _whole(part: Partition) -> npt.NDArray[np.bool_]:
    rows = len(part.code)
    whole: npt.NDArray[np.bool_] = (part.offset[:rows] == 0) & (part.size[:rows] == 0)
    return whole & (part.code >= 0)
