"""Where a raster lies on the earth, as GDAL, rioxarray and the GeoZarr conventions say it.

Formats bring an affine transform and, as well-known text, code or PROJ string, a coordinate
reference system; here they become coordinates and attributes.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray

MOST_COORDINATES = 1 << 21
"""Coordinates of an image longer or wider than this are left to its transform."""

MAX_CRS_TEXT = 65_536


def convention(name: str, repository: str, uuid: str, description: str) -> Mapping[str, str]:
    """Return the entry of `zarr_conventions` for version 1 of a convention."""
    place = f"zarr-conventions/{repository}"
    return {
        "schema_url": f"https://raw.githubusercontent.com/{place}/refs/tags/v1/schema.json",
        "spec_url": f"https://github.com/{place}/blob/v1/README.md",
        "uuid": uuid,
        "name": name,
        "description": description,
    }


SPATIAL = convention(
    "spatial",
    "spatial",
    "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
    "Spatial coordinate information",
)
PROJ = convention(
    "proj",
    "geo-proj",
    "f17cb550-5864-4468-aeb7-f3180cfb622f",
    "Coordinate reference system information for geospatial data",
)

type Affine = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """`transform` is a, b, c, d, e, f: x = a * column + b * row + c, y = d * column + e * row + f.

    Columns and rows count from the outer corner of the first pixel. `crs` is anything that pyproj
    takes for a coordinate reference system, None where it is not known.
    """

    transform: Affine | None = None
    crs: str | None = None

    @property
    def is_rotated(self) -> bool:
        return self.transform is not None and is_rotated(self.transform)

    @property
    def is_known(self) -> bool:
        return self.transform is not None or self.crs is not None


def is_rotated(transform: Affine) -> bool:
    """Say whether rows do not run along x, or columns not along y."""
    return transform[1] != 0 or transform[3] != 0


def geo_transform(transform: Affine) -> str:
    """Return the transform as GDAL writes it: c a b f d e."""
    a, b, c, d, e, f = transform
    return " ".join(map(repr, (c, a, b, f, d, e)))


def north_up(left: float, top: float, width: float, height: float) -> Affine | None:
    """Return the transform of pixels so wide and high below a corner; None if there is none."""
    numbers = (left, top, width, height)
    if not np.isfinite(numbers).all() or width == 0 or height == 0:
        return None
    return (width, 0.0, left, 0.0, -height, top)


def coordinates_of(
    place: Place, lengths: Mapping[str, int], dims: Sequence[str] = ("y", "x")
) -> dict[str, ManifestArray]:
    """Return x and y (the centres of pixels, float64) and the scalar `spatial_ref`, by name.

    `dims` names the axes of lines and of samples, whose lengths are in `lengths`. There are no x
    and y for rotated images, for which the transform in `spatial_ref` stands.
    """
    if not place.is_known:
        return {}
    mapping, axes, _ = _crs_attributes(place.crs)
    y, x = dims
    arrays: dict[str, ManifestArray] = {}
    transform = place.transform
    short = max(lengths[x], lengths[y]) <= MOST_COORDINATES
    if transform is not None and not place.is_rotated and short:
        a, _, c, _, e, f = transform
        arrays[x] = inline_array(centres_of(lengths[x], a, c), (x,), axes.get("X", {}))
        arrays[y] = inline_array(centres_of(lengths[y], e, f), (y,), axes.get("Y", {}))
    attributes: dict[str, Any] = {**mapping}
    if transform is not None:
        attributes["GeoTransform"] = geo_transform(transform)
    arrays["spatial_ref"] = inline_array(np.zeros((), np.int64), (), attributes)
    return arrays


def geozarr_attributes(
    place: Place, lengths: Mapping[str, int], dims: Sequence[str] = ("y", "x")
) -> dict[str, Any]:
    """Return the attributes of the group: where it lies, and in which CRS (GeoZarr conventions)."""
    attributes: dict[str, Any] = {}
    conventions: list[Mapping[str, str]] = []
    code = _crs_attributes(place.crs)[2] if place.crs is not None else None
    if code is not None:
        conventions.append(PROJ)
        attributes["proj:code"] = code
    if place.transform is not None:
        conventions.append(SPATIAL)
        attributes |= spatial_attributes(place.transform, [lengths[dim] for dim in dims], dims)
    return {"zarr_conventions": conventions, **attributes} if conventions else {}


def spatial_attributes(
    transform: Affine, shape: Sequence[int], dims: Sequence[str]
) -> dict[str, Any]:
    """Return what the convention `spatial` says of an image of so many rows and columns."""
    rows, columns = shape
    a, b, c, d, e, f = transform
    corners = [(0, 0), (columns, 0), (0, rows), (columns, rows)]
    xs = [a * column + b * row + c for column, row in corners]
    ys = [d * column + e * row + f for column, row in corners]
    return {
        "spatial:dimensions": list(dims),
        "spatial:transform_type": "affine",
        "spatial:transform": list(transform),
        "spatial:shape": [rows, columns],
        "spatial:registration": "pixel",
        "spatial:bbox": [min(xs), min(ys), max(xs), max(ys)],
    }


def variable_attributes(place: Place) -> dict[str, Any]:
    """Return what ties a raster's variable to its `spatial_ref`."""
    if not place.is_known:
        return {}
    return {
        "AREA_OR_POINT": "Area",
        "grid_mapping": "spatial_ref",
        "coordinates": "spatial_ref",
    }


@lru_cache(maxsize=256)
def _inline_metadata(
    shape: tuple[int, ...], dtype: np.dtype[Any], dims: tuple[str, ...]
) -> ArrayMetadata:
    return ArrayMetadata.create(shape=shape, dtype=dtype, chunk_shape=shape, dimension_names=dims)


def inline_array(
    values: npt.NDArray[Any], dims: tuple[str, ...], attributes: Mapping[str, Any]
) -> ManifestArray:
    """Return an array whose one chunk is held in the manifest."""
    dtype = values.dtype.newbyteorder("<")
    metadata = _inline_metadata(values.shape, dtype, dims)
    if attributes:
        metadata = metadata.replace(attributes=attributes)
    manifest = ChunkManifest.inlined(values.astype(dtype, copy=False).tobytes())
    return ManifestArray(metadata, manifest.reshape_grid((1,) * values.ndim))


def centres_of(count: int, size: float, start: float) -> npt.NDArray[np.float64]:
    """Return the centres of `count` pixels of `size`, the first of which begins at `start`."""
    centres = np.arange(count, dtype=np.float64)
    centres *= size
    centres += start + size / 2
    return centres


type CrsAttributes = tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]], str | None]


@lru_cache(maxsize=256)
def _crs_attributes(text: str | None) -> CrsAttributes:
    """Return the CF grid mapping attributes of a CRS, those of its X and Y axes, and its code.

    Empty where pyproj is not installed or does not know the CRS.
    """
    if text is None or len(text) > MAX_CRS_TEXT:
        return {}, {}, None
    try:
        pyproj = importlib.import_module("pyproj")
    except ImportError:
        return {}, {}, None
    try:
        crs = pyproj.CRS.from_user_input(text)
        number = crs.to_epsg()
        if number is not None:
            crs = pyproj.CRS.from_epsg(number)
        mapping = crs.to_cf()
        axes = {axis["axis"]: axis for axis in crs.cs_to_cf() if "axis" in axis}
    except (pyproj.exceptions.ProjError, ValueError, OverflowError, KeyError):
        return {}, {}, None
    code = f"EPSG:{number}" if number is not None else None
    return {**mapping, "spatial_ref": mapping.get("crs_wkt", "")}, axes, code
