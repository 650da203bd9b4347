"""Files that tifffile writes: every compression, predictor, dtype, byte order and layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parsers.tiff.written import numbers, parse_file, values

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FLOATS = ["float16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
LOSSLESS = ["lzw", "zlib", "packbits", "zstd", "lzma"]
LAYOUTS: list[dict[str, Any]] = [
    {},
    {"rowsperstrip": 16},
    {"tile": (16, 32)},
    {"rowsperstrip": 16, "planarconfig": "separate"},
    {"tile": (16, 32), "planarconfig": "separate"},
]


def write(path: Path, data: Any, byteorder: str = "<", **options: Any) -> Any:
    """Write an image, bands last unless they are separate; return it with the bands first."""
    bigtiff = options.pop("bigtiff", False)
    with tifffile.TiffWriter(path, byteorder=byteorder, bigtiff=bigtiff) as tiff:
        stored = data if options.get("planarconfig") == "separate" else np.moveaxis(data, 0, -1)
        photometric = options.pop("photometric", "minisblack")
        if data.shape[0] == 1:
            stored = data[0]
        else:
            options.setdefault("planarconfig", "contig")
        tiff.write(stored, photometric=photometric, metadata=None, **options)
    return tifffile.imread(path, key=0)


def check(path: Path, data: Any) -> None:
    found = values(path)["band_data"]
    assert found.dtype == (np.uint8 if data.dtype == bool else data.dtype)
    np.testing.assert_array_equal(found, data)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", INTEGERS + FLOATS + COMPLEX)
@pytest.mark.parametrize("layout", [0, 1, 4])
def test_plain(tmp_path: Path, dtype: str, byteorder: str, layout: int) -> None:
    data = numbers((3, 37, 45), dtype)
    write(tmp_path / "a.tif", data, byteorder, **LAYOUTS[layout])
    check(tmp_path / "a.tif", data)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", LOSSLESS)
@pytest.mark.parametrize("layout", [1, 2, 3])
def test_compressed(tmp_path: Path, compression: str, byteorder: str, layout: int) -> None:
    data = numbers((2, 37, 45), "uint16")
    options = {"compression": compression, **LAYOUTS[layout]}
    write(tmp_path / "a.tif", data, byteorder, bigtiff=True, **options)
    check(tmp_path / "a.tif", data)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [name for name in INTEGERS if "64" not in name] + FLOATS)
@pytest.mark.parametrize("layout", [1, 2, 4])
def test_predictor(tmp_path: Path, dtype: str, byteorder: str, layout: int) -> None:
    data = numbers((3, 37, 45), dtype)
    options = {"compression": "zlib", "predictor": True, **LAYOUTS[layout]}
    write(tmp_path / "a.tif", data, byteorder, **options)
    check(tmp_path / "a.tif", data)


@pytest.mark.parametrize("layout", [0, 1, 2])
@pytest.mark.parametrize("compression", [None, "packbits", "zlib"])
def test_bilevel(tmp_path: Path, compression: str | None, layout: int) -> None:
    data = numbers((1, 37, 45), "bool")
    write(tmp_path / "a.tif", data, compression=compression, **LAYOUTS[layout])
    check(tmp_path / "a.tif", data)


@pytest.mark.parametrize("compression", ["jpegxl", "jpeg2000", "webp", "png", "lerc", "jpegxr"])
@pytest.mark.parametrize("layout", [0, 2])
@pytest.mark.parametrize("bands", [1, 3])
def test_pictures(tmp_path: Path, compression: str, layout: int, bands: int) -> None:
    data = numbers((bands, 64, 96), "uint8")
    if compression == "webp" and bands == 1:
        pytest.skip("WebP is colour")
    photometric = "rgb" if bands == 3 else "minisblack"
    arguments = {"lossless": True} if compression in ("webp", "jpegxl") else {}
    if compression in ("jpeg2000", "jpegxr"):
        arguments = {"level": 0} if compression == "jpeg2000" else {"level": 100}
    expected = write(
        tmp_path / "a.tif",
        data,
        compression=compression,
        compressionargs=arguments,
        photometric=photometric,
        **LAYOUTS[layout],
    )
    check(tmp_path / "a.tif", np.moveaxis(expected, -1, 0) if bands == 3 else expected[None])


@pytest.mark.parametrize("also", ["deflate", "zstd"])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_lerc_compressed_once_more(tmp_path: Path, also: str, dtype: str) -> None:
    data = numbers((1, 48, 64), dtype)
    arguments = {"compression": also}
    write(tmp_path / "a.tif", data, compression="lerc", compressionargs=arguments, tile=(16, 32))
    check(tmp_path / "a.tif", data)


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr", "minisblack"])
@pytest.mark.parametrize("layout", [1, 2])
def test_jpeg(tmp_path: Path, photometric: str, layout: int) -> None:
    data = numbers((1 if photometric == "minisblack" else 3, 64, 96), "uint8")
    options = {"photometric": photometric, "compression": "jpeg", **LAYOUTS[layout]}
    expected = write(tmp_path / "a.tif", data, **options)
    check(tmp_path / "a.tif", np.moveaxis(expected, -1, 0) if len(data) == 3 else expected[None])


def test_pages_that_are_alike_are_stacked(tmp_path: Path) -> None:
    data = numbers((5, 20, 30), "int16")
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="minisblack", metadata=None)
    group = parse_file(tmp_path / "a.tif")
    assert group.arrays["band_data"].metadata.dimension_names == ("page", "band", "y", "x")
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"][:, 0], data)
    apart = values(tmp_path / "a.tif", pages="groups")
    np.testing.assert_array_equal(apart["3/band_data"][0], data[3])


def test_pages_that_differ_are_groups(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(numbers((20, 30), "int16"), metadata=None)
        tiff.write(numbers((10, 30), "int16"), metadata=None)
    found = values(tmp_path / "a.tif")
    assert {name: array.shape for name, array in found.items() if "data" in name} == {
        "0/band_data": (1, 20, 30),
        "1/band_data": (1, 10, 30),
    }


@pytest.mark.parametrize("axes", ["TCZYX", "ZTCYX", "CYX"])
def test_ome(tmp_path: Path, axes: str) -> None:
    shape = {"T": 2, "C": 3, "Z": 4, "Y": 20, "X": 30}
    data = numbers(tuple(shape[axis] for axis in axes), "uint16")
    data += np.arange(data[..., 0, 0].size, dtype="u2").reshape(*data.shape[:-2], 1, 1)
    tifffile.imwrite(
        tmp_path / "a.ome.tif", data, metadata={"axes": axes}, photometric="minisblack"
    )
    array = parse_file(tmp_path / "a.ome.tif").arrays["band_data"]
    names = array.metadata.dimension_names
    assert names is not None
    found = values(tmp_path / "a.ome.tif")["band_data"]
    wanted = [str(name).upper() for name in names]
    order = [wanted.index(axis) for axis in axes]
    extra = [i for i in range(found.ndim) if i not in order]
    np.testing.assert_array_equal(found.transpose(extra + order).reshape(data.shape), data)


def test_ome_pyramid(tmp_path: Path) -> None:
    data = numbers((3, 64, 96), "uint16")
    options = {"photometric": "minisblack", "tile": (16, 16)}
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        tiff.write(data, subifds=1, metadata={"axes": "CYX"}, **options)
        tiff.write(data[:, ::2, ::2], subfiletype=1, **options)
    found = values(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(found["band_data"].reshape(data.shape), data)
    np.testing.assert_array_equal(found["1/band_data"].reshape(3, 32, 48), data[:, ::2, ::2])


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_imagej_stacks_with_one_ifd(tmp_path: Path, byteorder: str) -> None:
    data = numbers((2, 3, 4, 20, 30), "uint16")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, imagej=True, metadata={"axes": "TZCYX"}, byteorder=byteorder)
    group = parse_file(path)
    names = group.arrays["band_data"].metadata.dimension_names
    assert names == ("t", "z", "c", "y", "x")
    np.testing.assert_array_equal(values(path)["band_data"], data)


def test_imagej_planes_that_no_ifd_tells_of(tmp_path: Path) -> None:
    data = numbers((5, 20, 30), "uint16")
    path = tmp_path / "a.tif"
    text = "ImageJ=1.11a\nimages=5\nslices=5\n"
    options = {"photometric": "minisblack", "metadata": None, "description": text}
    tifffile.imwrite(path, data[0], **options)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages[0].dataoffsets[0]
    assert at + data[0].nbytes == len(whole)
    path.write_bytes(whole[:at] + data.tobytes())
    np.testing.assert_array_equal(values(path)["band_data"], data)
    assert len(parse_file(path, pages="groups").groups) == 5
