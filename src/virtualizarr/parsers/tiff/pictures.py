"""The images of a file, sorted into pictures with their overviews and masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from virtualizarr.parsers.tiff.image import Image


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
