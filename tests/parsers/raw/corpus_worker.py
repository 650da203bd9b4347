"""Compare raw rasters, NIfTI images and SAFE products with GDAL and nibabel.

Run as a program, since oracles may crash on corrupt files: reads lines of `format TAB path` and
answers each with a line of JSON `{"format", "path", "outcome", "reason"}`. Outcomes: "right",
"refused" (by name), "wrong", "unreadable" (the oracle does not read it either), "crash" (an error
that is not of our tree).
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import rasterio

import virtualizarr
from virtualizarr.errors import VirtualizeError
from virtualizarr.testing import read_values


def gdal_values(path: Path) -> dict[str, Any]:
    """Return what GDAL reads: the bands of a file, or of each of its subdatasets."""
    with rasterio.open(path) as dataset:
        if dataset.count:
            return {"band_data": dataset.read()}
        names = dataset.subdatasets
    found = {}
    for i, name in enumerate(names):
        with rasterio.open(name) as dataset:
            found[f"{i}/band_data"] = dataset.read()
    return found


def nifti_values(path: Path) -> dict[str, Any]:
    return {"data": nibabel.load(path).dataobj.get_unscaled()}


def safe_values(path: Path) -> dict[str, Any]:
    found = {}
    for raster in sorted(path.glob("measurement/*.tiff")):
        swath, polarisation = raster.name.split("-")[1].upper(), raster.name.split("-")[3].upper()
        found[f"{swath}/{polarisation}/band_data"] = gdal_values(raster)["band_data"]
    return found


ORACLES = {"nifti": nifti_values, "safe": safe_values}


def outcome(kind: str, path: Path) -> tuple[str, str]:
    """Return the outcome for a file, and why."""
    try:
        expected = ORACLES.get(kind, gdal_values)(path)
    except Exception as error:
        expected, why = None, repr(error)[:150]
    try:
        found = read_values(virtualizarr.parse(path))
    except VirtualizeError as error:
        return ("refused" if expected else "unreadable"), error.reason
    if expected is None:
        return "unreadable", f"read here, not by the oracle: {why}"
    for name, values in expected.items():
        if name not in found or found[name].shape != values.shape:
            return "wrong", f"{name}: not {values.shape}"
        if not np.array_equal(found[name], values, equal_nan=values.dtype.kind in "fc"):
            return "wrong", f"{name}: {found[name].ravel()[:3]}, not {values.ravel()[:3]}"
    return "right", ""


def main() -> None:
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        kind, _, name = line.strip().partition("\t")
        try:
            found, reason = outcome(kind, Path(name))
        except Exception:
            found, reason = "crash", traceback.format_exc()[-1500:]
        row = {"format": kind, "path": name, "outcome": found, "reason": reason}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
