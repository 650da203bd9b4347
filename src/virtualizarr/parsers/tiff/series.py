"""Pictures that belong together: the axes that OME-XML, ImageJ or Zeiss LSM say they make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from virtualizarr.parsers.tiff.convert import same_kind
from virtualizarr.parsers.tiff.georeference import georeference_of
from virtualizarr.parsers.tiff.imagej import axes_of
from virtualizarr.parsers.tiff.layout import Tag
from virtualizarr.parsers.tiff.ome import ome_images
from virtualizarr.parsers.tiff.pictures import Picture

PAGE = "page"


@dataclass(frozen=True, slots=True)
class Series:
    """Pictures of one array, in C order of the axes `dims` of lengths `shape`; none for a single.

    `name` is what the file calls them, empty where it does not.
    """

    pictures: tuple[Picture, ...]
    dims: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    name: str = ""

    @property
    def path(self) -> str:
        """The IFD of its first picture, as a name of a group."""
        return self.pictures[0].image.ifd.path.replace("/", "_")


def series_of(pictures: Sequence[Picture], file_name: str) -> list[Series]:
    """Return the pictures of a file, those that are one array together.

    OME-XML comes first, then ImageJ's description; other pictures that are all alike are pages, and
    so are those of LSM and their thumbnails, each for themselves. The rest is alone.
    """
    description = pictures[0].image.ifd.text(Tag.IMAGE_DESCRIPTION)
    found = _of_ome(pictures, description, file_name)
    if found:
        return found
    if all_alike(pictures):
        axes = axes_of(description, len(pictures))
        return [Series(tuple(pictures), *axes)] if axes is not None else [_pages(pictures)]
    if Tag.CZ_LSMINFO in pictures[0].image.ifd.values:
        kinds = (
            [one for one in pictures if not one.image.is_reduced],
            [one for one in pictures if one.image.is_reduced],
        )
        if all(not kind or all_alike(kind) for kind in kinds):
            return [_pages(kind) for kind in kinds if kind]
    return [Series((picture,)) for picture in pictures]


def _pages(pictures: Sequence[Picture]) -> Series:
    if len(pictures) == 1:
        return Series(tuple(pictures))
    return Series(tuple(pictures), (PAGE,), (len(pictures),))


def _of_ome(pictures: Sequence[Picture], description: str | None, file_name: str) -> list[Series]:
    """Return the images of OME-XML, and the pictures that it does not tell of; empty without it."""
    by_path = {picture.image.ifd.path: picture for picture in pictures}
    count = 1 + max((int(path) for path in by_path if path.isdecimal()), default=0)
    series: list[Series] = []
    for image in ome_images(description, file_name, count):
        planes = [by_path.get(str(page)) for page in image.planes.pages]
        held = [picture for picture in planes if picture is not None]
        size = (image.width, image.length, image.samples)
        first = held[0].image if held else None
        if first is None or len(held) != len(planes) or not all_alike(held):
            return []
        if (first.width, first.length, first.samples) != size:
            return []
        series.append(Series(tuple(held), image.planes.dims, image.planes.shape, image.name))
    told = {picture.image.ifd.path for one in series for picture in one.pictures}
    rest = [Series((picture,)) for path, picture in by_path.items() if path not in told]
    return [*series, *rest] if series else []


def all_alike(pictures: Sequence[Picture]) -> bool:
    """Say whether pictures can be pages of one array, on every level."""
    first = pictures[0]
    reference = georeference_of(first.image.ifd)
    return all(
        len(picture.levels) == len(first.levels)
        and all(
            one.mask is None and other.mask is None and same_kind(one.image, other.image)
            for one, other in zip(first.levels, picture.levels, strict=True)
        )
        and georeference_of(picture.image.ifd) in (None, reference)
        for picture in pictures[1:]
    )
