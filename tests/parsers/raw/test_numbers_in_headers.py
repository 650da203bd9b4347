"""Every number of a text header replaced by every bad one: an error of our tree, or an array."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("rasterio")

import rasterio

import gdal_files
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers import (
    EHdrParser,
    ENVIParser,
    ISIS3Parser,
    PDS4Parser,
    ROIPACParser,
    VICARParser,
)
from virtualizarr.parsers.base import Parser
from virtualizarr.testing import parse_within_memory

BAD = (b"-1", b"0", b"x", b"1e309", b"99999999999", b"9" * 30)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
WITHIN = 2000

CASES: dict[str, tuple[Parser, str, str]] = {
    "ENVI": (ENVIParser(), ".img", ".hdr"),
    "EHdr": (EHdrParser(), ".bil", ".hdr"),
    "ROI_PAC": (ROIPACParser(), ".dem", ".dem.rsc"),
    "ISIS3": (ISIS3Parser(), ".cub", ".cub"),
    "PDS4": (PDS4Parser(), ".xml", ".xml"),
    "VICAR": (VICARParser(), ".vic", ".vic"),
}


@pytest.mark.parametrize("driver", CASES)
def test_bad_numbers(tmp_path: Path, driver: str) -> None:
    parser, ending, header = CASES[driver]
    path = tmp_path / f"raster{ending}"
    values = gdal_files.numbers((1, 5, 7), "i2")
    square = rasterio.Affine(30.0, 0.0, 440720.0, 0.0, -30.0, 3751320.0)
    place = {} if driver == "VICAR" else {"crs": "EPSG:32611", "transform": square}
    gdal_files.written(path, driver, values, nodata=-5, **place)
    path = path.with_name(f"raster{header}")
    whole = path.read_bytes()
    for found in NUMBER.finditer(whole[:WITHIN]):
        for bad in BAD:
            content = whole[: found.start()] + bad + whole[found.end() :]
            outcome = parse_within_memory(parser, path.as_uri(), content)
            if isinstance(outcome, ManifestGroup):
                assert outcome.arrays["band_data"].metadata.ndim == 3
