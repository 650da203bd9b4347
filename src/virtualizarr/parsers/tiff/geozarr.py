"""GeoZarr attributes: the conventions spatial, proj and multiscales (zarr-conventions, v1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from virtualizarr.parsers.tiff.georeference import Georeference
from virtualizarr.parsers.tiff.image import Image

_SCHEMAS = "https://raw.githubusercontent.com/zarr-conventions/{0}/refs/tags/v1/schema.json"
_SPECIFICATIONS = "https://github.com/zarr-conventions/{0}/blob/v1/README.md"


def _convention(name: str, repository: str, uuid: str, description: str) -> dict[str, str]:
    return {
        "schema_url": _SCHEMAS.format(repository),
        "spec_url": _SPECIFICATIONS.format(repository),
        "uuid": uuid,
        "name": name,
        "description": description,
    }


SPATIAL = _convention(
    "spatial",
    "spatial",
    "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
    "Spatial coordinate information",
)
PROJ = _convention(
    "proj",
    "geo-proj",
    "f17cb550-5864-4468-aeb7-f3180cfb622f",
    "Coordinate reference system information for geospatial data",
)
MULTISCALES = _convention(
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
    conventions: list[dict[str, str]] = []
    projection = _projection(reference)
    if projection:
        conventions.append(PROJ)
        attributes |= projection
    if reference.transform is not None:
        conventions.append(SPATIAL)
        attributes["spatial:dimensions"] = list(dims)
        attributes["spatial:transform_type"] = "affine"
        attributes["spatial:transform"] = list(reference.transform)
        attributes["spatial:shape"] = [image.length, image.width]
        attributes["spatial:registration"] = "pixel"
        attributes["spatial:bbox"] = _bbox(image, reference.transform)
    return {"zarr_conventions": conventions, **attributes} if conventions else {}


def _projection(reference: Georeference) -> dict[str, Any]:
    """Return the attribute that names the CRS: by its code, else by its WKT; empty without one."""
    if reference.system.code is not None:
        return {"proj:code": reference.system.code}
    return {"proj:wkt2": reference.system.wkt} if reference.system.wkt else {}


def _bbox(image: Image, transform: tuple[float, ...]) -> list[float]:
    a, b, c, d, e, f = transform
    corners = [(0, 0), (image.width, 0), (0, image.length), (image.width, image.length)]
    xs = [a * column + b * row + c for column, row in corners]
    ys = [d * column + e * row + f for column, row in corners]
    return [min(xs), min(ys), max(xs), max(ys)]


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
