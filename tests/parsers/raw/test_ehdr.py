"""ESRI headers by hand: against GDAL where it follows the specification, numpy where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rasterio")

import gdal_files
import virtualizarr
from raw_headers import counting, opened, write
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

SIZE = "NROWS 3\nNCOLS 10\n"


@pytest.mark.parametrize(
    "more, nbytes, ending",
    [
        ("NBITS 8\n", 30, "bil"),
        ("NBITS 8\nPIXELTYPE SIGNEDINT\n", 30, "bil"),
        ("NBITS 16\n", 60, "bil"),
        ("NBITS 16\nBYTEORDER I\n", 60, "bil"),
        ("NBITS 16\nBYTEORDER LSBFIRST\nPIXELTYPE SIGNEDINT\n", 60, "bil"),
        ("NBITS 32\n", 120, "bil"),
        ("NBITS 32\n", 120, "flt"),
        ("NBITS 32\nPIXELTYPE FLOAT\nbyteorder msbfirst\n", 120, "bil"),
        ("NBITS 16\nNODATA -9999\n", 60, "bil"),
        ("NBITS 32\nNODATA_VALUE -9999\n", 120, "bil"),
        ("NBITS 8\nSKIPBYTES 5\n", 40, "bil"),
        ("NBITS 8\nNBANDS 2\nLAYOUT BIL\n", 60, "bil"),
        ("NBITS 8\nNBANDS 2\nLAYOUT BIP\n", 60, "bip"),
        ("NBITS 16\nNBANDS 3\nLAYOUT BSQ\n", 180, "bsq"),
        ("", 30, "bil"),
        ("", 60, "bil"),
        ("", 120, "bil"),
    ],
)
def test_gdal_agrees(tmp_path: Path, more: str, nbytes: int, ending: str) -> None:
    path = write(tmp_path, {f"a.{ending}": counting(nbytes), "a.hdr": SIZE + more})
    found, attributes = opened(path)
    expected = gdal_files.read(path)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    assert attributes.get("_FillValue") == gdal_files.facts(path)["nodata"]


@pytest.mark.parametrize(
    "more",
    [
        "xllcenter 10\nyllcenter 20\ncellsize 2\n",
        "XLLCORNER 10\nYLLCORNER 20\nCELLSIZE 2\n",
        "ULXMAP 10\nULYMAP 20\nXDIM 2\nYDIM 3\n",
        "",
    ],
)
def test_places(tmp_path: Path, more: str) -> None:
    path = write(tmp_path, {"a.bil": counting(30), "a.hdr": SIZE + "NBITS 8\n" + more})
    attributes = virtualizarr.parse(path).attributes
    if more:
        assert tuple(attributes["spatial:transform"]) == gdal_files.facts(path)["transform"]
    else:
        assert "spatial:transform" not in attributes


@pytest.mark.parametrize(
    "text, code",
    [
        ("Projection GEOGRAPHIC\nDatum WGS84\nUnits DD\n", "EPSG:4326"),
        ("Projection UTM\nZone 11\nDatum NAD27\nUnits METERS\n", "EPSG:26711"),
        ("Projection UTM\nZone -33\nDatum WGS84\n", "EPSG:32733"),
        ("Projection LAMBERT\nDatum WGS84\n", None),
    ],
)
def test_old_projection_files(tmp_path: Path, text: str, code: str | None) -> None:
    pytest.importorskip("pyproj")
    files = {"a.bil": counting(30), "a.hdr": SIZE + "NBITS 8\nXDIM 2\nYDIM 2\nULXMAP 1\nULYMAP 2\n"}
    path = write(tmp_path, {**files, "a.prj": text})
    assert virtualizarr.parse(path).attributes.get("proj:code") == code


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("layout", ["BIL", "BSQ", "BIP"])
def test_numbers_of_a_few_bits(tmp_path: Path, bits: int, layout: str) -> None:
    """The witness is numpy: GDAL 3.12 takes the bytes of such files for numbers."""
    values = np.random.default_rng(1).integers(0, 1 << bits, (2, 3, 10), np.uint8)
    order = {"BIL": (1, 0, 2), "BSQ": (0, 1, 2), "BIP": (1, 2, 0)}[layout]
    stored = values.transpose(order)
    rows = stored.reshape(-1, 10) if layout != "BIP" else stored.reshape(3, 20)
    flags = np.unpackbits(rows[..., np.newaxis], axis=2)[..., 8 - bits :]
    raw = np.packbits(flags.reshape(len(rows), -1), axis=1)
    text = SIZE + f"NBITS {bits}\nNBANDS 2\nLAYOUT {layout}\n"
    path = write(tmp_path, {"a.bil": raw.tobytes(), "a.hdr": text})
    np.testing.assert_array_equal(opened(path)[0], values)
    parser = virtualizarr.parsers.EHdrParser(chunk_bytes=2)
    np.testing.assert_array_equal(opened(path, parser)[0], values)


def test_gaps_count_where_the_file_has_them(tmp_path: Path) -> None:
    gaps = SIZE + "NBITS 8\nNBANDS 2\nLAYOUT BIL\nBANDROWBYTES 12\nTOTALROWBYTES 25\n"
    raw = counting(75)
    path = write(tmp_path, {"a.bil": raw, "a.hdr": gaps})
    rows = raw.reshape(3, 25)
    expected = np.stack([rows[:, :10], rows[:, 12:22]])
    np.testing.assert_array_equal(opened(path)[0], expected)
    path = write(tmp_path, {"a.bil": counting(60), "a.hdr": gaps})
    expected = counting(60).reshape(3, 2, 10).transpose(1, 0, 2)
    np.testing.assert_array_equal(opened(path)[0], expected)
    gaps = SIZE + "NBITS 8\nNBANDS 2\nLAYOUT BSQ\nBANDGAPBYTES 4\n"
    path = write(tmp_path, {"a.bsq": counting(64), "a.hdr": gaps})
    expected = np.stack([counting(64)[:30], counting(64)[34:]]).reshape(2, 3, 10)
    np.testing.assert_array_equal(opened(path)[0], expected)


@pytest.mark.parametrize(
    "more, error, said",
    [
        ("NBITS 12\n", UnsupportedFeatureError, "12 bits"),
        ("NBITS 16\nPIXELTYPE FLOAT\n", UnsupportedFeatureError, "16 bits"),
        ("NBITS 32\nBYTEORDER VMS_FFLOAT\n", UnsupportedFeatureError, "VMS_FFLOAT"),
        ("NBITS 8\nNBANDS 9\n", CorruptFileError, "truncated"),
        ("NBITS -8\n", CorruptFileError, "NBITS is '-8'"),
        ("", CorruptFileError, "NBITS is not given"),
        ("NBANDS 3\n", CorruptFileError, "NBITS is not given"),
        ("NBITS 8\nSKIPBYTES x\n", CorruptFileError, "SKIPBYTES is 'x'"),
    ],
)
def test_refusals(tmp_path: Path, more: str, error: type[Exception], said: str) -> None:
    path = write(tmp_path, {"a.bil": counting(125), "a.hdr": SIZE + more})
    with pytest.raises(error, match=said):
        virtualizarr.parse(path)
