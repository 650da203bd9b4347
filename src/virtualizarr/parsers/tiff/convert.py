"""Images -> virtual arrays: dimensions band, y and x, with their coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import (
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    RegularGrid,
)
from virtualizarr.model.dtypes import data_type_of, encode_fill
from virtualizarr.model.metadata import CodecJson, serializer_of
from virtualizarr.parsers.georeference import centres_of, geo_transform, inline_array
from virtualizarr.parsers.tiff.describe import attributes_of, nodata_of
from virtualizarr.parsers.tiff.georeference import Georeference
from virtualizarr.parsers.tiff.image import Image
from virtualizarr.parsers.tiff.layout import Tag
from virtualizarr.parsers.tiff.storage import Storage, storage_of

MOST_COORDINATES = 1 << 21
"""Coordinates of an image longer or wider than this are left to its transform."""

MOST_SHARED = 1 << 17
"""Coordinates no longer than this are kept for the next file: 64 times 1 MiB at most."""

type Arrays = dict[str, ManifestArray]


def codecs_of(image: Image, storage: Storage) -> tuple[CodecJson, ...]:
    """Return the codecs of a chunk, in the order in which they encode."""
    if storage.codec is None:
        stored = image.dtype.newbyteorder(">" if image.codec.endian == "big" else "<")
        return (serializer_of(stored),)
    ours: CodecJson = {"name": storage.codec.name, "configuration": storage.codec.configuration()}
    return (serializer_of(image.dtype.newbyteorder("<")), ours)


_data_type = lru_cache(maxsize=64)(data_type_of)


def array_of(
    image: Image, storage: Storage, dims: Sequence[str], attributes: Mapping[str, Any]
) -> ManifestArray:
    """Return the array of one image; `dims` names its bands, rows and columns."""
    bands = image.samples // image.planes
    nodata = nodata_of(image)
    metadata = ArrayMetadata(
        shape=(image.samples, image.length, image.width),
        data_type=_data_type(image.dtype),
        chunk_grid=RegularGrid((bands, storage.rows, storage.columns)),
        codecs=codecs_of(image, storage),
        fill_value=encode_fill(nodata, image.dtype),
        attributes=attributes,
        dimension_names=tuple(dims),
    )
    return ManifestArray(metadata, storage.manifest)


def stacked(
    images: Sequence[Image],
    location: Location,
    chunk_bytes: int | None,
    dims: Sequence[str],
    attributes: Mapping[str, Any],
) -> ManifestArray:
    """Return the images, alike but for where they lie, as one array with a first axis for them."""
    storages = [storage_of(image, location, chunk_bytes) for image in images]
    first = storages[0]
    alike = all(
        (one.codec, one.rows, one.columns) == (first.codec, first.rows, first.columns)
        for one in storages
    )
    if not alike:
        storages = [storage_of(image, location, chunk_bytes, merge=False) for image in images]
    array = array_of(images[0], storages[0], dims[1:], attributes)
    metadata = array.metadata
    assert isinstance(metadata.chunk_grid, RegularGrid)
    manifest = ChunkManifest.concatenate(
        [storage.manifest.insert_axis(0) for storage in storages], axis=0
    )
    return ManifestArray(
        metadata.replace(
            shape=(len(images), *metadata.shape),
            chunk_grid=RegularGrid((1, *metadata.chunk_grid.chunk_shape)),
            dimension_names=tuple(dims),
        ),
        manifest,
    )


def same_kind(one: Image, other: Image) -> bool:
    """Say whether two images can be parts of one array: all but their place in the file agrees."""
    return (one.width, one.length, one.samples, one.planes, one.is_tiled, one.codec) == (
        other.width,
        other.length,
        other.samples,
        other.planes,
        other.is_tiled,
        other.codec,
    ) and encode_fill(nodata_of(one), one.dtype) == encode_fill(nodata_of(other), other.dtype)


@lru_cache(maxsize=256)
def _bands(count: int) -> ManifestArray:
    """Return the coordinate that numbers the bands from 1 on."""
    return inline_array(np.arange(1, count + 1, dtype=np.int64), ("band",), {})


def coordinates_of(image: Image, reference: Georeference | None, suffix: str) -> Arrays:
    """Return the coordinate arrays: band, and where the image is georeferenced x, y, spatial_ref.

    x and y are the centres of pixels, float64; there are none for rotated images, for which the
    transform in `spatial_ref` stands.
    """
    arrays: Arrays = {}
    if image.samples <= MOST_COORDINATES:
        arrays["band"] = _bands(image.samples)
    if reference is None:
        return arrays
    axes = reference.system.axes
    transform = reference.transform
    short = max(image.width, image.length) <= MOST_COORDINATES
    if transform is not None and not reference.is_rotated and short:
        a, _, c, _, e, f = transform
        for name, axis, count, size, start in (
            (f"x{suffix}", "X", image.width, a, c),
            (f"y{suffix}", "Y", image.length, e, f),
        ):
            centres = _shared_centres if count <= MOST_SHARED else _centres
            array = centres(name, count, size, start)
            metadata = array.metadata.replace(attributes=axes[axis]) if axis in axes else None
            arrays[name] = array if metadata is None else ManifestArray(metadata, array.manifest)
    attributes: dict[str, Any] = {**reference.system.mapping}
    if transform is not None:
        attributes["GeoTransform"] = geo_transform(transform)
    if reference.gcps is not None:
        attributes["gcps"] = reference.gcps
    if reference.keys:
        attributes["GeoKeys"] = dict(reference.keys)
    scalar = _scalar()
    metadata = scalar.metadata.replace(attributes=attributes)
    arrays["spatial_ref"] = ManifestArray(metadata, scalar.manifest)
    return arrays


@lru_cache(maxsize=1)
def _scalar() -> ManifestArray:
    """Return the array that has nothing to say but its attributes."""
    return inline_array(np.zeros((), np.int64), (), {})


def _centres(name: str, count: int, size: float, start: float) -> ManifestArray:
    """Return the centres of `count` pixels of `size`, the first of which begins at `start`."""
    return inline_array(centres_of(count, size, start), (name,), {})


_shared_centres = lru_cache(maxsize=64)(_centres)
"""Files of one series lie on one grid: they share the bytes of their coordinates."""


def colour_map(image: Image, suffix: str) -> Arrays:
    """Return the palette of an image as uint16 array of colours (red, green, blue) and entries."""
    values = image.ifd.values.get(Tag.COLOR_MAP)
    if values is None or not len(values) or len(values) % 3 or values.dtype != np.uint16:
        return {}
    dims = ("color", f"entry{suffix}")
    return {"color_map": inline_array(values.reshape(3, -1), dims, {})}


def variable_attributes(image: Image, reference: Georeference | None) -> dict[str, Any]:
    """Return the attributes of an image's variable."""
    attributes = attributes_of(image)
    if reference is not None:
        attributes["AREA_OR_POINT"] = "Point" if reference.is_point else "Area"
        attributes["grid_mapping"] = "spatial_ref"
        attributes["coordinates"] = "spatial_ref"
    return attributes


def mask_array(
    image: Image, location: Location, chunk_bytes: int | None, dims: Sequence[str]
) -> ManifestArray:
    """Return a mask of one sample as an array of rows and columns."""
    if image.samples != 1:
        raise UnsupportedFeatureError(
            f"a mask of {image.samples} samples", node=image.node, at=image.ifd.at
        )
    array = array_of(
        image, storage_of(image, location, chunk_bytes), ("band", *dims), {"ifd": image.ifd.path}
    )
    metadata = array.metadata
    assert isinstance(metadata.chunk_grid, RegularGrid)
    return ManifestArray(
        metadata.replace(
            shape=metadata.shape[1:],
            chunk_grid=RegularGrid(metadata.chunk_grid.chunk_shape[1:]),
            dimension_names=tuple(dims),
        ),
        array.manifest.drop_axis(0),
    )
