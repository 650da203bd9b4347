"""ManifestGroup: a tree of virtual arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from virtualizarr.model.array import ManifestArray
from virtualizarr.model.json import to_json
from virtualizarr.model.location import EVIDENCE, Location
from virtualizarr.model.measuring import nbytes_held
from virtualizarr.views import view


class Facts(Protocol):
    """What is known of a file besides its bytes; None where it is not known."""

    @property
    def size(self) -> int | None: ...
    @property
    def etag(self) -> str | None: ...
    @property
    def last_modified(self) -> datetime | None: ...


class ManifestGroup(Mapping[str, "ManifestArray | ManifestGroup"]):
    """A frozen mapping from names to arrays and groups, with attributes.

    `arrays` and `groups` are the two halves; no name is in both. Attributes may hold numpy scalars
    and arrays, which keep the dtypes the file gave them.
    """

    __slots__ = ("_arrays", "_attributes", "_groups")

    def __init__(
        self,
        arrays: Mapping[str, ManifestArray] | None = None,
        groups: Mapping[str, ManifestGroup] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a group of members. Raises ValueError if a name is given to two of them."""
        self._arrays = MappingProxyType(dict(arrays) if arrays is not None else {})
        self._groups = MappingProxyType(dict(groups) if groups is not None else {})
        self._attributes = MappingProxyType(dict(attributes) if attributes is not None else {})
        both = self._arrays.keys() & self._groups.keys()
        if both:
            raise ValueError(f"names of both an array and a group: {sorted(both)}")
        for name, array in self._arrays.items():
            if not isinstance(array, ManifestArray):
                raise TypeError(f"array {name!r} is a {type(array).__name__}, not a ManifestArray")

    @property
    def arrays(self) -> Mapping[str, ManifestArray]:
        return self._arrays

    @property
    def groups(self) -> Mapping[str, ManifestGroup]:
        return self._groups

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self._attributes

    @property
    def metadata(self) -> Any:
        """The group's description as zarr-python's `GroupMetadata`."""
        from virtualizarr.model.zarr_bridge import to_zarr_group_metadata

        return to_zarr_group_metadata(self._attributes)

    def __getitem__(self, path: str) -> ManifestArray | ManifestGroup:
        """Return a member by its name, or by a path of names such as `"group/array"`."""
        *parents, name = path.strip("/").split("/")
        group = self
        for parent in parents:
            if parent not in group.groups:
                raise KeyError(path)
            group = group.groups[parent]
        if name in group.arrays:
            return group.arrays[name]
        if name in group.groups:
            return group.groups[name]
        raise KeyError(path)

    def __iter__(self) -> Iterator[str]:
        yield from self._arrays
        yield from self._groups

    def __len__(self) -> int:
        return len(self._arrays) + len(self._groups)

    def walk(self, path: str = "") -> Iterator[tuple[str, ManifestGroup]]:
        """Yield every group of the tree with its path, this one first, as `path`."""
        yield path, self
        for name, group in self._groups.items():
            yield from group.walk(f"{path}/{name}" if path else name)

    def walk_arrays(self) -> Iterator[tuple[str, ManifestArray]]:
        """Yield every array of the tree with its path."""
        for path, group in self.walk():
            for name, array in group.arrays.items():
                yield (f"{path}/{name}" if path else name), array

    def map_arrays(self, change: Callable[[ManifestArray], ManifestArray]) -> ManifestGroup:
        """Return the tree with `change` applied to every array; itself where none is another."""
        arrays = {name: change(array) for name, array in self._arrays.items()}
        groups = {name: group.map_arrays(change) for name, group in self._groups.items()}
        if all(map(operator.is_, arrays.values(), self._arrays.values())) and all(
            map(operator.is_, groups.values(), self._groups.values())
        ):
            return self
        return ManifestGroup(arrays, groups, self._attributes)

    def rename_paths(self, new: str | Callable[[str], str]) -> ManifestGroup:
        """Return the tree with all locations renamed; see `ChunkManifest.rename_paths`."""
        return self.map_arrays(lambda array: array.rename_paths(new))

    def stamp(self, facts: Mapping[str, Facts]) -> ManifestGroup:
        """Return the tree with what `facts` tells of its files, by URL, where nothing was known."""
        renewed: dict[tuple[object, ...], Location] = {}

        def renew(location: Location) -> Location:
            known = facts.get(location.url)
            if known is None:
                return location
            key = (location.url, *(getattr(location, name) for name in EVIDENCE))
            if key not in renewed:
                missing = [name for name in EVIDENCE if getattr(location, name) is None]
                found = {name: getattr(known, name) for name in missing}
                renewed[key] = replace(location, **found)
            return renewed[key]

        def restamp(array: ManifestArray) -> ManifestArray:
            manifest = array.manifest
            locations = tuple(map(renew, manifest.locations))
            return array.rebuilt(array.metadata, manifest.with_locations(locations))

        return self.map_arrays(restamp)

    @property
    def locations(self) -> tuple[Location, ...]:
        """Every file that the tree refers to, once, in order of first use."""
        found: dict[str, Location] = {}
        for _, array in self.walk_arrays():
            for location in array.manifest.locations:
                known = found.get(location.url)
                found[location.url] = location if known is None else known.agreed(location)
        return tuple(found.values())

    @property
    def nrefs(self) -> int:
        """Number of chunks that are not missing."""
        return sum(array.manifest.nrefs for _, array in self.walk_arrays())

    @property
    def nbytes(self) -> int:
        """Bytes that all values would take in memory."""
        return sum(array.nbytes for _, array in self.walk_arrays())

    @property
    def nbytes_virtual(self) -> int:
        """Bytes that the references take in memory."""
        return nbytes_held(array.manifest for _, array in self.walk_arrays())

    def to_virtual_dataset(self) -> Any:
        """Return this group, without those below it, as a `xr.Dataset` with nothing loaded."""
        return view("dataset", self, loadable_variables=[])

    def to_virtual_datasets(self) -> Mapping[str, Any]:
        """Return every group of the tree as a `xr.Dataset` with nothing loaded, by path."""
        return {f"/{path}": group.to_virtual_dataset() for path, group in self.walk()}

    def to_virtual_datatree(self) -> Any:
        """Return the tree as a `xr.DataTree` with nothing loaded."""
        return view("datatree", self, loadable_variables=[])

    def to_icechunk(self, store: Any, **options: Any) -> str | None:
        """Write the tree into Icechunk without xarray; see `writers.icechunk.write`."""
        done: str | None = view("icechunk", self, store=store, **options)
        return done

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ManifestGroup):
            return NotImplemented
        return (
            to_json(self._attributes) == to_json(other._attributes)
            and self._arrays.keys() == other._arrays.keys()
            and self._groups == other._groups
            and all(
                array.metadata == other._arrays[name].metadata
                and array.manifest == other._arrays[name].manifest
                for name, array in self._arrays.items()
            )
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        arrays, groups = ", ".join(self._arrays), ", ".join(self._groups)
        return f"ManifestGroup(arrays=[{arrays}], groups=[{groups}])"

    def __reduce__(self) -> tuple[object, ...]:
        parts = (dict(self._arrays), dict(self._groups), dict(self._attributes))
        return (ManifestGroup, parts)
