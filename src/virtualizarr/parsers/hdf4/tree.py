"""The tree: what the SD and GR interfaces list is in the root, Vgroups and tables are groups."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.hdf4.attributes import Attributes
from virtualizarr.parsers.hdf4.convert import Conversion, to_array
from virtualizarr.parsers.hdf4.eos import structures_of
from virtualizarr.parsers.hdf4.images import Images
from virtualizarr.parsers.hdf4.layout import Key, Variable
from virtualizarr.parsers.hdf4.names import node_names, unique_dims
from virtualizarr.parsers.hdf4.others import not_read
from virtualizarr.parsers.hdf4.tables import read_table
from virtualizarr.parsers.hdf4.variables import Scientific
from virtualizarr.parsers.hdf4.vgroups import Contents, Tree
from virtualizarr.source.reading import Reading, together

type Layout = Literal["both", "flat", "groups"]


@dataclass(frozen=True, slots=True)
class Described:
    """What the metadata of a file describe."""

    scientific: Scientific
    images: Images
    attributes: Attributes


def read_tree(
    conversion: Conversion, described: Described, dropped: Collection[str], layout: Layout
) -> Reading[ManifestGroup]:
    """Return the tree without what is `dropped`; a round for tables of chunks or linked blocks.

    Images and tables that cannot be read are listed; data sets that cannot are refused by name.
    """
    scientific, images = described.scientific.variables, described.images.variables
    names = node_names([variable.name for variable in (*scientific, *images)])
    variables = {
        name: variable
        for name, variable in zip(names, (*scientific, *images), strict=True)
        if name not in dropped
    }
    vdatas = {
        ref: vdata
        for ref, vdata in conversion.members.vdatas.items()
        if not vdata.internal and vdata.name not in dropped
    }
    of_table = described.attributes.vdatas
    whole = set(map(id, scientific))
    readings: list[Reading[ManifestArray | ManifestGroup | str]] = [
        to_array(conversion, variable)
        if id(variable) in whole
        else _or_reason(to_array(conversion, variable))
        for variable in variables.values()
    ]
    readings += [
        _or_reason(read_table(conversion, ref, vdata, of_table[ref]))
        for ref, vdata in vdatas.items()
    ]
    found = yield from together(readings)
    arrays = {
        name: node
        for name, node in zip(variables, found, strict=False)
        if isinstance(node, ManifestArray)
    }
    arrays = unique_dims(arrays)
    rows = found[len(variables) :]
    tables = {
        ref: node for ref, node in zip(vdatas, rows, strict=True) if isinstance(node, ManifestGroup)
    }
    contents = Contents(
        conversion.members,
        described.attributes,
        _by_key(variables, arrays),
        tables,
        structures_of(described.scientific.attributes),
    )
    tree = Tree(contents)
    groups = tree.tables_only(arrays) if layout == "flat" else tree.groups(arrays)
    if layout == "groups":
        inside = tree.shown
        arrays = {
            name: array
            for name, array in arrays.items()
            if not inside.intersection(variables[name].keys)
        }
    unread = not_read(
        conversion.file,
        {**described.images.not_read, **_reasons(variables, found)},
        _reasons([vdata.name for vdata in vdatas.values()], rows),
    )
    listed = {"hdf4_not_read": ", ".join(unread)} if unread else {}
    return ManifestGroup(arrays, groups, {**described.scientific.attributes, **listed})


def _or_reason[T](reading: Reading[T]) -> Reading[T | str]:
    """Return what a reading returns, or why that is not supported."""
    try:
        return (yield from reading)
    except UnsupportedFeatureError as error:
        return error.reason


def _reasons(names: Collection[str], found: Sequence[object]) -> dict[str, str]:
    pairs = zip(names, found, strict=False)
    return {name: reason for name, reason in pairs if isinstance(reason, str)}


def _by_key(
    variables: Mapping[str, Variable], arrays: Mapping[str, ManifestArray]
) -> dict[Key, tuple[str, ManifestArray]]:
    """Return name and array of all variables by the keys that Vgroups name them by."""
    return {
        key: (variable.name, arrays[name])
        for name, variable in variables.items()
        if name in arrays
        for key in variable.keys
    }
