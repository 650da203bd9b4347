"""JPEG 2000 images, against GDAL; tiles, markers and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rasterio")
pytest.importorskip("imagecodecs")

import gdal_files
import virtualizarr
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers import JPEG2000Parser
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import read_values

LOSSLESS = {"QUALITY": "100", "REVERSIBLE": "YES"}
TILED = {"BLOCKXSIZE": "64", "BLOCKYSIZE": "48"}


def picture(bands: int, dtype: str, lines: int = 150, samples: int = 201) -> Any:
    y, x = np.mgrid[:lines, :samples]
    noise = np.random.default_rng(0).integers(0, 5, (bands, lines, samples))
    return (np.sin(x / 10) * 50 + np.cos(y / 7) * 50 + 100 + noise).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize(
    "options",
    [
        LOSSLESS,
        {"QUALITY": "30"},
        {**LOSSLESS, **TILED},
        {"QUALITY": "30", **TILED},
        {**LOSSLESS, **TILED, "TLM": "YES", "PLT": "YES"},
        {**TILED, "CODEC": "J2K"},
    ],
)
def test_images(tmp_path: Path, dtype: str, bands: int, options: dict[str, str]) -> None:
    path = tmp_path / ("a.j2k" if "CODEC" in options else "a.jp2")
    gdal_files.written(path, "JP2OpenJPEG", picture(bands, dtype), **options)
    group = virtualizarr.parse(path)
    expected = gdal_files.read(path)
    found = read_values(group)["band_data"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    tiled = group.arrays["band_data"].manifest.shape_chunk_grid != (1, 1, 1)
    assert tiled == ("BLOCKYSIZE" in options)
    whole = virtualizarr.parse(path, parser=JPEG2000Parser(tiles=False))
    assert whole.arrays["band_data"].manifest.shape_chunk_grid == (1, 1, 1)
    np.testing.assert_array_equal(read_values(whole)["band_data"], expected)


def test_tiles_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "a.jp2"
    values = picture(1, "u2", 1100, 2100)
    gdal_files.written(path, "JP2OpenJPEG", values, QUALITY="20")
    array = virtualizarr.parse(path).arrays["band_data"]
    assert array.manifest.shape_chunk_grid == (1, 2, 3)
    found = read_values(virtualizarr.parse(path))["band_data"]
    np.testing.assert_array_equal(found, gdal_files.read(path))


def test_markers_of_tile_lengths_spare_rounds(tmp_path: Path) -> None:
    rounds = {}
    for tlm in ("YES", "NO"):
        path = tmp_path / f"{tlm}.jp2"
        options = {**LOSSLESS, **TILED, "TLM": tlm}
        gdal_files.written(path, "JP2OpenJPEG", picture(1, "u1"), **options)
        source = BytesSource(path.read_bytes(), path.as_uri())
        run(JPEG2000Parser().parse(path.as_uri()), source)
        rounds[tlm] = source.rounds
    assert rounds["YES"] == 2
    assert rounds["NO"] == 2 + len(range(0, 150, 48))


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a.j2k"
    options = {**LOSSLESS, "CODEC": "J2K"}
    gdal_files.written(path, "JP2OpenJPEG", picture(3, "u1"), **options)
    whole = bytearray(path.read_bytes())
    for at, value, error, said in (
        (42, 15, UnsupportedFeatureError, "different kinds"),
        (40, 0, CorruptFileError, "SIZ has|components"),
        (2, 0, CorruptFileError, "begin|SIZ"),
    ):
        damaged = bytearray(whole)
        damaged[at] = value
        if at == 40:
            damaged[41] = 0
        path.write_bytes(damaged)
        with pytest.raises(error, match=said):
            virtualizarr.parse(path, parser="jpeg2000")
