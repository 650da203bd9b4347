"""The coordinates of HDF-EOS2 grids: projected ones along XDim and YDim, or degrees.

Reference: "HDF-EOS Library User's Guide", volume 1, section 6 (grid data); the corner points are
those of the outermost pixels, and a pixel's place is its centre or, with PixelRegistration
HDFE_CORNER, the corner that GridOrigin names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray
from virtualizarr.parsers.hdf4.eos import Structure
from virtualizarr.parsers.hdf4.gctp import grid_mapping, packed_degrees

X, Y, CRS = "XDim", "YDim", "spatial_ref"
GEOGRAPHIC, IN_DEGREES_YET_PROJECTED = "GCTP_GEO", "GCTP_BCEA"
CORNER = "HDFE_CORNER"
MAX_LENGTH = 1 << 20
PLACES = {
    "HDFE_GD_UL": (0.0, 0.0),
    "HDFE_GD_UR": (1.0, 0.0),
    "HDFE_GD_LL": (0.0, 1.0),
    "HDFE_GD_LR": (1.0, 1.0),
}
"""Where in a pixel the corner lies that GridOrigin names: along x and y, in pixels."""

DEGREES: tuple[Mapping[str, Any], Mapping[str, Any]] = (
    {"standard_name": "longitude", "units": "degrees_east", "axis": "X"},
    {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"},
)
METRES: tuple[Mapping[str, Any], Mapping[str, Any]] = (
    {"standard_name": "projection_x_coordinate", "units": "m", "axis": "X"},
    {"standard_name": "projection_y_coordinate", "units": "m", "axis": "Y"},
)


def grid_coordinates(grid: Structure, lengths: Mapping[str, int]) -> dict[str, ManifestArray]:
    """Return XDim and YDim of a grid, and `spatial_ref` where its projection has a CF grid mapping.

    `lengths` are the lengths of the dimensions that its fields have. Empty where the corner points
    are not known ("DEFAULT"), or the metadata say other lengths than the fields.
    """
    corners = np.array([*grid.node.reals("UpperLeftPointMtrs"), *grid.node.reals("LowerRightMtrs")])
    counts = [grid.node.integer(X), grid.node.integer(Y)]
    projection = grid.node.text("Projection")
    fitting = all(
        count is not None and 0 < count <= MAX_LENGTH and lengths.get(name) == count
        for name, count in zip((X, Y), counts, strict=True)
    )
    if len(corners) != 4 or not np.isfinite(corners).all() or not fitting:
        return {}
    geographic = projection == GEOGRAPHIC
    if projection in ("", IN_DEGREES_YET_PROJECTED):
        return {}
    if geographic:
        corners = packed_degrees(corners)
    registration = grid.node.text("PixelRegistration")
    place = (0.5, 0.5)
    if registration == CORNER:
        place = PLACES.get(grid.node.text("GridOrigin"), PLACES["HDFE_GD_UL"])
    found = {}
    for axis, (name, said) in enumerate(
        zip((X, Y), DEGREES if geographic else METRES, strict=True)
    ):
        count = counts[axis]
        assert count is not None
        step = (corners[axis + 2] - corners[axis]) / count
        values = corners[axis] + (np.arange(count) + place[axis]) * step
        found[name] = inline_array(values, (name,), said)
    mapping = grid_mapping(
        projection,
        grid.node.reals("ProjParams"),
        grid.node.integer("SphereCode"),
        grid.node.integer("ZoneCode"),
    )
    if mapping:
        found[CRS] = inline_array(np.zeros((), np.int32), (), mapping)
    return found


def inline_array(
    values: npt.NDArray[Any], dims: tuple[str, ...], attributes: Mapping[str, Any]
) -> ManifestArray:
    """Return an array of one chunk that is kept in the manifest."""
    metadata = ArrayMetadata.create(
        shape=values.shape,
        dtype=values.dtype,
        chunk_shape=values.shape,
        attributes=attributes,
        dimension_names=dims,
    )
    manifest = ChunkManifest.inlined(values.tobytes())
    return ManifestArray(metadata, manifest.reshape_grid(metadata.grid_shape))
