"""ManifestGroup: a tree of virtual arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from virtualizarr.model.array import ManifestArray


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
        self._arrays = MappingProxyType(dict(arrays) if arrays is not None else {})
        self._groups = MappingProxyType(dict(groups) if groups is not None else {})
        self._attributes = MappingProxyType(dict(attributes) if attributes is not None else {})
        both = self._arrays.keys() & self._groups.keys()
        if both:
            raise ValueError(f"names of both an array and a group: {sorted(both)}")

    @property
    def arrays(self) -> Mapping[str, ManifestArray]:
        return self._arrays

    @property
    def groups(self) -> Mapping[str, ManifestGroup]:
        return self._groups

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self._attributes

    def __getitem__(self, name: str) -> ManifestArray | ManifestGroup:
        return self._arrays[name] if name in self._arrays else self._groups[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._arrays
        yield from self._groups

    def __len__(self) -> int:
        return len(self._arrays) + len(self._groups)

    def __repr__(self) -> str:
        arrays, groups = ", ".join(self._arrays), ", ".join(self._groups)
        return f"ManifestGroup(arrays=[{arrays}], groups=[{groups}])"
