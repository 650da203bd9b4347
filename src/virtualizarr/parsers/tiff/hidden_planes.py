"""Planes that have no IFD of their own: those of ImageJ's large stacks, and of MetaMorph's (STK).

ImageJ writes stacks larger than 4 GB, MetaMorph all of its stacks, as one IFD and all planes behind
one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.tiff.image import Image
from virtualizarr.parsers.tiff.imagej import keys_of
from virtualizarr.parsers.tiff.layout import Tag

MOST_PLANES = 1 << 17


def with_hidden_planes(images: Sequence[Image], size: int | None) -> list[Image]:
    """Return the images with the planes that a tag or a description tells of and no IFD does.

    `size` is the file's. Programs copy ImageJ's description to images cut out of a stack: where the
    planes cannot be there, the image is alone. A MetaMorph stack that is not plain and in one piece
    raises UnsupportedFeatureError, one that the file ends before CorruptFileError.
    """
    if len(images) != 1:
        return list(images)
    image = images[0]
    stack = image.ifd.values.get(Tag.UIC2)
    count = len(stack) if stack is not None else _told(image)
    if count <= 1:
        return [image]
    nbytes = image.row_bytes * image.length * image.planes
    plain = image.codec.compression == "none" and not image.is_tiled and _is_one_piece(image)
    fits = size is not None and int(image.offsets[0]) + nbytes * count <= size
    if plain and fits and count <= MOST_PLANES:
        return [_plane(image, i, nbytes) for i in range(count)]
    if stack is None:
        return [image]
    if plain and count <= MOST_PLANES and size is not None:
        raise CorruptFileError(
            f"the {count} planes of a MetaMorph stack end beyond the file's {size} bytes",
            node=image.node,
            at=image.ifd.at,
        )
    raise UnsupportedFeatureError(
        f"a MetaMorph stack of {count} planes that are not plain and in one piece",
        node=image.node,
        at=image.ifd.at,
    )


def _told(image: Image) -> int:
    return keys_of(image.ifd.text(Tag.IMAGE_DESCRIPTION)).get("images", 1)


def _is_one_piece(image: Image) -> bool:
    """Say whether the strips of all planes follow one another."""
    down = image.grid[0]
    rows = np.full(down, image.codec.shape[0], np.uint64)
    rows[-1] = image.length - (down - 1) * image.codec.shape[0]
    lengths = np.tile(rows * np.uint64(image.row_bytes), image.planes)
    return bool((image.offsets[1:] == image.offsets[:-1] + lengths[:-1]).all())


def _plane(image: Image, number: int, nbytes: int) -> Image:
    if number == 0:
        return image
    ifd = replace(image.ifd, path=f"{image.ifd.path}+{number}")
    return replace(image, ifd=ifd, offsets=image.offsets + np.uint64(number * nbytes), counts=None)
