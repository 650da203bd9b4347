"""The chunk manifest: where each chunk's bytes lie, one column per fact.

Ten million references are four numpy arrays and a short tuple of locations, not ten million rows:
16 bytes a reference, none for cells that are missing or that repeat (stride-0 columns).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt

MISSING = np.uint32(0xFFFF_FFFF)
INLINE = np.uint32(0xFFFF_FFFE)

type Column = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Location:
    """A file, and what was known of it when it was parsed.

    Two locations are equal if their URLs are: the other fields are evidence, not identity. `size` is
    in bytes, `last_modified` is timezone-aware; None where the store did not say.
    """

    url: str
    size: int | None = field(default=None, compare=False)
    etag: str | None = field(default=None, compare=False)
    last_modified: datetime | None = field(default=None, compare=False)


class ChunkManifest:
    """References to the chunks of one array.

    `location`, `offset` and `length` are read-only arrays over the chunk grid. `location` holds codes:
    an index into `locations`, or `MISSING` (the chunk holds only the fill value), or `INLINE` (its
    bytes are `inline[offset : offset + length]`). Cells of missing chunks hold zeros in `offset` and
    `length`, so that equal manifests are equal arrays.
    """

    __slots__ = ("_inline", "_length", "_location", "_locations", "_offset")

    _locations: tuple[Location, ...]
    _location: npt.NDArray[np.uint32]
    _offset: npt.NDArray[np.uint64]
    _length: Column
    _inline: bytes

    @classmethod
    def from_columns(
        cls,
        locations: tuple[Location, ...],
        location: npt.NDArray[np.uint32],
        offset: npt.NDArray[np.uint64],
        length: Column,
        inline: bytes = b"",
    ) -> Self:
        """Build from columns of one shape, the chunk grid's. They are kept, not copied."""
        self = object.__new__(cls)
        if not location.shape == offset.shape == length.shape:
            raise ValueError(
                f"columns differ in shape: {location.shape}, {offset.shape}, {length.shape}"
            )
        self._locations = locations
        self._location = _frozen(location)
        self._offset = _frozen(offset)
        self._length = _frozen(length)
        self._inline = inline
        return self

    @property
    def locations(self) -> tuple[Location, ...]:
        """The files referred to, each once; `location` codes index this tuple."""
        return self._locations

    @property
    def location(self) -> npt.NDArray[np.uint32]:
        """Codes into `locations`, or MISSING, or INLINE."""
        return self._location

    @property
    def offset(self) -> npt.NDArray[np.uint64]:
        """First byte of each chunk, in its file (or in `inline`)."""
        return self._offset

    @property
    def length(self) -> Column:
        """Stored bytes of each chunk; uint32 where all fit, else uint64."""
        return self._length

    @property
    def inline(self) -> bytes:
        """The bytes of all inline chunks."""
        return self._inline

    @classmethod
    def empty(cls, grid_shape: tuple[int, ...]) -> Self:
        """Return a manifest whose every chunk is missing. Costs nothing, whatever the grid."""
        return cls.from_columns(
            (),
            np.broadcast_to(MISSING, grid_shape),
            np.broadcast_to(np.uint64(0), grid_shape),
            np.broadcast_to(np.uint32(0), grid_shape),
        )

    @classmethod
    def inlined(cls, data: bytes) -> Self:
        """Return the manifest of a scalar-grid-like array stored as one inline chunk of `data`.

        Its grid shape is `()`; use `reshape_grid` for an array with axes.
        """
        return cls.from_columns(
            (),
            np.full((), INLINE, np.uint32),
            np.zeros((), np.uint64),
            np.full((), len(data), np.uint64),
            data,
        )

    @classmethod
    def single_file(
        cls,
        location: Location,
        offset: npt.NDArray[np.uint64],
        length: npt.NDArray[np.unsignedinteger[Any]] | int,
        present: npt.NDArray[np.bool_] | None = None,
    ) -> Self:
        """Return the manifest of chunks that all lie in one file.

        `offset` has the chunk grid's shape; `length` too, or is one number for all. Where `present` is
        False the chunk is missing.
        """
        lengths = narrowed(np.broadcast_to(np.asarray(length, np.uint64), offset.shape))
        if present is None:
            return cls.from_columns(
                (location,), np.broadcast_to(np.uint32(0), offset.shape), offset, lengths
            )
        return cls.from_columns(
            (location,),
            np.where(present, np.uint32(0), MISSING),
            np.where(present, offset, np.uint64(0)),
            np.where(present, lengths, lengths.dtype.type(0)),
        )

    def reshape_grid(self, grid_shape: tuple[int, ...]) -> Self:
        """Return the same references over a chunk grid of another shape, in C order."""
        return self.from_columns(
            self._locations,
            self._location.reshape(grid_shape),
            self._offset.reshape(grid_shape),
            self._length.reshape(grid_shape),
            self._inline,
        )

    @property
    def shape_chunk_grid(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return self._location.shape

    @property
    def ndim_chunk_grid(self) -> int:
        """Number of axes of the chunk grid."""
        return self._location.ndim

    def rename_paths(self, new: str | Callable[[str], str]) -> Self:
        """Return a manifest whose locations are renamed; missing and inline chunks stay what they are.

        `new` is the URL for every reference, or a function from old URL to new.
        """
        rename = (lambda _: new) if isinstance(new, str) else new
        return self.from_columns(
            tuple(replace(location, url=rename(location.url)) for location in self._locations),
            self._location,
            self._offset,
            self._length,
            self._inline,
        )


def narrowed(length: Column) -> Column:
    """Return lengths as uint32 where every one fits, keeping stride-0 columns at no cost."""
    if length.dtype == np.uint32:
        return length
    if length.size == 0 or int(length.max()) < 2**32:
        if length.size and not any(length.strides):
            return np.broadcast_to(np.uint32(length.flat[0]), length.shape)
        return length.astype(np.uint32)
    return length


def _frozen[A: npt.NDArray[Any]](column: A) -> A:
    if column.flags.writeable:
        column = column.view()
        column.flags.writeable = False
    return column
