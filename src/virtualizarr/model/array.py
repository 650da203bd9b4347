"""ManifestArray: one virtual Zarr array, behaving as a numpy array that cannot give its values."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Never, Self, cast

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.chunks import RegularGrid
from virtualizarr.model.combine import elements_equal
from virtualizarr.model.duckarray import FUNCTIONS, apply_ufunc, transpose
from virtualizarr.model.keys import Key
from virtualizarr.model.manifest import ChunkManifest, Location
from virtualizarr.model.masking import where
from virtualizarr.model.metadata import ArrayMetadata
from virtualizarr.model.nulls import not_loaded
from virtualizarr.model.select import select
from virtualizarr.model.undecided import Undecided


class ManifestArray(NDArrayOperatorsMixin):
    """What Zarr needs to know of an array (`metadata`) and where its chunks lie (`manifest`).

    It can be indexed, joined and broadcast, as those only move references; `xarray` can wrap it.
    Whatever needs values raises NotLoadedError.
    """

    __slots__ = ("_manifest", "_metadata")

    def __init__(
        self,
        metadata: ArrayMetadata | Mapping[str, Any] | Any,
        chunkmanifest: ChunkManifest | Mapping[str, Any],
    ) -> None:
        """Join a description and references.

        `metadata` may also be a `zarr.json` document, or zarr-python's array metadata object;
        `chunkmanifest` also a dict of chunk keys, as `ChunkManifest` takes it. Raises ValueError if
        the manifest's grid is not the metadata's.
        """
        if not isinstance(metadata, ArrayMetadata):
            document = metadata if isinstance(metadata, Mapping) else metadata.to_dict()
            metadata = ArrayMetadata.from_json(document)
        if not isinstance(chunkmanifest, ChunkManifest):
            separator = "/" if any("/" in key for key in chunkmanifest) else "."
            chunkmanifest = ChunkManifest(chunkmanifest, metadata.grid_shape, separator)
        if metadata.grid_shape != chunkmanifest.shape_chunk_grid:
            raise ValueError(
                f"an array of shape {metadata.shape} has a chunk grid of {metadata.grid_shape}, "
                f"the manifest has {chunkmanifest.shape_chunk_grid}"
            )
        self._metadata: ArrayMetadata = metadata
        self._manifest: ChunkManifest = chunkmanifest

    @property
    def metadata(self) -> ArrayMetadata:
        return self._metadata

    @property
    def manifest(self) -> ChunkManifest:
        return self._manifest

    @property
    def shape(self) -> tuple[int, ...]:
        return self._metadata.shape

    @property
    def ndim(self) -> int:
        return len(self._metadata.shape)

    @property
    def size(self) -> int:
        return prod(self._metadata.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._metadata.dtype

    @property
    def nbytes(self) -> int:
        """Bytes that the values would take in memory."""
        return self.size * self.dtype.itemsize

    @property
    def nbytes_virtual(self) -> int:
        """Bytes that the references take in memory."""
        return self.manifest.nbytes

    @property
    def chunks(self) -> tuple[int | tuple[int, ...], ...]:
        """Stored chunk length per axis; a tuple of lengths on the axes of a rectilinear grid.

        Hidden from `xarray`, which takes every array that has `chunks` for one that dask (or
        another chunk manager) can compute, and so could not merge, compare or reindex this one. It
        has no other way to be told: a chunk manager registered for these arrays would become the
        one that `chunks={}` uses where dask is not installed.
        """
        asker = _asking_module()
        if asker == "xarray.namedarray.core":  # a variable whose data have no chunks says None
            return cast("tuple[int, ...]", None)
        if asker.startswith("xarray."):
            raise AttributeError("chunks")
        grid = self._metadata.chunk_grid
        return grid.chunk_shape if isinstance(grid, RegularGrid) else grid.chunk_shapes

    @property
    def locations(self) -> tuple[Location, ...]:
        """The files that the array refers to."""
        return self.manifest.locations

    @property
    def T(self) -> ManifestArray:  # noqa: N802
        return transpose(self)

    @property
    def is_pending(self) -> bool:
        """Whether the references are still to be read, as some stores of them allow."""
        return False

    def described(self, metadata: ArrayMetadata) -> ManifestArray:
        """Return the same references under another description; none is read for that."""
        return ManifestArray(metadata, self.manifest)

    def rebuilt(self, metadata: ArrayMetadata, manifest: ChunkManifest) -> ManifestArray:
        """Return an array of other parts."""
        return ManifestArray(metadata, manifest)

    def rename_paths(self, new: str | Callable[[str], str]) -> ManifestArray:
        """Return the array with its locations renamed; see `ChunkManifest.rename_paths`."""
        return ManifestArray(self._metadata, self.manifest.rename_paths(new))

    def astype(self, dtype: npt.DTypeLike, /, *, copy: bool = True, **_: Any) -> ManifestArray:
        """Return the array itself; raises UnsupportedFeatureError for another dtype."""
        del copy
        if np.dtype(dtype) != self.dtype:
            raise UnsupportedFeatureError(
                f"a virtual array of {self.dtype} cannot become {np.dtype(dtype)}: its bytes stay "
                "what they are"
            )
        return self

    def copy(self, order: str = "C") -> ManifestArray:
        """Return the array itself, which nothing can change."""
        del order
        return self

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def transpose(self, *axes: int | Sequence[int] | None) -> ManifestArray:
        """Return the array with its axes reordered, reversed without arguments."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return transpose(self, None if order is None or len(axes) == 0 else order)  # type: ignore[arg-type]

    def __getitem__(self, key: Key) -> ManifestArray:
        """Select by numpy's rules; see `select.getitem` for what can be selected."""
        selected, undecided = select(self, key)
        return selected if undecided is None else Reindexed(selected, undecided)

    def masked(self, condition: npt.ArrayLike, other: Any) -> ManifestArray:
        """Return the array with `other` where `condition` is False; see `masking.where`."""
        return where(condition, self, other)

    def __eq__(self, other: object) -> npt.NDArray[np.bool_]:  # type: ignore[override]
        """Say for each element whether it comes from the same stored bytes, decoded the same way.

        False against a loaded array: equal values cannot be told without reading. Raises
        NotLoadedError against a scalar, UnsupportedFeatureError if the shapes differ.
        """
        if not isinstance(other, ManifestArray | np.ndarray):
            raise not_loaded("comparing with a value")
        if other.shape != self.shape:
            raise UnsupportedFeatureError(
                f"virtual arrays of shapes {self.shape} and {other.shape} cannot be compared"
            )
        if isinstance(other, np.ndarray):
            return np.broadcast_to(np.False_, self.shape)
        return elements_equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __bool__(self) -> Never:
        raise not_loaded("the truth of an array")

    def __iter__(self) -> Never:
        raise not_loaded("iterating over an array")

    def __array_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        del types
        if func not in FUNCTIONS:
            raise not_loaded(f"numpy.{func.__name__}")
        return FUNCTIONS[func](*args, **kwargs)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        del kwargs
        return apply_ufunc(ufunc, method, inputs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        raise not_loaded("converting to a numpy array")

    def to_numpy(self) -> npt.NDArray[Any]:
        """Raise NotLoadedError, saying what to do; `xarray` calls this for `.values`."""
        raise not_loaded("converting to a numpy array")

    def item(self, *_: int) -> Never:
        """Raise NotLoadedError, saying what to do."""
        raise not_loaded("getting an item")

    def tolist(self) -> Never:
        """Raise NotLoadedError, saying what to do."""
        raise not_loaded("converting to a list")

    def __repr__(self) -> str:
        return (
            f"ManifestArray<shape={self.shape}, dtype={self.dtype}, chunks={_brief(self.chunks)}>"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (ManifestArray, (self._metadata, self.manifest))


class Reindexed(ManifestArray):
    """A selection of which some chunks are undecided, as `xarray` reindexes.

    Any use but masking those chunks with `numpy.where` raises the refusal of the selection.
    """

    __slots__ = ("_undecided",)

    def __init__(self, array: ManifestArray, undecided: Undecided) -> None:
        super().__init__(array.metadata, array.manifest)
        self._undecided = undecided

    @property
    def manifest(self) -> ChunkManifest:
        raise self._undecided.refusal

    def masked(self, condition: npt.ArrayLike, other: Any) -> ManifestArray:
        """Return the array with `other` where `condition` is False; see `masking.where`."""
        whole = ManifestArray(self._metadata, self._manifest)
        return where(condition, whole, other, self._undecided)

    def __reduce__(self) -> Never:
        raise self._undecided.refusal


def _asking_module() -> str:
    """Return the name of the module that the caller of our caller belongs to."""
    return str(sys._getframe(2).f_globals.get("__name__", ""))


def _brief(chunks: tuple[int | tuple[int, ...], ...]) -> str:
    parts = [
        f"({', '.join(map(str, axis[:3]))}, ... {len(axis)} in all)"
        if isinstance(axis, tuple) and len(axis) > 4
        else str(axis)
        for axis in chunks
    ]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
