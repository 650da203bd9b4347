"""The chunk manifest: where each chunk's bytes lie, one column per fact.

Ten million references are three numpy arrays and a short tuple of locations, not ten million rows:
16 bytes a reference, none for cells that are missing, that repeat or that are evenly spaced.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from virtualizarr.model.columns import (
    AffineRun,
    Cells,
    Column,
    Offsets,
    as_slice,
    drop_axis,
    frozen,
    insert_axis,
    narrowed,
    offsets_of,
    permute,
    stretch,
    take,
    thin,
)
from virtualizarr.model.compacting import compacted_parts
from virtualizarr.model.entries import (
    entry_at,
    index_of_key,
    iter_entries,
    key_of_index,
    parts_of_arrays,
    parts_of_entries,
)
from virtualizarr.model.equality import cells_equal
from virtualizarr.model.joining import join_references
from virtualizarr.model.location import INLINE, MISSING, Location, Parts, no_references
from virtualizarr.model.measuring import nbytes_held
from virtualizarr.model.sparse import parts_of_rows

__all__ = ["INLINE", "MISSING", "ChunkManifest", "Column", "Location", "narrowed"]

type Entry = dict[str, Any]
type Entries = dict[str, Entry]


class ChunkManifest:
    """References to the chunks of one array.

    `location`, `offset` and `length` are read-only arrays over the chunk grid. `location` holds
    codes: an index into `locations`, or `MISSING` (the chunk holds only the fill value), or
    `INLINE` (its bytes are `inline[offset : offset + length]`). Cells of missing chunks hold zeros
    in `offset` and `length`.
    """

    __slots__ = ("_parts",)

    _parts: Parts

    def __init__(
        self,
        entries: Mapping[str, Mapping[str, Any]],
        shape: tuple[int, ...] | None = None,
        separator: str = ".",
    ) -> None:
        """Build from chunk keys and `{"path": url, "offset": n, "length": n}`.

        `shape` is the chunk grid's; None takes the smallest that holds every key. Slow for millions
        of chunks: `from_columns` and `from_arrays` take arrays. Raises ValueError or TypeError for
        malformed keys and entries.
        """
        self._parts = _frozen(parts_of_entries(entries, shape, separator))

    @classmethod
    def from_columns(
        cls,
        locations: tuple[Location, ...],
        location: npt.NDArray[np.uint32],
        offset: Offsets,
        length: Column,
        inline: bytes = b"",
    ) -> Self:
        """Build from columns of one shape, the chunk grid's. They are kept, not copied."""
        self = object.__new__(cls)
        if not location.shape == offset.shape == length.shape:
            raise ValueError(
                f"columns differ in shape: {location.shape}, {offset.shape}, {length.shape}"
            )
        self._parts = _frozen(Parts(locations, location, offset, length, inline))
        return self

    @classmethod
    def from_arrays(
        cls,
        *,
        paths: npt.NDArray[Any],
        offsets: npt.NDArray[np.uint64],
        lengths: npt.NDArray[np.uint64],
        validate_paths: bool = True,
        inlined: Mapping[tuple[int, ...], bytes] | None = None,
    ) -> Self:
        """Build from arrays over the chunk grid: URLs (`""` where missing) and byte ranges.

        Chunks whose path is `"__inlined__"` take their bytes from `inlined`, by grid index. With
        `validate_paths` absolute paths become `file://` URLs and relative ones are refused.
        Raises TypeError for what is no array, ValueError for a wrong dtype, shape or path.
        """
        return cls.from_columns(*parts_of_arrays(paths, offsets, lengths, validate_paths, inlined))

    @classmethod
    def from_rows(
        cls,
        grid_shape: tuple[int, ...],
        location: Location,
        cell: npt.NDArray[np.int64],
        offset: npt.NDArray[np.uint64],
        length: Column,
        bytes_present: int | None = None,
    ) -> Self:
        """Build from the rows of a sparse index: C-order grid positions and byte ranges.

        Cells without a row are missing. `bytes_present` is the size of the file, if known. Raises
        UnsupportedFeatureError for a nearly empty grid whose columns would need far more memory
        than the file has bytes, CorruptFileError for a position outside the grid or given twice.
        """
        return cls.from_columns(
            *parts_of_rows(grid_shape, location, cell, offset, length, bytes_present)
        )

    @classmethod
    def empty(cls, grid_shape: tuple[int, ...]) -> Self:
        """Return a manifest whose every chunk is missing. Costs nothing, whatever the grid."""
        return cls.from_columns(*no_references(grid_shape))

    @classmethod
    def inlined(cls, data: bytes) -> Self:
        """Return the manifest of a scalar-grid-like array stored as one inline chunk of `data`.

        Its grid shape is `()`; use `reshape_grid` for an array with axes.
        """
        return cls.from_columns(
            (),
            np.full((), INLINE, np.uint32),
            np.zeros((), np.uint64),
            narrowed(np.full((), len(data), np.uint64)),
            data,
        )

    @classmethod
    def single_file(
        cls,
        location: Location,
        offset: Offsets,
        length: npt.NDArray[np.unsignedinteger[Any]] | int,
        present: npt.NDArray[np.bool_] | None = None,
    ) -> Self:
        """Return the manifest of chunks that all lie in one file.

        `offset` has the chunk grid's shape; `length` too, or is one number for all. Where `present`
        is False the chunk is missing.
        """
        lengths = narrowed(np.broadcast_to(np.asarray(length, np.uint64), offset.shape))
        if present is None:
            codes = np.broadcast_to(np.uint32(0), offset.shape)
            return cls.from_columns((location,), codes, offset, lengths)
        return cls.from_columns(
            (location,),
            np.where(present, np.uint32(0), MISSING),
            np.where(present, offsets_of(offset), np.uint64(0)),
            np.where(present, lengths, lengths.dtype.type(0)),
        )

    @classmethod
    def concatenate(cls, manifests: Sequence[ChunkManifest], axis: int) -> Self:
        """Return the references of grids that have one shape but for `axis`, joined along it.

        Raises CombineError if two of them know contradicting facts of one file.
        """
        return cls.from_columns(*join_references([each.parts for each in manifests], axis))

    @property
    def parts(self) -> Parts:
        """The locations, the columns as they are held, and the inline bytes."""
        return self._parts

    @property
    def locations(self) -> tuple[Location, ...]:
        """The files referred to, each once; `location` codes index this tuple."""
        return self._parts.locations

    @property
    def location(self) -> npt.NDArray[np.uint32]:
        """Codes into `locations`, or MISSING, or INLINE."""
        return self._parts.location

    @property
    def offset(self) -> npt.NDArray[np.uint64]:
        """First byte of each chunk, in its file (or in `inline`)."""
        return frozen(offsets_of(self._parts.offset))

    @property
    def offset_column(self) -> Offsets:
        """The offsets as they are held: an array, or an affine run that `offset` spells out."""
        return self._parts.offset

    @property
    def length(self) -> Column:
        """Stored bytes of each chunk; uint32 where all fit, else uint64."""
        return self._parts.length

    @property
    def inline(self) -> bytes:
        """The bytes of all inline chunks."""
        return self._parts.inline

    @property
    def shape_chunk_grid(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return self._parts.location.shape

    @property
    def ndim_chunk_grid(self) -> int:
        """Number of axes of the chunk grid."""
        return self._parts.location.ndim

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the references take: columns, inline chunks and locations."""
        return nbytes_held([self])

    @property
    def nrefs(self) -> int:
        """Number of chunks that are not missing, inline ones included."""
        narrow = thin(self._parts.location)
        repeats = self._parts.location.size // narrow.size if narrow.size else 0
        return int(np.count_nonzero(narrow != MISSING)) * repeats

    @property
    def all_missing(self) -> bool:
        """Whether no chunk has bytes."""
        return not bool((thin(self._parts.location) != MISSING).any())

    def take(self, axis: int, cells: Cells) -> Self:
        """Return the references of whole cells along `axis`, by slice or non-negative indices."""
        offset = self._parts.offset
        if isinstance(offset, AffineRun) and not isinstance(cells, slice):
            run = as_slice(cells)
            offset = (
                take(offset, axis, run) if run is not None else take(offset.values(), axis, cells)
            )
        else:
            offset = take(offset, axis, cells)
        taken = self._with(
            take(self._parts.location, axis, cells), offset, take(self._parts.length, axis, cells)
        )
        return taken.compacted()

    def insert_axis(self, axis: int) -> Self:
        """Return the same references with a new grid axis of one cell."""
        return self._with(
            insert_axis(self._parts.location, axis),
            insert_axis(self._parts.offset, axis),
            insert_axis(self._parts.length, axis),
        )

    def drop_axis(self, axis: int) -> Self:
        """Return the same references without a grid axis of one cell."""
        return self._with(
            drop_axis(self._parts.location, axis),
            drop_axis(self._parts.offset, axis),
            drop_axis(self._parts.length, axis),
        )

    def permute(self, order: Sequence[int]) -> Self:
        """Return the same references with the grid's axes in another order."""
        return self._with(
            permute(self._parts.location, order),
            permute(self._parts.offset, order),
            permute(self._parts.length, order),
        )

    def stretch(self, grid_shape: tuple[int, ...]) -> Self:
        """Return the references repeated along axes of one cell. Costs no memory."""
        return self._with(
            stretch(self._parts.location, grid_shape),
            stretch(self._parts.offset, grid_shape),
            stretch(self._parts.length, grid_shape),
        )

    def reshape_grid(self, grid_shape: tuple[int, ...]) -> Self:
        """Return the same references over a chunk grid of another shape, in C order."""
        return self._with(
            self._parts.location.reshape(grid_shape),
            offsets_of(self._parts.offset).reshape(grid_shape),
            self._parts.length.reshape(grid_shape),
        )

    def without(self, missing: npt.NDArray[np.bool_]) -> Self:
        """Return the references with the chunks where `missing` is True gone missing."""
        zero = self._parts.length.dtype.type(0)
        return self._with(
            np.where(missing, MISSING, self._parts.location),
            np.where(missing, np.uint64(0), offsets_of(self._parts.offset)),
            np.where(missing, zero, self._parts.length),
        ).compacted()

    def _with(self, location: npt.NDArray[np.uint32], offset: Offsets, length: Column) -> Self:
        return self.from_columns(
            self._parts.locations, location, offset, length, self._parts.inline
        )

    def compacted(self) -> Self:
        """Return the same references without locations and inline bytes that no chunk uses."""
        parts = compacted_parts(self)
        return self if parts is None else self.from_columns(*parts)

    def rename_paths(self, new: str | Callable[[str], str]) -> Self:
        """Return a manifest whose locations are renamed; other chunks stay as they are.

        `new` is the URL for every reference, or a function from old URL to new. Of what is known
        of the files stays what a copy has too: see `Location.moved`. Who renames a location has
        named it himself: it has no referrer any more.
        """
        rename = (lambda _: new) if isinstance(new, str) else new

        def renamed(location: Location) -> Location:
            url = rename(location.url)
            return location if url == location.url else location.moved(url)

        return self.with_locations(tuple(map(renamed, self._parts.locations)))

    def with_locations(self, locations: tuple[Location, ...]) -> Self:
        """Return the same references to other files: as many as before, in the same order.

        Raises ValueError if their number differs.
        """
        if len(locations) != len(self._parts.locations):
            raise ValueError(f"{len(locations)} locations in place of {len(self._parts.locations)}")
        return self.from_columns(
            locations,
            self._parts.location,
            self._parts.offset,
            self._parts.length,
            self._parts.inline,
        )

    def elementwise_eq(self, other: ChunkManifest) -> npt.NDArray[np.bool_]:
        """Say for each chunk whether both manifests refer to the same bytes.

        Raises ValueError if the chunk grids differ in shape.
        """
        if self.shape_chunk_grid != other.shape_chunk_grid:
            raise ValueError(
                f"chunk grids of {self.shape_chunk_grid} and {other.shape_chunk_grid} chunks"
            )
        return cells_equal(self, other)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChunkManifest):
            return NotImplemented
        return self.shape_chunk_grid == other.shape_chunk_grid and bool(
            thin(cells_equal(self, other)).all()
        )

    __hash__ = None  # type: ignore[assignment]

    def dict(self) -> Entries:
        """Return every chunk that is not missing as `{"0.0": {"path", "offset", "length"}}`.

        Inline chunks have the path `"__inlined__"` and their bytes under `"data"`.
        """
        return {key_of_index(index): entry for index, entry in iter_entries(self)}

    def get_entry(self, indices: tuple[int, ...]) -> Entry | None:
        """Return one chunk's entry by its grid index; None where it is missing."""
        return entry_at(self, indices)

    def iter_refs(self) -> Iterator[tuple[tuple[int, ...], Entry]]:
        """Yield the grid index and the entry of every chunk that is not missing, in C order."""
        return iter_entries(self)

    def iter_nonempty_paths(self) -> Iterator[str]:
        """Yield the URL of every chunk that lies in a file, in C order."""
        real = self._parts.location[self._parts.location < INLINE]
        return (self._parts.locations[code].url for code in real.tolist())

    def __getitem__(self, key: str) -> Entry:
        entry = entry_at(self, index_of_key(key))
        if entry is None:
            raise KeyError(key)
        return entry

    def __len__(self) -> int:
        return self._parts.location.size

    def keys(self) -> KeysView[str]:
        """The keys of `dict()`."""
        return self.dict().keys()

    def values(self) -> ValuesView[Any]:
        """The entries of `dict()`."""
        return self.dict().values()

    def items(self) -> ItemsView[str, Any]:
        """The items of `dict()`."""
        return self.dict().items()

    def __repr__(self) -> str:
        return f"ChunkManifest<shape={self.shape_chunk_grid}>"

    def __reduce__(self) -> tuple[object, ...]:
        offset = (
            self._parts.offset
            if isinstance(self._parts.offset, AffineRun)
            else thin(self._parts.offset)
        )
        columns = (thin(self._parts.location), offset, thin(self._parts.length))
        return (
            _rebuilt,
            (
                type(self),
                self.shape_chunk_grid,
                self._parts.locations,
                *columns,
                self._parts.inline,
            ),
        )


def _frozen(parts: Parts) -> Parts:
    locations, location, offset, length, inline = parts
    held = offset if isinstance(offset, AffineRun) else frozen(offset)
    return Parts(locations, frozen(location), held, frozen(length), inline)


def _rebuilt(
    kind: type[ChunkManifest],
    shape: tuple[int, ...],
    locations: tuple[Location, ...],
    location: npt.NDArray[np.uint32],
    offset: Offsets,
    length: Column,
    inline: bytes,
) -> ChunkManifest:
    return kind.from_columns(
        locations,
        np.broadcast_to(location, shape),
        offset if isinstance(offset, AffineRun) else np.broadcast_to(offset, shape),
        np.broadcast_to(length, shape),
        inline,
    )
