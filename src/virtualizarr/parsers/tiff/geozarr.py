"""GeoZarr attributes: the conventions spatial, proj and multiscales (zarr-conventions, v1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from virtualizarr.parsers.georeference import PROJ, SPATIAL, convention, spatial_attributes
from virtualizarr.parsers.tiff.georeference import Georeference
from virtualizarr.parsers.tiff.image import Image

MULTISCALES = convention(
    "multiscales",
    "multiscales",
    "d35379db-88df-4056-af3a-620245f8e347",
    "Multiscale layout of zarr datasets",
)


def level_attributes(
    image: Image, reference: Georeference | None, dims: Sequence[str]
) -> dict[str, Any]:
    """Return the attributes of a group of one resolution: where it lies, and in which CRS."""
    if reference is None:
        return {}
    attributes: dict[str, Any] = {}
    conventions: list[Mapping[str, str]] = []
    projection = _projection(reference)
    if projection:
        conventions.append(PROJ)
        attributes |= projection
    if reference.transform is not None:
        conventions.append(SPATIAL)
        shape = (image.length, image.width)
        attributes |= spatial_attributes(reference.transform, shape, dims)
    return {"zarr_conventions": conventions, **attributes} if conventions else {}


def _projection(reference: Georeference) -> dict[str, Any]:
    """Return the attribute that names the CRS: by its code, else by its WKT; empty without one."""
    if reference.system.code is not None:
        return {"proj:code": reference.system.code}
    return {"proj:wkt2": reference.system.wkt} if reference.system.wkt else {}


def tree_attributes(
    images: Sequence[Image], reference: Georeference | None, first: Sequence[str]
) -> dict[str, Any]:
    """Return the attributes of a group of several resolutions; `first` names the full one."""
    if len(images) < 2:
        return {}
    layout: list[dict[str, Any]] = [{"asset": first[0]}]
    for level, (image, larger) in enumerate(zip(images[1:], images, strict=False), 1):
        scale = [larger.length / image.length, larger.width / image.width]
        layout.append(
            {
                "asset": str(level),
                "derived_from": layout[-1]["asset"],
                "transform": {"scale": scale, "translation": [0.0, 0.0]},
            }
        )
    attributes: dict[str, Any] = {
        "zarr_conventions": [MULTISCALES],
        "multiscales": {"layout": layout},
    }
    projection = {} if reference is None else _projection(reference)
    if projection:
        attributes["zarr_conventions"].append(PROJ)
        attributes |= projection
    return attributes
