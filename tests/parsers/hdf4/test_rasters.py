"""Raster images of the older interfaces: compressed and interlaced ones.

The oracles are GR, and DF24 for interlaced images: GR takes their lines or components for pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hdf4_images
import hdf4_rasters
from hdf4_rasters import COMPONENT, IMCOMP, LINE, PIXEL, RLE
from virtualizarr.codecs.base import octets
from virtualizarr.codecs.hdf4_raster import Hdf4Raster
from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.testing import parse_file, read_values

pytest.importorskip("imagecodecs")


def picture(rows: int = 40, columns: int = 48) -> Any:
    """Return bytes with runs, and some lines without any."""
    random = np.random.default_rng(0)
    blocks = random.integers(0, 200, (-(-rows // 4), -(-columns // 4)))
    values = np.repeat(np.repeat(blocks, 4, 0), 4, 1)[:rows, :columns].astype("u1")
    values[3:7] = random.integers(0, 255, values[3:7].shape)
    return values


def coloured(rows: int = 40, columns: int = 48) -> Any:
    grey = picture(rows, columns)
    return np.stack([grey, grey[::-1], grey[:, ::-1]], axis=-1)


def found_in(path: Path) -> dict[str, Any]:
    group = parse_file(HDF4Parser(), path)
    assert "image" not in str(group.attributes.get("hdf4_not_read", ""))
    return read_values(group)


@pytest.mark.parametrize("compression", [0, RLE, IMCOMP, hdf4_rasters.JPEG])
def test_compressed_images_of_8_bits(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "a.hdf"
    hdf4_rasters.write_8(path, picture(), compression)
    hdf4_rasters.write_8(path, picture(24, 36), compression)
    expected, unreadable = hdf4_images.image_values(path)
    found = found_in(path)
    assert not unreadable
    assert found.keys() == expected.keys()
    assert len(found) == 2
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    if compression in (0, RLE):
        np.testing.assert_array_equal(found["Raster Image #0"], picture())


@pytest.mark.parametrize("interlace", [PIXEL, LINE, COMPONENT])
def test_interlaced_images_of_24_bits(tmp_path: Path, interlace: int) -> None:
    path = tmp_path / "a.hdf"
    hdf4_rasters.write_24(path, coloured(), interlace)
    hdf4_rasters.write_24(path, coloured(7, 5), interlace)
    found = [*found_in(path).values()]
    expected = hdf4_rasters.images_24(path)
    assert len(found) == len(expected) == 2
    for values, witness in zip(found, expected, strict=True):
        np.testing.assert_array_equal(values, witness)
    np.testing.assert_array_equal(found[0], coloured())


def test_jpeg_of_24_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    hdf4_rasters.write_24(path, coloured(), quality=90)
    expected, _ = hdf4_images.image_values(path)
    np.testing.assert_array_equal(*found_in(path).values(), *expected.values())


def stream(method: str) -> bytes:
    if method == "rle":
        return bytes([0x80 | 100, 7]) * 19 + bytes([20, *range(20)])
    if method == "imcomp":
        return bytes(range(240)) * 2
    imagecodecs = pytest.importorskip("imagecodecs")
    return bytes(imagecodecs.jpeg8_encode(picture()))


@pytest.mark.parametrize("method", ["rle", "imcomp"])
def test_cut_streams_are_corrupt(method: str) -> None:
    codec = Hdf4Raster((40, 48, 1), method)
    whole = stream(method)
    assert codec.decode(octets(whole), None).size == 40 * 48
    for size in range(0, len(whole), 7):
        with pytest.raises(CorruptFileError):
            codec.decode(octets(whole[:size]), None)


@pytest.mark.parametrize("shape", [(40, 47, 1), (40, 48, 3), (1 << 14, 1 << 14, 1)])
def test_a_jpeg_of_another_size_is_corrupt(shape: tuple[int, int, int]) -> None:
    with pytest.raises(CorruptFileError, match="a picture of"):
        Hdf4Raster(shape, "jpeg").decode(octets(stream("jpeg")), None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "zip"},
        {"shape": [40, 47, 1], "method": "imcomp"},
        {"shape": [40, 48, 3], "method": "imcomp"},
        {"method": "jpeg", "itemsize": 2},
        {"interlace": 3},
        {"shape": [0, 48, 1]},
        {"shape": [1 << 20, 1 << 20, 3]},
    ],
)
def test_configurations_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError):
        Hdf4Raster.from_configuration({"shape": [40, 48, 1], "method": "rle", **wrong})
