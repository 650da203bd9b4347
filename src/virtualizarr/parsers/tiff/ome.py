"""OME-TIFF: which plane of which channel, depth and time each IFD is (OME model 2016-06)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

SIZES = {"Z": "SizeZ", "C": "SizeC", "T": "SizeT"}
MOST_PLANES = 1 << 24

type Element = ElementTree.Element


@dataclass(frozen=True, slots=True)
class Planes:
    """`dims` and `shape` of the axes before y and x; `pages` has the IFD of each cell, C order."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OmeImage:
    """An Image element: its name, the size of its planes, and the planes that lie in this file."""

    name: str
    width: int
    length: int
    samples: int
    planes: Planes


def ome_images(description: str | None, file_name: str, count: int) -> list[OmeImage]:
    """Return the images of OME-XML whose planes lie in a file of `count` IFDs.

    A plane lies in the file whose name, or UUID, is given with it; without either in this one.
    Empty where the text is no OME-XML, or contradicts itself or the file.
    """
    root = _root(description)
    if root is None:
        return []
    found: list[OmeImage] = []
    for image in root.findall("{*}Image"):
        pixels = image.find("{*}Pixels")
        if pixels is None:
            continue
        one = _image(root, image.get("Name", ""), pixels, file_name, count)
        if one is None:
            return []
        if one.planes.pages:
            found.append(one)
    used = [page for image in found for page in image.planes.pages]
    return found if len(used) == len(set(used)) else []


def _root(description: str | None) -> Element | None:
    if description is None or "<OME" not in description or "<!DOCTYPE" in description:
        return None
    if "<!ENTITY" in description:
        return None
    try:
        return ElementTree.fromstring(description.strip().encode())
    except (ElementTree.ParseError, ValueError, LookupError):
        return None


def _image(
    root: Element, name: str, pixels: Element, file_name: str, count: int
) -> OmeImage | None:
    order = pixels.get("DimensionOrder", "")
    channel = pixels.find("{*}Channel")
    try:
        width, length = int(pixels.get("SizeX", "")), int(pixels.get("SizeY", ""))
        sizes = {axis: int(pixels.get(size, "")) for axis, size in SIZES.items()}
        samples = int(channel.get("SamplesPerPixel", "1")) if channel is not None else 1
    except ValueError:
        return None
    if sorted(order) != sorted("XYZCT") or samples < 1 or sizes["C"] % samples:
        return None
    sizes["C"] //= samples
    axes = order[:1:-1]
    shape = tuple(sizes[axis] for axis in axes)
    if min(shape) < 1 or prod(shape) > MOST_PLANES:
        return None
    rows = list(_rows(root, pixels, axes, shape, file_name, count))
    if any(row is None for row in rows):
        return None
    cells = np.array([cell for row in rows if row is not None for cell in row[0]], np.int64)
    pages = np.array([page for row in rows if row is not None for page in row[1]], np.int64)
    planes = _planes(tuple(axis.lower() for axis in axes), shape, cells, pages)
    return None if planes is None else OmeImage(name, width, length, samples, planes)


def _rows(
    root: Element, pixels: Element, axes: str, shape: tuple[int, ...], file_name: str, count: int
) -> Iterator[tuple[range, range] | None]:
    """Yield the cells of each TiffData element in this file and their IFDs; None for a bad one."""
    total = prod(shape)
    elements = pixels.findall("{*}TiffData")
    for entry in elements if elements else [ElementTree.Element("TiffData")]:
        if not _is_here(root, entry, file_name):
            continue
        try:
            first = int(entry.get("IFD", "0"))
            start = [int(entry.get(f"First{axis}", "0")) for axis in axes]
            usual = 1 if "IFD" in entry.attrib else total
            planes = int(entry.get("PlaneCount", str(usual)))
        except ValueError:
            yield None
            continue
        known = all(0 <= at < n for at, n in zip(start, shape, strict=True))
        cell = int(np.ravel_multi_index(start, shape)) if known else total
        fits = known and planes > 0 and cell + planes <= total and 0 <= first <= count - planes
        yield (range(cell, cell + planes), range(first, first + planes)) if fits else None


def _is_here(root: Element, entry: Element, file_name: str) -> bool:
    uuid = entry.find("{*}UUID")
    if uuid is None:
        return True
    own = root.get("UUID")
    if own is not None and uuid.text is not None:
        return uuid.text.strip() == own.strip()
    return uuid.get("FileName", file_name) == file_name


def _planes(
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    cells: npt.NDArray[np.int64],
    pages: npt.NDArray[np.int64],
) -> Planes | None:
    """Return the axes that cells in this file make up; None where they fill no whole block."""
    if not len(cells):
        return Planes(dims, (0,) * len(dims), ())
    places = np.unravel_index(cells, shape)
    lengths = tuple(len(np.unique(place)) for place in places)
    by_cell = np.argsort(cells)
    if len(np.unique(cells)) != len(cells) or prod(lengths) != len(cells):
        return None
    return Planes(dims, lengths, tuple(pages[by_cell].tolist()))
