"""Compare every image of TIFF files with tifffile, or with GDAL where tifffile cannot read it.

Run as a program, since oracles may crash on corrupt files: reads paths, a line each, and answers
each with a line of JSON `{"path", "outcome", "reason"}`. Outcomes: "right", "refused" (by name),
"wrong", "unreadable" (no oracle reads it either), "crash" (an error that is not of our tree).
Where tifffile and GDAL disagree, as either reads it is right; the reason says so.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import tifffile

from materialize import values_of
from virtualizarr.errors import VirtualizeError
from virtualizarr.model import ManifestArray
from virtualizarr.parsers.tiff import TIFFParser
from virtualizarr.source.local import LocalSource
from virtualizarr.source.reading import run

LARGEST = 400_000_000
LARGEST_FOR_GDAL = 4_000_000


def found_arrays(path: Path) -> dict[str, ManifestArray]:
    """Return our array of each IFD, by its path in the chain."""
    source = LocalSource(path)
    group = run(TIFFParser(pages="groups").parse(source.url), source)
    run(TIFFParser().parse(source.url), source)
    return {
        array.metadata.attributes["ifd"]: array
        for _, array in group.walk_arrays()
        if "ifd" in array.metadata.attributes
    }


def tifffile_pages(path: Path) -> dict[str, Any]:
    """Return the pages and sub-IFDs that tifffile finds, by their path in the chain."""
    pages: dict[str, Any] = {}

    def walk(prefix: str, some: Any) -> None:
        for i, page in enumerate(some):
            page = page.aspage() if hasattr(page, "aspage") else page
            pages[f"{prefix}{i}"] = page
            if page.pages is not None:
                walk(f"{prefix}{i}/", page.pages)

    tiff = tifffile.TiffFile(path)
    walk("", tiff.pages)
    return pages


def bands_first(page: Any, values: Any) -> Any:
    """Return a page as bands, rows and columns."""
    if page.axes == "YXS":
        return np.moveaxis(values, 2, 0)
    return values if page.axes == "SYX" else values[np.newaxis]


def gdal_values(path: Path, shape: tuple[int, ...]) -> Any:
    """Return the first image as GDAL reads it, if it has that shape."""
    with rasterio.open(path) as dataset:
        values = dataset.read()
    return values if values.shape == shape else None


def same(found: Any, expected: Any) -> bool:
    if expected is None:
        return False
    if expected.dtype == bool:
        expected = expected.astype(np.uint8)
    return found.shape == expected.shape and bool(
        np.array_equal(found, expected, equal_nan=found.dtype.kind in "fc")
    )


def image_outcome(path: Path, name: str, arrays: list[ManifestArray], page: Any) -> tuple[str, str]:
    """Return the outcome for one image, an array for each slice of its depth, and why."""
    nbytes = sum(array.nbytes for array in arrays)
    if nbytes > LARGEST:
        return "unreadable", f"{nbytes} bytes are too many to compare"
    expected, why = None, "tifffile does not know the sample"
    try:
        if page.dtype is not None:
            expected = page.asarray()
            expected = bands_first(page, expected) if len(arrays) == 1 else expected
    except Exception as error:
        why = repr(error)[:150]
    try:
        slices = [values_of(array) for array in arrays]
        slices = [each if each.ndim == 3 else each[np.newaxis] for each in slices]
        found = np.concatenate(slices)
    except VirtualizeError as error:
        return ("unreadable" if expected is None else "refused"), f"{name}: {error}"
    if expected is None and name == "0":
        try:
            expected = gdal_values(path, found.shape)
        except Exception as error:
            why += repr(error)[:100]
    if expected is None:
        return "unreadable", f"{name}: read here, no oracle: {why}"
    if same(found, expected):
        return "right", ""
    if name == "0" and _as_gdal(path, found):
        return "right", "as GDAL reads it, not as tifffile does"
    if found.shape != expected.shape:
        return "wrong", f"{name}: shape {found.shape}, expected {expected.shape}"
    differ = int(np.count_nonzero(found != expected))
    return "wrong", f"{name}: {differ} of {found.size} values differ, {found.dtype}"


def _as_gdal(path: Path, found: Any) -> bool:
    try:
        return same(found, gdal_values(path, found.shape))
    except rasterio.errors.RasterioError:
        return False


def outcome(path: Path) -> tuple[str, str]:
    """Return the outcome for all images of a file: the worst of them."""
    try:
        arrays = found_arrays(path)
    except VirtualizeError as error:
        reason = str(error.reason)
        return ("refused" if readable(path) else "unreadable"), reason
    pages = tifffile_pages(path)
    volumes = {
        name: [arrays.pop(f"{name}+{k}") for k in range(1, page.imagedepth)]
        for name, page in pages.items()
        if page.imagedepth > 1 and f"{name}+{page.imagedepth - 1}" in arrays
    }
    if arrays.keys() != pages.keys():
        return "wrong", f"IFDs {sorted(arrays)}, expected {sorted(pages)}"
    outcomes = [
        image_outcome(path, name, [arrays[name], *volumes.get(name, ())], pages[name])
        for name in pages
    ]
    for worst in ("wrong", "refused", "unreadable"):
        for kind, reason in outcomes:
            if kind == worst:
                return kind, reason
    return "right", ""


def readable(path: Path) -> bool:
    """Say whether tifffile decodes every image of a file, or GDAL the only one."""
    return _decoded_by_tifffile(path) or _decoded_by_gdal(path)


def _decoded_by_gdal(path: Path) -> bool:
    try:
        with rasterio.open(path) as dataset:
            if dataset.width * dataset.height * dataset.count > LARGEST_FOR_GDAL:
                return False
            dataset.read()
        return len(tifffile_pages(path)) == 1
    except Exception:
        return False


def _decoded_by_tifffile(path: Path) -> bool:
    try:
        for page in tifffile_pages(path).values():
            if page.shape == () or page.size * 8 > LARGEST * 8:
                return False
            page.asarray()
    except Exception:
        return False
    return True


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        path = Path(line.strip())
        try:
            kind, reason = outcome(path)
        except Exception:
            kind, reason = "crash", traceback.format_exc()[-1500:]
        print(json.dumps({"path": str(path), "outcome": kind, "reason": reason}), flush=True)


if __name__ == "__main__":
    main()
