"""ImageJ's stacks: axes in the description, and planes that have no IFD of their own.

ImageJ writes stacks larger than 4 GB as one IFD and all planes behind one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.tiff.image import Image
from virtualizarr.parsers.tiff.layout import Tag

MOST_PLANES = 1 << 17

AXES = (("frames", "t"), ("slices", "z"), ("channels", "c"))
"""Keys of the description and what we call the axes, slowest first."""


def keys_of(description: str | None) -> dict[str, int]:
    """Return the numbers in an ImageJ description, by key; empty for any other text."""
    if description is None or not description.startswith("ImageJ="):
        return {}
    pairs = (line.partition("=") for line in description.splitlines())
    return {key: int(value) for key, _, value in pairs if value.isdecimal() and len(value) < 10}


def axes_of(description: str | None, pages: int) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
    """Return names and lengths of the axes that `pages` planes make up; None if they do not."""
    keys = keys_of(description)
    known = [(name, keys[key]) for key, name in AXES if keys.get(key, 1) > 1]
    lengths = tuple(length for _, length in known)
    if not known or prod(lengths) != pages:
        return None
    return tuple(name for name, _ in known), lengths


def with_hidden_planes(images: Sequence[Image], size: int | None) -> list[Image]:
    """Return the images with the planes that an ImageJ description tells of and no IFD does.

    `size` is the file's. Raises UnsupportedFeatureError where such planes are not plain and in one
    piece, CorruptFileError where the file ends before them.
    """
    if len(images) != 1:
        return list(images)
    image = images[0]
    count = keys_of(image.ifd.text(Tag.IMAGE_DESCRIPTION)).get("images", 1)
    if count == 1:
        return [image]
    nbytes = image.row_bytes * image.length * image.planes
    strips = image.offsets.size
    if image.codec.compression != "none" or image.is_tiled or strips != image.planes:
        raise UnsupportedFeatureError(
            f"an ImageJ stack of {count} planes with one IFD that is not in one piece",
            node=image.node,
            at=image.ifd.at,
        )
    if count > MOST_PLANES or size is None:
        raise UnsupportedFeatureError(
            f"an ImageJ stack of {count} planes in a file of {size} bytes", node=image.node
        )
    last = int(image.offsets.max()) + nbytes * (count - 1)
    if last + nbytes // image.planes > size:
        raise CorruptFileError(
            f"the {count} planes of an ImageJ stack end beyond the file's {size} bytes",
            node=image.node,
            at=image.ifd.at,
        )
    return [_plane(image, i, nbytes) for i in range(count)]


def _plane(image: Image, number: int, nbytes: int) -> Image:
    if number == 0:
        return image
    ifd = replace(image.ifd, path=f"{image.ifd.path}+{number}")
    return replace(image, ifd=ifd, offsets=image.offsets + np.uint64(number * nbytes), counts=None)
