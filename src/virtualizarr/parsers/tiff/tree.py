"""The pictures of a file, made into groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.tiff.convert import (
    array_of,
    colour_map,
    coordinates_of,
    mask_array,
    stacked,
    variable_attributes,
)
from virtualizarr.parsers.tiff.georeference import Georeference, georeference_of
from virtualizarr.parsers.tiff.geozarr import level_attributes, tree_attributes
from virtualizarr.parsers.tiff.image import Image
from virtualizarr.parsers.tiff.pictures import pictures_of
from virtualizarr.parsers.tiff.series import PAGE, Series, series_of
from virtualizarr.parsers.tiff.storage import storage_of

VARIABLE, MASK = "band_data", "mask"

type Overviews = Literal["tree", "levels", "skip"]
type Pages = Literal["auto", "groups"]


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes groups of pictures; the fields are the parser's options and the file."""

    location: Location
    overviews: Overviews
    pages: Pages
    chunk_bytes: int | None

    def tree(self, images: Sequence[Image]) -> ManifestGroup:
        """Return the tree of all images of a file, in the order of `read_ifds`.

        A single series of pictures is the root; several are a group each, named by their first IFD.
        """
        pictures = pictures_of(images)
        if self.pages == "groups":
            series = [Series((picture,)) for picture in pictures]
        else:
            series = series_of(pictures, self.location.url.rpartition("/")[2])
        if len(series) == 1:
            return self.picture(series[0])
        return ManifestGroup(groups={one.path: self.picture(one) for one in series})

    def picture(self, series: Series) -> ManifestGroup:
        """Return the group of one picture, or of several that are one array."""
        pictures = series.pictures
        count = len(pictures[0].levels) if self.overviews != "skip" else 1
        reference = georeference_of(pictures[0].image.ifd)
        apart = self.overviews == "levels" and count > 1
        groups: dict[str, ManifestGroup] = {}
        for level in range(count):
            suffix = f"_{level}" if level and not apart else ""
            groups[str(level)] = self.level(series, level, reference, suffix)
        images = [level.image for level in pictures[0].levels[:count]]
        attributes = tree_attributes(images, reference, ["0" if apart else "."])
        if apart:
            return ManifestGroup(groups=groups, attributes=attributes)
        root = groups.pop("0")
        return ManifestGroup(root.arrays, groups, _joined(root.attributes, attributes))

    def level(
        self,
        series: Series,
        level: int,
        reference: Georeference | None,
        suffix: str,
    ) -> ManifestGroup:
        """Return the group of one resolution, without groups below it."""
        pictures = series.pictures
        whole, image = pictures[0].image, pictures[0].levels[level].image
        mask = pictures[0].levels[level].mask
        if reference is not None and level:
            reference = reference.scaled(whole.width / image.width, whole.length / image.length)
        dims = ("band", f"y{suffix}", f"x{suffix}")
        arrays: dict[str, ManifestArray] = {VARIABLE: self.array(series, level, dims, reference)}
        if mask is not None:
            arrays[MASK] = mask_array(mask, self.location, self.chunk_bytes, dims[1:])
        arrays |= colour_map(image, suffix)
        coordinates = coordinates_of(image, reference, suffix)
        used = {name for array in arrays.values() for name in _dims(array)} | {"spatial_ref"}
        arrays |= {name: array for name, array in coordinates.items() if name in used}
        return ManifestGroup(arrays, attributes=level_attributes(image, reference, dims[1:]))

    def array(
        self,
        series: Series,
        level: int,
        dims: tuple[str, str, str],
        reference: Georeference | None,
    ) -> ManifestArray:
        """Return the array of one resolution of a series."""
        images = [picture.levels[level].image for picture in series.pictures]
        attributes = variable_attributes(images[0], reference)
        if series.name:
            attributes.setdefault("long_name", series.name)
        if not series.dims:
            storage = storage_of(images[0], self.location, self.chunk_bytes)
            return array_of(images[0], storage, dims, attributes)
        array = stacked(images, self.location, self.chunk_bytes, (PAGE, *dims), attributes)
        return array if series.dims == (PAGE,) else _folded(array, series.dims, series.shape)


def _folded(array: ManifestArray, dims: tuple[str, ...], shape: tuple[int, ...]) -> ManifestArray:
    """Return an array of pages with the axis of pages made into several; one band has no axis."""
    metadata = array.metadata
    names = metadata.dimension_names
    assert names is not None
    drop = 2 if metadata.shape[1] == 1 else 1
    grid: Any = metadata.chunk_grid
    chunk_shape = (*(1,) * len(shape), *grid.chunk_shape[drop:])
    manifest_grid = (*shape, *array.manifest.shape_chunk_grid[drop:])
    return ManifestArray(
        metadata.replace(
            shape=(*shape, *metadata.shape[drop:]),
            chunk_grid=type(grid)(chunk_shape),
            dimension_names=(*dims, *names[drop:]),
        ),
        array.manifest.reshape_grid(manifest_grid),
    )


def _dims(array: ManifestArray) -> tuple[str | None, ...]:
    names = array.metadata.dimension_names
    return names if names is not None else ()


def _joined(level: Any, tree: Any) -> dict[str, Any]:
    """Return the attributes of the full resolution together with those of the tree."""
    conventions = [*tree.get("zarr_conventions", ()), *level.get("zarr_conventions", ())]
    named = {one["name"]: one for one in conventions}
    joined = {**level, **tree}
    return {**joined, "zarr_conventions": list(named.values())} if named else joined


def refuse_empty(images: Sequence[Image]) -> None:
    """Raise UnsupportedFeatureError if no image of the file is left."""
    if not images:
        raise UnsupportedFeatureError("no image of the file can be read")
