"""Vgroups as groups.

In HDF-EOS2 files a Vgroup that is a grid or swath holds its fields itself, with the names of their
dimensions and with coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.hdf4.attributes import CLASS, Attributes
from virtualizarr.parsers.hdf4.axes import CRS, grid_coordinates
from virtualizarr.parsers.hdf4.eos import GRID, SWATH, Structure
from virtualizarr.parsers.hdf4.layout import DFTAG_VG, DFTAG_VH, Key, Vgroup
from virtualizarr.parsers.hdf4.names import lengths_of, node_names, unique_dims
from virtualizarr.parsers.hdf4.variables import Members

MAX_GROUPS = 10_000
MAX_DEPTH = 64
GEOLOCATION = ("Latitude", "Longitude")

type Arrays = Mapping[str, ManifestArray]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds: `named` are data sets and images by the keys of which they are members."""

    members: Members
    attributes: Attributes
    named: Mapping[Key, tuple[str, ManifestArray]]
    tables: Mapping[int, ManifestGroup]
    structures: Mapping[tuple[str, str], Structure]


class Tree:
    """Makes groups of Vgroups; one that is within itself ends the branch.

    `shown` are the keys of the data sets and images that are in a group.
    """

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.seen: set[int] = set()
        self.shown: set[Key] = set()
        self.count = 0

    def tables_only(self, taken: Arrays) -> dict[str, ManifestGroup]:
        """Return the tables, without the Vgroups that they are members of."""
        vdatas = self.contents.members.vdatas
        found = [
            (vdatas[ref].name, within(table, lengths_of(taken)))
            for ref, table in self.contents.tables.items()
        ]
        return _named_apart(found, taken)

    def groups(self, taken: Arrays) -> dict[str, ManifestGroup]:
        """Return the groups of the root, whose arrays are `taken`: Vgroups, then lone tables."""
        vgroups = self.contents.members.vgroups
        shown = {ref for ref, group in vgroups.items() if not group.internal}
        inside = {ref for own in shown for tag, ref in vgroups[own].members if tag == DFTAG_VG}
        lone = [ref for ref in vgroups if ref in shown and ref not in inside]
        above = lengths_of(taken)
        circles = (ref for ref in vgroups if ref in shown)  # what is left is below no other
        found = [
            (vgroups[ref].name, self._group(ref, above, ()))
            for ref in (*lone, *circles)
            if ref not in self.seen
        ]
        members = {ref for own in shown for tag, ref in vgroups[own].members if tag == DFTAG_VH}
        vdatas = self.contents.members.vdatas
        found += [
            (vdatas[ref].name, within(table, above))
            for ref, table in self.contents.tables.items()
            if ref not in members
        ]
        return _named_apart(found, taken)

    def _group(self, ref: int, above: Mapping[str, int], path: tuple[int, ...]) -> ManifestGroup:
        """Return a Vgroup with everything in it."""
        self.seen.add(ref)
        self.count += 1
        if self.count > MAX_GROUPS or len(path) > MAX_DEPTH:
            raise CorruptFileError(f"more than {MAX_GROUPS} groups, or {MAX_DEPTH} in one another")
        group = self.contents.members.vgroups[ref]
        attributes = dict(self.contents.attributes.vgroups[ref])
        structure = self.contents.structures.get((group.vclass, group.name))
        if structure is not None:
            return self._structure(ref, structure, above, attributes)
        arrays = unique_dims(self._arrays(group), above)
        inner = {**above, **lengths_of(arrays)}
        children = [
            (self.contents.members.vgroups[child].name, self._group(child, inner, (*path, ref)))
            for child in self._children(group)
            if child not in (*path, ref)
        ]
        children += [(name, within(table, inner)) for name, table in self._tables(group)]
        return ManifestGroup(arrays, _named_apart(children, arrays), attributes)

    def _structure(
        self, ref: int, structure: Structure, above: Mapping[str, int], attributes: dict[str, Any]
    ) -> ManifestGroup:
        """Return a grid or swath: the Vgroups in it, of fields and attributes, become one."""
        vgroups = self.contents.members.vgroups
        parts = [vgroups[ref], *(vgroups[child] for child in self._children(vgroups[ref]))]
        for child in self._children(vgroups[ref]):
            self.seen.add(child)
            own = self.contents.attributes.vgroups[child]
            attributes |= {key: value for key, value in own.items() if key != CLASS}
        fields: dict[str, ManifestArray] = {}
        tables: list[tuple[str, ManifestGroup]] = []
        for part in parts:
            fields |= self._arrays(part)
            for name, table in self._tables(part):
                columns = [*table.arrays.values()]
                if len(columns) == 1 and name not in fields:
                    fields[node_names([*fields, name])[-1]] = columns[0]
                else:
                    tables.append((name, within(table, above)))
        arrays = unique_dims(_with_dims(fields, structure), above)
        arrays |= _coordinates(arrays, structure)
        return ManifestGroup(
            _pointing(arrays, structure),
            _named_apart(tables, arrays),
            {**structure.attributes, **attributes},
        )

    def _children(self, group: Vgroup) -> list[int]:
        vgroups = self.contents.members.vgroups
        return [
            ref
            for tag, ref in dict.fromkeys(group.members)
            if tag == DFTAG_VG and ref in vgroups and not vgroups[ref].internal
        ]

    def _arrays(self, group: Vgroup) -> dict[str, ManifestArray]:
        named = self.contents.named
        keys = [key for key in dict.fromkeys(group.members) if key in named]
        self.shown.update(keys)
        found = [named[key] for key in keys]
        names = node_names([name for name, _ in found])
        return dict(zip(names, (array for _, array in found), strict=True))

    def _tables(self, group: Vgroup) -> list[tuple[str, ManifestGroup]]:
        tables = self.contents.tables
        vdatas = self.contents.members.vdatas
        return [
            (vdatas[ref].name, tables[ref])
            for tag, ref in dict.fromkeys(group.members)
            if tag == DFTAG_VH and ref in tables
        ]


def within(table: ManifestGroup, above: Mapping[str, int]) -> ManifestGroup:
    """Return a table whose dimensions do not clash with those of the groups above."""
    return ManifestGroup(unique_dims(table.arrays, above), table.groups, table.attributes)


def _named_apart(found: list[tuple[str, ManifestGroup]], taken: Arrays) -> dict[str, ManifestGroup]:
    names = node_names([*taken, *(name for name, _ in found)])[len(taken) :]
    return dict(zip(names, (group for _, group in found), strict=True))


def _with_dims(fields: Arrays, structure: Structure) -> dict[str, ManifestArray]:
    """Return the fields with the dimensions that the metadata name, else with the file's own.

    The file's own names end in a colon and the name of the grid or swath, which is left out.
    """
    found = {}
    for name, array in fields.items():
        dims = structure.dims.get(name, ())
        if len(dims) != len(array.shape) or len(set(dims)) != len(dims):
            stored = array.metadata.dimension_names or ()
            dims = tuple(str(dim).removesuffix(f":{structure.name}") for dim in stored)
        changed = array.metadata.replace(dimension_names=dims)
        found[name] = array.rebuilt(changed, array.manifest)
    return found


def _coordinates(arrays: Arrays, structure: Structure) -> dict[str, ManifestArray]:
    if structure.kind != GRID:
        return {}
    made = grid_coordinates(structure, lengths_of(arrays))
    return {name: array for name, array in made.items() if name not in arrays}


def _pointing(arrays: Arrays, structure: Structure) -> dict[str, ManifestArray]:
    """Return the fields with attributes that name their grid mapping or geolocation fields."""
    if structure.kind == GRID and CRS in arrays:
        return {
            name: _said(array, "grid_mapping", CRS) if array.ndim > 1 else array
            for name, array in arrays.items()
        }
    located = all(name in structure.geolocation and name in arrays for name in GEOLOCATION)
    if structure.kind != SWATH or not located:
        return dict(arrays)
    dims = [set(arrays[name].metadata.dimension_names or ()) for name in GEOLOCATION]
    return {
        name: _said(array, "coordinates", " ".join(GEOLOCATION))
        if name not in structure.geolocation
        and all(each <= set(array.metadata.dimension_names or ()) for each in dims)
        else array
        for name, array in arrays.items()
    }


def _said(array: ManifestArray, attribute: str, value: str) -> ManifestArray:
    attributes = {attribute: value, **array.metadata.attributes}
    return array.rebuilt(array.metadata.replace(attributes=attributes), array.manifest)
