"""HDF-EOS2: what `StructMetadata.0` says of the grids and swaths of a file.

Reference: "HDF-EOS Library User's Guide" for the ECS project, volumes 1 and 2 (EEB 1999-2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtualizarr.parsers.hdf4.odl import Node, decode_odl, values_of

GRID, SWATH, POINT = "GRID", "SWATH", "POINT"
STRUCT_METADATA = "StructMetadata."
GRID_VALUES = (
    "Projection",
    "ZoneCode",
    "SphereCode",
    "ProjParams",
    "UpperLeftPointMtrs",
    "LowerRightMtrs",
    "GridOrigin",
    "PixelRegistration",
)


@dataclass(frozen=True, slots=True)
class Structure:
    """A grid or swath: the dimensions of each field by name, and what else is said of it.

    `geolocation` are the names of a swath's geolocation fields. `node` is its description.
    """

    kind: str
    name: str
    dims: Mapping[str, tuple[str, ...]]
    geolocation: tuple[str, ...]
    attributes: Mapping[str, Any]
    node: Node


def structures_of(attributes: Mapping[str, Any]) -> dict[tuple[str, str], Structure]:
    """Return the grids and swaths of a file by kind and name, from the file's attributes."""
    parts = [
        str(attributes[f"{STRUCT_METADATA}{number}"])
        for number in range(len(attributes))
        if f"{STRUCT_METADATA}{number}" in attributes
    ]
    if not parts:
        return {}
    root = decode_odl("".join(parts))
    grids = [_grid(node) for node in root.under("GridStructure")]
    swaths = [_swath(node) for node in root.under("SwathStructure")]
    return {(each.kind, each.name): each for each in (*grids, *swaths)}


def _grid(node: Node) -> Structure:
    dims = _dims(node, "DataField", "DataFieldName")
    return Structure(GRID, node.text("GridName"), dims, (), values_of(node, GRID_VALUES), node)


def _swath(node: Node) -> Structure:
    geolocation = _dims(node, "GeoField", "GeoFieldName")
    dims = {**geolocation, **_dims(node, "DataField", "DataFieldName")}
    maps = [
        f"{each.text('DataDimension')}: {each.text('GeoDimension')} "
        f"offset {each.text('Offset')} increment {each.text('Increment')}"
        for each in node.under("DimensionMap")
    ]
    attributes = {"DimensionMap": maps} if maps else {}
    return Structure(SWATH, node.text("SwathName"), dims, tuple(geolocation), attributes, node)


def _dims(node: Node, group: str, name: str) -> dict[str, tuple[str, ...]]:
    return {each.text(name): each.items("DimList") for each in node.under(group)}
