"""Raster images; the GR interface of the HDF4 library writes them and is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hdf4_images
import hdf4_tables
from hdf4_files import DEFLATE, RLE, SKPHUFF, numbers
from hdf4_tables import DFTAG_VG
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.testing import parse_file, read_values, same_values


def checked(path: Path) -> ManifestGroup:
    """Return the tree, once all images are found to be those that the library reads."""
    group = parse_file(HDF4Parser(), path)
    found = read_values(group)
    expected, unreadable = hdf4_images.image_values(path)
    assert not unreadable
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert same_values(found[name], values), name
        assert found[name].dtype == values.dtype
    return group


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3), (1, 7, 2)], ids=str)
def test_types_and_shapes(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.hdf"
    hdf4_images.write_images(path, {"first": numbers(shape, kind), "second": numbers((4, 9), kind)})
    group = checked(path)
    assert group["first"].metadata.dimension_names == ("y", "x", "component")[: len(shape)]
    assert group["second"].metadata.dimension_names == ("y_second", "x_second")


@pytest.mark.parametrize("interlace", [0, 1, 2])
def test_interlaced_images_are_stored_by_pixel(tmp_path: Path, interlace: int) -> None:
    path = tmp_path / "a.hdf"
    hdf4_images.write_images(path, {"image": numbers((6, 5, 3), "i2")}, interlace=interlace)
    checked(path)


@pytest.mark.parametrize("coder", [(RLE, 0), (SKPHUFF, 1), (DEFLATE, 6)], ids=str)
def test_compressed(tmp_path: Path, coder: tuple[int, int]) -> None:
    path = tmp_path / "a.hdf"
    hdf4_images.write_images(path, {"image": numbers((40, 30, 3), "u1")}, compression=coder)
    checked(path)


@pytest.mark.parametrize("coder", [None, (DEFLATE, 6)], ids=str)
def test_chunked(tmp_path: Path, coder: tuple[int, int] | None) -> None:
    path = tmp_path / "a.hdf"
    values = numbers((40, 40, 3), "u1")
    hdf4_images.write_images(path, {"image": values}, chunks=(10, 15), compression=coder)
    assert checked(path)["image"].manifest.shape_chunk_grid == (4, 3, 1)


def test_chunked_images_of_other_width_than_height_are_listed(tmp_path: Path) -> None:
    """The library cuts the sequence of their pixels as if width and height were exchanged."""
    path = tmp_path / "a.hdf"
    hdf4_images.write_images(path, {"image": numbers((40, 30), "u1")}, chunks=(10, 15))
    group = parse_file(HDF4Parser(), path)
    assert not group.arrays
    assert "image 'image' (a chunked image" in group.attributes["hdf4_not_read"]


@pytest.mark.parametrize("shape", [(40, 30), (24, 36, 3)])
def test_jpeg(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.hdf"
    hdf4_images.write_images(path, {"image": numbers(shape, "u1")}, compression=(7, 90))
    checked(path)


def test_images_in_vgroups(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    values: dict[str, Any] = {"image": numbers((6, 5), "u1")}
    hdf4_images.write_images(path, values)
    with hdf4_tables.opened(path, hdf4_tables.READ) as (lib, file):
        ref = lib.Vfind(file, b"image")
    hdf4_tables.write_vgroup(path, "pictures", [(DFTAG_VG, ref)])
    found = read_values(parse_file(HDF4Parser(), path))
    np.testing.assert_array_equal(found["pictures/image"], values["image"])
