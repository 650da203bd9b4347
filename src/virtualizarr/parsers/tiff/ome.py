"""OME-TIFF: which plane of which channel, depth and time each page is (OME model 2016-06)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from virtualizarr.parsers.tiff.imagej import axes_of

SIZES = ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT")


@dataclass(frozen=True, slots=True)
class Planes:
    """`dims` and `shape` of the axes before y and x; `pages` has the page of each cell, C order."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    pages: tuple[int, ...]


def planes_of(
    description: str | None, width: int, length: int, samples: int, pages: int
) -> Planes | None:
    """Return how the pages of a file make up the axes t, c and z.

    None where the description is no OME-XML of one image whose planes are just these pages, nor one
    of ImageJ.
    """
    stack = axes_of(description, pages)
    if stack is not None:
        return Planes(*stack, tuple(range(pages)))
    pixels = _pixels(description)
    if pixels is None:
        return None
    try:
        x, y, z, c, t = (int(pixels.get(name, "")) for name in SIZES)
    except ValueError:
        return None
    order = pixels.get("DimensionOrder", "")
    channels, rest = divmod(c, samples)
    if (x, y, rest) != (width, length, 0) or sorted(order) != sorted("XYZCT"):
        return None
    lengths = {"Z": z, "C": channels, "T": t}
    axes = order[:1:-1]
    shape = tuple(lengths[axis] for axis in axes)
    if min(shape) < 1 or z * channels * t != pages:
        return None
    found = _page_of_each(pixels, axes, shape, pages)
    if found is None:
        return None
    return Planes(tuple(axis.lower() for axis in axes), shape, found)


def _pixels(description: str | None) -> ElementTree.Element | None:
    if description is None or "<OME" not in description or "<!DOCTYPE" in description:
        return None
    if "<!ENTITY" in description:
        return None
    try:
        root = ElementTree.fromstring(description.strip().encode())
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    found = root.findall("{*}Image/{*}Pixels")
    return found[0] if len(found) == 1 else None


def _page_of_each(
    pixels: ElementTree.Element, axes: str, shape: tuple[int, ...], pages: int
) -> tuple[int, ...] | None:
    """Return the page of each plane by the TiffData elements; without any, in order."""
    entries = pixels.findall("{*}TiffData")
    page = np.full(pages, -1, np.int64)
    if len({uuid.get("FileName") for uuid in pixels.findall("{*}TiffData/{*}UUID")}) > 1:
        return None
    for entry in entries if entries else [ElementTree.Element("TiffData")]:
        try:
            first = int(entry.get("IFD", "0"))
            start = [int(entry.get(f"First{axis}", "0")) for axis in axes]
            count = int(entry.get("PlaneCount", "1" if "IFD" in entry.attrib else str(pages)))
        except ValueError:
            return None
        if any(not 0 <= at < n for at, n in zip(start, shape, strict=True)):
            return None
        cell = int(np.ravel_multi_index(start, shape))
        if first < 0 or count < 1 or cell + count > pages:
            return None
        page[cell : cell + count] = np.arange(first, first + count)
    if not np.array_equal(np.sort(page), np.arange(pages)):
        return None
    return tuple(page.tolist())
