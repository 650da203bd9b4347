"""ENVI headers by hand: against GDAL where it reads them, numpy where not."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rasterio")

import gdal_files
import virtualizarr
from raw_headers import counting, opened, write
from virtualizarr.errors import (
    CorruptFileError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
)

HEADER = """ENVI
description = {{
  Written by hand, = and more}}
samples = 5
lines   = 4
bands   = {bands}
header offset = {offset}
data type = {type}
interleave = {interleave}
byte order = {order}
{more}
"""


def header(**fields: object) -> str:
    usual = {"bands": 1, "offset": 0, "type": 1, "interleave": "bsq", "order": 0, "more": ""}
    return HEADER.format(**{**usual, **fields})


@pytest.mark.parametrize("interleave", ["bsq", "BIL", "bip"])
@pytest.mark.parametrize("offset", [0, 13])
def test_gdal_agrees(tmp_path: Path, interleave: str, offset: int) -> None:
    for code, size in ((2, 2), (4, 4), (6, 8), (14, 8)):
        text = header(bands=3, offset=offset, type=code, interleave=interleave, order=1)
        files = {"a.dat": counting(offset + 60 * size + 5), "a.dat.hdr": text}
        path = write(tmp_path, files)
        found, _ = opened(path)
        np.testing.assert_array_equal(found, gdal_files.read(path))
        assert found.dtype == gdal_files.read(path).dtype


@pytest.mark.parametrize("name", ["a.hdr", "a.HDR", "a.img.hdr", "a.img.HDR"])
def test_names_of_headers(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, {"a.img": counting(20), name: header()})
    expected = counting(20).reshape(1, 4, 5)
    for given in (path, tmp_path / name):
        np.testing.assert_array_equal(opened(given)[0], expected)


def test_a_header_of_its_own_comes_before_one_of_another_ending(tmp_path: Path) -> None:
    files = {"a.img": counting(30), "a.img.hdr": header(offset=10), "a.hdr": header()}
    np.testing.assert_array_equal(opened(write(tmp_path, files))[0].ravel(), counting(30)[10:])


def test_frame_offsets(tmp_path: Path) -> None:
    more = "major frame offsets = {3, 4}"
    for interleave, bands in (("bil", 2), ("bip", 3)):
        text = header(interleave=interleave, bands=bands, more=more)
        path = write(tmp_path, {"a.img": counting(400), "a.hdr": text})
        np.testing.assert_array_equal(opened(path)[0], gdal_files.read(path))
    write(tmp_path, {"a.img": counting(400), "a.hdr": header(bands=2, more=more)})
    with pytest.raises(UnsupportedFeatureError, match="major frame offsets"):
        virtualizarr.parse(tmp_path / "a.img")


def test_gzipped_data(tmp_path: Path) -> None:
    for interleave in ("bsq", "bil", "bip"):
        text = header(bands=2, offset=4, interleave=interleave, more="file compression = 1")
        path = write(tmp_path, {"a.img": gzip.compress(counting(50).tobytes()), "a.hdr": text})
        np.testing.assert_array_equal(opened(path)[0], gdal_files.read(path))


def test_what_the_header_says(tmp_path: Path) -> None:
    more = """band names = { red,
 near infrared}
wavelength = {0.66, 0.83}
wavelength units = Micrometers
data ignore value = 7
data gain values = {0.5, 0.5}
data offset values = {1, 1}
units = things
map info = {UTM, 2.0, 3.0, 440720.0, 3751320.0, 30.0, 20.0, 11, North, WGS-84, units=Meters}
"""
    path = write(tmp_path, {"a.img": counting(40), "a.hdr": header(bands=2, more=more)})
    group = virtualizarr.parse(path)
    attributes = group.arrays["band_data"].metadata.attributes
    assert attributes["long_name"] == ["red", "near infrared"]
    assert attributes["_FillValue"] == 7
    assert (attributes["scale_factor"], attributes["add_offset"]) == (0.5, 1.0)
    assert attributes["wavelength_units"] == "Micrometers"
    assert attributes["header_units"] == "things"
    assert attributes["description"] == "Written by hand, = and more"
    known = gdal_files.facts(path)
    assert known["scales"] == (0.5, 0.5)
    assert known["offsets"] == (1.0, 1.0)
    transform = group.attributes["spatial:transform"]
    np.testing.assert_allclose(transform, known["transform"])
    assert group.attributes["proj:code"] == f"EPSG:{known['epsg']}" == "EPSG:32611"
    assert group.arrays["wavelength"].metadata.dimension_names == ("band",)


@pytest.mark.parametrize(
    "info",
    [
        "UTM, 1, 1, 100, 200, 10, 20, 33, South, WGS-84, rotation=30.0",
        "Geographic Lat/Lon, 1, 1, -44.8, -22.9, 0.25, 0.5, WGS-84, units=Degrees",
        "Geographic Lat/Lon, 1.5, 1.5, -160, -80, 15, 30, WGS-84, units=Seconds",
        "Arbitrary, 1, 1, 0, 0, 1.5, 2.5, 0, North",
        "State Plane (NAD 27), 1, 1, 100, 200, 10, 20, 405, units=Feet",
    ],
)
def test_map_info(tmp_path: Path, info: str) -> None:
    text = header(more=f"map info = {{{info}}}")
    path = write(tmp_path, {"a.img": counting(20), "a.hdr": text})
    group = virtualizarr.parse(path)
    found = group.attributes["spatial:transform"]
    np.testing.assert_allclose(found, gdal_files.facts(path)["transform"], atol=1e-9)
    assert ("x" in group.arrays) == ("rotation" not in info)


@pytest.mark.parametrize(
    "text, error, said",
    [
        (header(type=7), UnsupportedFeatureError, "data type 7"),
        (header(more="file type = ENVI Virtual Mosaic"), UnsupportedFeatureError, "Mosaic"),
        (header(bands=3), CorruptFileError, "data end at byte 60.* at 20"),
        (header(bands="many"), CorruptFileError, "bands is 'many'"),
        (header(bands=0), CorruptFileError, "bands is '0'"),
        (header(offset=-1), CorruptFileError, "header offset is '-1'"),
        ("ENVI\nsamples = 5\n", CorruptFileError, "lines is ''"),
        (header(interleave="b"), CorruptFileError, "interleave is 'b'"),
        ("ENVI\nsamples = 2\nlines = 2\nbands = 2\n", CorruptFileError, "data type is ''"),
        (header(bands=10**15), CorruptFileError, "bands is"),
    ],
)
def test_refusals(tmp_path: Path, text: str, error: type[Exception], said: str) -> None:
    path = write(tmp_path, {"a.img": counting(20), "a.hdr": text})
    for given in (path, tmp_path / "a.hdr"):
        with pytest.raises(error, match=said):
            virtualizarr.parse(given)


def test_what_is_not_there(tmp_path: Path) -> None:
    alone = write(tmp_path, {"a.hdr": header()})
    with pytest.raises(SourceNotFoundError, match="no ENVI data file beside"):
        virtualizarr.parse(alone)
    write(tmp_path, {"a.dat": counting(20), "a.bsq": counting(20)})
    with pytest.raises(UnsupportedFeatureError, match=r"each of a\.bsq, a\.dat may be"):
        virtualizarr.parse(alone)
    lonely = write(tmp_path, {"b.img": counting(20)})
    with pytest.raises(UnknownFormatError, match="not recognised"):
        virtualizarr.parse(lonely)


def test_statistics_files_are_no_data(tmp_path: Path) -> None:
    write(tmp_path, {"a.img": counting(20), "a.sta": counting(99), "a.hdr": header()})
    with pytest.raises(UnknownFormatError):
        virtualizarr.parse(tmp_path / "a.sta")


def test_tiff_data_are_read_by_the_tiff_parser(tmp_path: Path) -> None:
    values = gdal_files.numbers((1, 4, 5), "i2")
    gdal_files.written(tmp_path / "a.tif", "GTiff", values, COMPRESS="DEFLATE")
    write(tmp_path, {"a.hdr": header(type=2, offset=8, more="file type = TIFF")})
    np.testing.assert_array_equal(opened(tmp_path / "a.hdr")[0], values)
