"""The images of a file, sorted into pictures with overviews and masks, and made into groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.tiff.convert import (
    array_of,
    colour_map,
    coordinates_of,
    mask_array,
    same_kind,
    stacked,
    variable_attributes,
)
from virtualizarr.parsers.tiff.georeference import Georeference, georeference_of
from virtualizarr.parsers.tiff.geozarr import level_attributes, tree_attributes
from virtualizarr.parsers.tiff.image import Image
from virtualizarr.parsers.tiff.layout import Tag
from virtualizarr.parsers.tiff.ome import planes_of
from virtualizarr.parsers.tiff.storage import storage_of

VARIABLE, MASK = "band_data", "mask"

type Overviews = Literal["tree", "levels", "skip"]
type Pages = Literal["auto", "groups"]


@dataclass(frozen=True, slots=True)
class Level:
    """An image, and the mask of the same size that belongs to it."""

    image: Image
    mask: Image | None = None


@dataclass(slots=True)
class Picture:
    """An image in full resolution, its overviews from large to small, and their masks."""

    levels: list[Level] = field(default_factory=list)

    @property
    def image(self) -> Image:
        return self.levels[0].image


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes groups of pictures; the fields are the parser's options and the file."""

    location: Location
    overviews: Overviews
    pages: Pages
    chunk_bytes: int | None

    def tree(self, images: Sequence[Image]) -> ManifestGroup:
        """Return the tree of all images of a file, in the order of `read_ifds`.

        One picture is the root. Pictures that are alike are one array with a first axis `page`;
        others are a group each, named by their IFD.
        """
        pictures = pictures_of(images)
        if len(pictures) == 1:
            return self.picture(pictures)
        if self.pages == "auto" and _all_alike(pictures):
            return self.picture(pictures)
        return ManifestGroup(
            groups={
                picture.image.ifd.path.replace("/", "_"): self.picture([picture])
                for picture in pictures
            }
        )

    def picture(self, pictures: Sequence[Picture]) -> ManifestGroup:
        """Return the group of one picture, or of several that are alike as pages of one."""
        count = len(pictures[0].levels) if self.overviews != "skip" else 1
        reference = georeference_of(pictures[0].image.ifd)
        apart = self.overviews == "levels" and count > 1
        groups: dict[str, ManifestGroup] = {}
        for level in range(count):
            suffix = f"_{level}" if level and not apart else ""
            groups[str(level)] = self.level(pictures, level, reference, suffix)
        images = [level.image for level in pictures[0].levels[:count]]
        attributes = tree_attributes(images, reference, ["0" if apart else "."])
        if apart:
            return ManifestGroup(groups=groups, attributes=attributes)
        root = groups.pop("0")
        return ManifestGroup(root.arrays, groups, _joined(root.attributes, attributes))

    def level(
        self,
        pictures: Sequence[Picture],
        level: int,
        reference: Georeference | None,
        suffix: str,
    ) -> ManifestGroup:
        """Return the group of one resolution, without groups below it."""
        whole, image = pictures[0].image, pictures[0].levels[level].image
        mask = pictures[0].levels[level].mask
        if reference is not None and level:
            reference = reference.scaled(whole.width / image.width, whole.length / image.length)
        dims = ("band", f"y{suffix}", f"x{suffix}")
        arrays: dict[str, ManifestArray] = {VARIABLE: self.array(pictures, level, dims, reference)}
        if mask is not None:
            arrays[MASK] = mask_array(mask, self.location, self.chunk_bytes, dims[1:])
        arrays |= colour_map(image, suffix)
        coordinates = coordinates_of(image, reference, suffix)
        used = {name for array in arrays.values() for name in _dims(array)} | {"spatial_ref"}
        arrays |= {name: array for name, array in coordinates.items() if name in used}
        return ManifestGroup(arrays, attributes=level_attributes(image, reference, dims[1:]))

    def array(
        self,
        pictures: Sequence[Picture],
        level: int,
        dims: tuple[str, str, str],
        reference: Georeference | None,
    ) -> ManifestArray:
        """Return the array of one resolution of a picture, or of several pictures in a stack."""
        images = [picture.levels[level].image for picture in pictures]
        attributes = variable_attributes(images[0], reference)
        first = pictures[0].image
        planes = planes_of(
            first.ifd.text(Tag.IMAGE_DESCRIPTION),
            first.width,
            first.length,
            first.samples,
            len(images),
        )
        if planes is None:
            if len(images) == 1:
                storage = storage_of(images[0], self.location, self.chunk_bytes)
                return array_of(images[0], storage, dims, attributes)
            return stacked(images, self.location, self.chunk_bytes, ("page", *dims), attributes)
        ordered = [images[page] for page in planes.pages]
        array = stacked(ordered, self.location, self.chunk_bytes, ("page", *dims), attributes)
        return _folded(array, planes.dims, planes.shape)


def pictures_of(images: Sequence[Image]) -> list[Picture]:
    """Sort images: a reduced one belongs to the full one before it, a mask to one of its size."""
    pictures: list[Picture] = []
    tops: dict[str, Picture] = {}
    for image in images:
        parent = image.ifd.path.rpartition("/")[0]
        picture = tops.get(parent) if parent else (pictures[-1] if pictures else None)
        if picture is not None and image.is_mask and _give_mask(picture, image):
            continue
        smaller = picture is not None and _is_overview(picture, image, is_sub=bool(parent))
        if picture is not None and smaller:
            picture.levels.append(Level(image))
        else:
            picture = Picture([Level(image)])
            pictures.append(picture)
        tops[image.ifd.path] = picture
    return pictures


def _give_mask(picture: Picture, mask: Image) -> bool:
    for i, level in enumerate(picture.levels):
        size = (level.image.width, level.image.length)
        if level.mask is None and size == (mask.width, mask.length) and mask.samples == 1:
            picture.levels[i] = Level(level.image, mask)
            return True
    return False


def _is_overview(picture: Picture, image: Image, *, is_sub: bool) -> bool:
    whole = picture.image
    smaller = image.width <= whole.width and image.length <= whole.length
    same_size = (image.width, image.length) == (whole.width, whole.length)
    return (
        (image.is_reduced or is_sub)
        and not image.is_mask
        and not whole.is_mask
        and smaller
        and not same_size
        and (image.samples, image.dtype) == (whole.samples, whole.dtype)
    )


def _all_alike(pictures: Sequence[Picture]) -> bool:
    """Say whether pictures can be pages of one array, on every level."""
    first = pictures[0]
    return all(
        len(picture.levels) == len(first.levels)
        and all(
            one.mask is None and other.mask is None and same_kind(one.image, other.image)
            for one, other in zip(first.levels, picture.levels, strict=True)
        )
        and georeference_of(picture.image.ifd) in (None, georeference_of(first.image.ifd))
        for picture in pictures
    )


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
