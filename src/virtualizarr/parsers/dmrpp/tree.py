"""Groups: from what a document says to a tree of virtual arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.dmrpp.attributes import NUMBERS
from virtualizarr.parsers.dmrpp.build import Shown
from virtualizarr.parsers.dmrpp.context import Context
from virtualizarr.parsers.dmrpp.decode import TEXTS
from virtualizarr.parsers.dmrpp.dimensions import DimensionNames
from virtualizarr.parsers.dmrpp.fill import check_supported
from virtualizarr.parsers.dmrpp.layout import Enumeration, Group, Variable
from virtualizarr.parsers.dmrpp.numbers import read_number_array
from virtualizarr.parsers.dmrpp.refusals import Refusals
from virtualizarr.parsers.dmrpp.structures import read_structure
from virtualizarr.parsers.dmrpp.texts import read_text_array
from virtualizarr.source.reading import Reading, together

type Node = ManifestArray | ManifestGroup


def walk_variables(group: Group) -> Iterator[Variable]:
    """Yield the variables of a group and of all below it."""
    yield from group.variables.values()
    for child in group.groups.values():
        yield from walk_variables(child)


def hrefs_of(group: Group) -> set[str | None]:
    """Return the hrefs of all chunks and blocks; None stands for the document's own file."""
    return {
        href
        for variable in walk_variables(group)
        for pieces in (variable.storage.chunks, variable.storage.blocks)
        if pieces is not None
        for href in pieces.hrefs
    }


def read_tree(
    context: Context, group: Group, names: DimensionNames, refusals: Refusals
) -> Reading[ManifestGroup]:
    """Return a group and all below it; what must be read of the data files is read together."""
    variables = group.variables
    found = yield from together(
        [_caught(_read_variable(context, each, group, names)) for each in variables.values()]
    )
    arrays: dict[str, ManifestArray] = {}
    groups: dict[str, ManifestGroup] = {}
    for variable, node in zip(variables.values(), found, strict=True):
        if isinstance(node, ManifestArray):
            arrays[variable.name] = node
        elif isinstance(node, ManifestGroup):
            groups[variable.name] = node
        else:
            refusals.meet(node, variable.path)
    below = yield from together(
        [read_tree(context, child, names.below(), refusals) for child in group.groups.values()]
    )
    groups |= zip(group.groups, below, strict=True)
    return ManifestGroup(arrays, groups, group.attributes)


def _caught(reading: Reading[Node]) -> Reading[Node | VirtualizeError]:
    try:
        return (yield from reading)
    except VirtualizeError as error:
        return error


def _read_variable(
    context: Context, variable: Variable, group: Group, names: DimensionNames
) -> Reading[Node]:
    check_supported(variable)
    empty = 0 in variable.shape
    if not variable.storage.given and not empty:
        raise UnsupportedFeatureError("the document does not tell where its values lie")
    shown = Shown(variable.shape, names.names_of(variable.dims), _attributes(variable, group))
    if variable.type == "Sequence":
        raise UnsupportedFeatureError("is a Sequence: Zarr has no ragged arrays")
    if variable.type == "Structure":
        return (yield from read_structure(context, variable, shown, names))
    if variable.type in TEXTS:
        return (yield from read_text_array(context, variable, shown))
    return (yield from read_number_array(context, variable, shown))


def _attributes(variable: Variable, group: Group) -> dict[str, Any]:
    """Return a variable's attributes, with what its type and its Maps tell in CF's words."""
    attributes = dict(variable.attributes)
    enumeration = variable.enumeration
    if enumeration is not None and not enumeration.is_boolean and enumeration.names:
        attributes = {**_flags(enumeration), **attributes}
    dims = {dim.path for dim in variable.dims}
    maps = [path for path in variable.maps if path not in dims]
    others = [path.rpartition("/")[2] for path in maps if _parent(path) == group.path]
    coordinates = [name for name in others if name in group.variables and name != variable.name]
    if coordinates and "coordinates" not in attributes:
        attributes["coordinates"] = " ".join(coordinates)
    return attributes


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _flags(enumeration: Enumeration) -> dict[str, Any]:
    """Return the names of an enumeration's values as CF (3.5) writes them."""
    dtype = NUMBERS[enumeration.basetype.lower()]
    try:
        values = np.array(enumeration.values, dtype)
    except OverflowError as error:
        raise CorruptFileError(f"an enumeration's value is no {dtype}") from error
    meanings = ("_".join(name.split()) for name in enumeration.names)
    return {"flag_values": values, "flag_meanings": " ".join(meanings)}
