"""The accessors `.virtualize` and `.vz` of Dataset and DataTree: two names of one thing."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

import xarray as xr

from virtualizarr.api import Region, extend
from virtualizarr.datasets.from_xarray import from_dataset, from_datatree
from virtualizarr.datasets.lazy import LazyStore
from virtualizarr.datasets.to_xarray import to_datatree, walk
from virtualizarr.datasets.variable import manifest_array
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.model.measuring import nbytes_held
from virtualizarr.source.open import Registry
from virtualizarr.source.policy import AllowedLocations
from virtualizarr.store import ManifestStore
from virtualizarr.writers import icechunk, kerchunk, zarr

type Path = str | os.PathLike[str]
type KerchunkFormat = Literal["dict", "json", "parquet"]


class DatasetAccessor:
    """What can be done with a virtual Dataset: read it, write its references, ask about them."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __repr__(self) -> str:
        return _summary(self._arrays(), self.nbytes)

    def to_group(self) -> ManifestGroup:
        """Return the Dataset as a group of virtual arrays; see `datasets.from_xarray`."""
        return from_dataset(self._dataset)

    def to_kerchunk(
        self,
        filepath: Path | None = None,
        format: KerchunkFormat | None = None,  # noqa: A002 -- its name in VirtualiZarr 2.x
        record_size: int = kerchunk.RECORD_SIZE,
        categorical_threshold: int = kerchunk.CATEGORICAL_THRESHOLD,
        *,
        append_dim: str | None = None,
        region: Region | None = None,
        zarr_format: Literal[2, 3] = 2,
        mode: Literal["w"] | None = None,
        registry: Registry | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Return kerchunk references as a dict, or write them to the `filepath` or URL.

        `format` is "dict", "json" or "parquet" (a directory; `record_size` chunks a file); None
        chooses by the `filepath`. Variables with values go into the references whole.
        `append_dim` and `region` extend references that are there, or replace a part of them, as in
        `to_icechunk`; they keep their Zarr format and record size, and appending what is already
        there changes nothing and warns. Options and errors are those of `writers.kerchunk.write`.
        """
        _warn_if_nothing_is_virtual(self._arrays())
        group = self.to_group()
        if append_dim is not None or region is not None:
            _extend_kerchunk(group, filepath, format, append_dim, region, registry, storage_options)
            return None
        return kerchunk.write(
            group,
            filepath,
            format=format,
            zarr_format=zarr_format,
            record_size=record_size,
            categorical_threshold=categorical_threshold,
            mode=mode,
            registry=registry,
            storage_options=storage_options,
        )

    def to_icechunk(
        self,
        store: Any,
        *,
        group: str | None = None,
        mode: Literal["w", "w-", "a"] | None = None,
        append_dim: str | None = None,
        region: Region | None = None,
        validate_containers: bool = True,
        last_updated_at: datetime | None = None,
        commit_message: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> str | None:
        """Write the references into Icechunk; return the snapshot's id where that was committed.

        `store` is a path or URL, where a repository is opened, or made with all that its readers
        need, and the write is committed; or a `Repository`; or an `IcechunkStore` or `Session`,
        which is left to you to commit. Appending what is already there changes nothing and warns.
        Arguments and errors are those of `writers.icechunk.write`.
        """
        return icechunk.write(
            self.to_group(),
            store,
            group_path=group,
            mode=mode,
            append_dim=append_dim,
            region=region,
            validate_containers=validate_containers,
            last_updated_at=last_updated_at,
            commit_message=commit_message,
            storage_options=storage_options,
            report=_warn_if_nothing_was_done,
        )

    def to_zarr(
        self,
        store: Path,
        *,
        spec: Literal["manifest", "kerchunk"] = "manifest",
        mode: Literal["w", "w-"] = "w-",
        append_dim: str | None = None,
        region: Region | None = None,
        columnar: bool | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a Zarr v3 store with a chunk manifest for each array, to a path or URL.

        `mode` "w-" refuses a target that exists, "w" replaces it. `append_dim` and `region` extend
        a store or replace a part of one; appending what is already there changes nothing and
        warns. `columnar` keeps manifests as Parquet instead of JSON (None: those of large arrays).
        `spec="kerchunk"` writes kerchunk references instead, in the format of the target's name.
        Errors are those of `writers.zarr.write`.
        """
        references = self.to_group()
        if append_dim is not None or region is not None:
            note = extend(references, store, append_dim, region, storage_options=storage_options)
            _warn_if_nothing_was_done(note)
        elif spec == "kerchunk":
            kerchunk.write(references, store, storage_options=storage_options)
        else:
            zarr.write(
                references, store, mode=mode, columnar=columnar, storage_options=storage_options
            )

    def open(
        self,
        chunks: Any = None,
        *,
        registry: Registry | None = None,
        storage_options: Mapping[str, Any] | None = None,
        allowed_locations: AllowedLocations | None = None,
        **options: Any,
    ) -> xr.Dataset:
        """Read the Dataset now, lazily and decoded, without writing anything.

        `chunks` and `options` are those of `xr.open_dataset`; `registry`, `storage_options` and
        `allowed_locations` say how files are reached, as in `virtualizarr.open_virtual_dataset`.
        """
        group = self.to_group()
        store = _store(group, registry, storage_options, allowed_locations)
        return _opened(group, store, "", chunks, options)

    def rename_paths(self, new: str | Callable[[str], str]) -> xr.Dataset:
        """Return the Dataset with its references pointing elsewhere.

        `new` is the URL for every reference, or a function from old URL to new. Missing and inline
        chunks stay what they are.
        """
        return _renamed(self._dataset, new)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the references and the loaded variables take."""
        return _nbytes(self._dataset)

    def nrefs(self) -> int:
        """Return the number of chunks that are not missing, in all virtual variables."""
        return sum(array.manifest.nrefs for array in self._arrays())

    @property
    def locations(self) -> tuple[str, ...]:
        """The URLs that are referred to, each once."""
        return _locations(self._arrays())

    def _arrays(self) -> list[ManifestArray]:
        return list(_virtual_arrays(self._dataset))


class DataTreeAccessor:
    """The same for a virtual DataTree, all its groups together."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def __repr__(self) -> str:
        return _summary(self._arrays(), self.nbytes)

    def to_group(self, *, write_inherited_coords: bool = False) -> ManifestGroup:
        """Return the tree as groups of virtual arrays; see `datasets.from_xarray`."""
        return from_datatree(self._tree, write_inherited_coords=write_inherited_coords)

    def to_kerchunk(
        self,
        filepath: Path | None = None,
        format: KerchunkFormat | None = None,  # noqa: A002 -- its name in VirtualiZarr 2.x
        *,
        write_inherited_coords: bool = False,
        append_dim: str | None = None,
        region: Region | None = None,
        zarr_format: Literal[2, 3] = 2,
        record_size: int = kerchunk.RECORD_SIZE,
        categorical_threshold: int = kerchunk.CATEGORICAL_THRESHOLD,
        mode: Literal["w"] | None = None,
        registry: Registry | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Write kerchunk references of all groups; as for a Dataset.

        A coordinate that groups inherit is written once, unless `write_inherited_coords`.
        """
        _warn_if_nothing_is_virtual(self._arrays())
        group = self.to_group(write_inherited_coords=write_inherited_coords)
        if append_dim is not None or region is not None:
            _extend_kerchunk(group, filepath, format, append_dim, region, registry, storage_options)
            return None
        return kerchunk.write(
            group,
            filepath,
            format=format,
            zarr_format=zarr_format,
            record_size=record_size,
            categorical_threshold=categorical_threshold,
            mode=mode,
            registry=registry,
            storage_options=storage_options,
        )

    def to_icechunk(
        self,
        store: Any,
        *,
        group: str | None = None,
        mode: Literal["w", "w-", "a"] | None = None,
        append_dim: str | None = None,
        region: Region | None = None,
        write_inherited_coords: bool = False,
        validate_containers: bool = True,
        last_updated_at: datetime | None = None,
        commit_message: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> str | None:
        """Write the references into Icechunk; return the snapshot's id where that was committed.

        `store` is a path or URL, where a repository is opened, or made with all that its readers
        need, and the write is committed; or a `Repository`; or an `IcechunkStore` or `Session`,
        which is left to you to commit. Appending what is already there changes nothing and warns.
        Arguments and errors are those of `writers.icechunk.write`. A coordinate that
        groups inherit is written once, unless `write_inherited_coords`.
        """
        return icechunk.write(
            self.to_group(write_inherited_coords=write_inherited_coords),
            store,
            group_path=group,
            mode=mode,
            append_dim=append_dim,
            region=region,
            validate_containers=validate_containers,
            last_updated_at=last_updated_at,
            commit_message=commit_message,
            storage_options=storage_options,
            report=_warn_if_nothing_was_done,
        )

    def to_zarr(
        self,
        store: Path,
        *,
        spec: Literal["manifest", "kerchunk"] = "manifest",
        mode: Literal["w", "w-"] = "w-",
        append_dim: str | None = None,
        region: Region | None = None,
        write_inherited_coords: bool = False,
        columnar: bool | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a Zarr v3 store with a chunk manifest for each array, to a path or URL.

        `mode` "w-" refuses a target that exists, "w" replaces it. `append_dim` and `region` extend
        a store or replace a part of one; appending what is already there changes nothing and
        warns. `columnar` keeps manifests as Parquet instead of JSON (None: those of large arrays).
        `spec="kerchunk"` writes kerchunk references instead, in the format of the target's name.
        Errors are those of `writers.zarr.write`. A coordinate that
        groups inherit is written once, unless `write_inherited_coords`.
        """
        references = self.to_group(write_inherited_coords=write_inherited_coords)
        if append_dim is not None or region is not None:
            note = extend(references, store, append_dim, region, storage_options=storage_options)
            _warn_if_nothing_was_done(note)
        elif spec == "kerchunk":
            kerchunk.write(references, store, storage_options=storage_options)
        else:
            zarr.write(
                references, store, mode=mode, columnar=columnar, storage_options=storage_options
            )

    def open(
        self,
        chunks: Any = None,
        *,
        registry: Registry | None = None,
        storage_options: Mapping[str, Any] | None = None,
        allowed_locations: AllowedLocations | None = None,
        **options: Any,
    ) -> xr.DataTree:
        """Read the tree now, lazily and decoded, without writing anything; as for a Dataset."""
        root = self.to_group()
        store = _store(root, registry, storage_options, allowed_locations)
        return to_datatree(
            {
                path: _opened(group, store, path, chunks, options)
                for path, group in walk(root).items()
            }
        )

    def rename_paths(self, new: str | Callable[[str], str]) -> xr.DataTree:
        """Return the tree with its references pointing elsewhere; as for a Dataset."""
        return to_datatree(
            {
                node.path: _renamed(node.to_dataset(inherit=False), new)
                for node in self._tree.subtree
            }
        )

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the references and the loaded variables take."""
        return sum(_nbytes(node.to_dataset(inherit=False)) for node in self._tree.subtree)

    def nrefs(self) -> int:
        """Return the number of chunks that are not missing, in all virtual variables."""
        return sum(array.manifest.nrefs for array in self._arrays())

    @property
    def locations(self) -> tuple[str, ...]:
        """The URLs that are referred to, each once."""
        return _locations(self._arrays())

    def _arrays(self) -> list[ManifestArray]:
        nodes = (node.to_dataset(inherit=False) for node in self._tree.subtree)
        return [array for dataset in nodes for array in _virtual_arrays(dataset)]


VirtualiZarrDatasetAccessor = DatasetAccessor
VirtualiZarrDataTreeAccessor = DataTreeAccessor
"""The classes' names in VirtualiZarr 2.x."""


def _summary(arrays: list[ManifestArray], nbytes: int) -> str:
    references = sum(array.manifest.nrefs for array in arrays)
    return (
        f"<virtualizarr: {len(arrays):,} virtual variables, {references:,} references to "
        f"{len(_locations(arrays)):,} files, {nbytes:,} bytes in memory>"
    )


def _virtual_arrays(dataset: xr.Dataset) -> Iterator[ManifestArray]:
    for variable in dataset.variables.values():
        array = manifest_array(variable)
        if array is not None:
            yield array


def _locations(arrays: list[ManifestArray]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(file.url for array in arrays for file in array.manifest.locations))


def _nbytes(dataset: xr.Dataset) -> int:
    loaded = [v.nbytes for v in dataset.variables.values() if manifest_array(v) is None]
    return nbytes_held(array.manifest for array in _virtual_arrays(dataset)) + sum(loaded)


def _renamed(dataset: xr.Dataset, new: str | Callable[[str], str]) -> xr.Dataset:
    renamed = dataset.copy()
    for variable in renamed.variables.values():
        array = manifest_array(variable)
        if array is not None:
            variable.data = array.rename_paths(new)
    return renamed


def _store(
    group: ManifestGroup,
    registry: Registry | None,
    storage_options: Mapping[str, Any] | None,
    allowed_locations: AllowedLocations | None,
) -> ManifestStore:
    options = dict(storage_options) if storage_options is not None else None
    return ManifestStore(
        group,
        registry=registry,
        storage_options=options,
        allowed_locations=allowed_locations,
    )


def _opened(
    group: ManifestGroup, store: ManifestStore, path: str, chunks: Any, options: Mapping[str, Any]
) -> xr.Dataset:
    return xr.open_dataset(LazyStore(group, store, path), engine="store", chunks=chunks, **options)


def _extend_kerchunk(
    group: ManifestGroup,
    filepath: Path | None,
    format: KerchunkFormat | None,  # noqa: A002 -- its name in `to_kerchunk`
    append_dim: str | None,
    region: Region | None,
    registry: Registry | None,
    storage_options: Mapping[str, Any] | None,
) -> None:
    if filepath is None or format == "dict":
        raise ValueError("append_dim and region need the path of references that are there")
    note = extend(
        group,
        filepath,
        append_dim,
        region,
        formats=("json", "parquet") if format is None else (format,),
        registry=registry,
        storage_options=storage_options,
    )
    _warn_if_nothing_was_done(note)


def _warn_if_nothing_was_done(note: str) -> None:
    if note.startswith("nothing to"):
        warnings.warn(note, stacklevel=4)


def _warn_if_nothing_is_virtual(arrays: list[ManifestArray]) -> None:
    if not arrays:
        warnings.warn(
            "no variable is virtual, so all values are written into the references; "
            "was the file opened without `virtualizarr`?",
            UserWarning,
            stacklevel=3,
        )
