"""Files that GDAL writes: values, georeference, nodata, masks, overviews, against rasterio."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parsers.tiff.written import numbers, parse_file, values
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.tiff import TIFFParser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

rasterio = pytest.importorskip("rasterio")
tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")

from rasterio.enums import Resampling  # noqa: E402
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError  # noqa: E402
from rasterio.shutil import copy  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

WHOLE = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]


def write(path: Path, data: Any, **options: Any) -> Any:
    """Write bands with GDAL and return them as it reads them."""
    bands, height, width = data.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width}
    try:
        with rasterio.open(path, "w", **profile, dtype=data.dtype, **options) as dataset:
            dataset.write(data)
    except RasterioIOError as error:
        pytest.skip(f"this GDAL cannot write that: {error}")
    return read(path)


def read(path: Path, **options: Any) -> Any:
    with rasterio.open(path, **options) as dataset:
        return dataset.read()


def check(path: Path, expected: Any) -> None:
    found = values(path)["band_data"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("endianness", ["LITTLE", "BIG"])
@pytest.mark.parametrize("dtype", [*WHOLE, "float32", "float64"])
@pytest.mark.parametrize("predictor", [2, 3])
def test_predictor(tmp_path: Path, dtype: str, predictor: int, endianness: str) -> None:
    if predictor == 3 and not dtype.startswith("float"):
        pytest.skip("the floating point predictor is for floats")
    options = {"compress": "deflate", "predictor": predictor, "endianness": endianness}
    data = numbers((3, 37, 45), dtype)
    for interleave in ("band", "pixel"):
        expected = write(tmp_path / f"{interleave}.tif", data, interleave=interleave, **options)
        check(tmp_path / f"{interleave}.tif", expected)


@pytest.mark.parametrize("nbits", [1, 2, 3, 4, 7, 9, 12, 14, 17, 20, 31])
@pytest.mark.parametrize("compress", [None, "lzw"])
def test_samples_of_few_bits(tmp_path: Path, nbits: int, compress: str | None) -> None:
    dtype = "uint8" if nbits <= 8 else "uint16" if nbits <= 16 else "uint32"
    data = numbers((2, 37, 45), dtype) >> (np.iinfo(dtype).bits - nbits)
    for interleave in ("band", "pixel"):
        path = tmp_path / f"{interleave}.tif"
        options = {"compress": compress} if compress else {}
        expected = write(path, data, nbits=nbits, interleave=interleave, **options)
        np.testing.assert_array_equal(expected, data)
        check(path, data)


def test_half_precision(tmp_path: Path) -> None:
    data = numbers((1, 37, 45), "float16").astype("float32")
    write(tmp_path / "a.tif", data, nbits=16, compress="deflate", predictor=2)
    check(tmp_path / "a.tif", data.astype("float16"))


@pytest.mark.parametrize("dtype", ["complex_int16", "complex64", "complex128"])
@pytest.mark.parametrize("endianness", ["LITTLE", "BIG"])
def test_complex(tmp_path: Path, dtype: str, endianness: str) -> None:
    data = np.round(numbers((2, 20, 30), "complex128") * 1000)
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": 2, "height": 20, "width": 30}
    with rasterio.open(path, "w", **profile, dtype=dtype, endianness=endianness) as dataset:
        dataset.write(data.astype("complex64" if dtype != "complex128" else "complex128"))
    np.testing.assert_array_equal(values(path)["band_data"], data)


@pytest.mark.parametrize("compress", ["CCITTRLE", "CCITTFAX3", "CCITTFAX4"])
def test_fax(tmp_path: Path, compress: str) -> None:
    data = numbers((1, 37, 45), "bool").astype("uint8")
    write(tmp_path / "a.tif", data, nbits=1, compress=compress, blockysize=16)
    check(tmp_path / "a.tif", data)


@pytest.mark.parametrize("compress", ["LERC", "LERC_DEFLATE", "LERC_ZSTD"])
@pytest.mark.parametrize("bands", [1, 3])
def test_lerc_with_nan(tmp_path: Path, compress: str, bands: int) -> None:
    data = numbers((bands, 64, 64), "float32")
    data[:, 5:20, 7:40] = np.nan
    options = {"tiled": True, "blockxsize": 32, "blockysize": 32, "interleave": "pixel"}
    check(tmp_path / "a.tif", write(tmp_path / "a.tif", data, compress=compress, **options))


@pytest.mark.parametrize("compress", ["WEBP", "JXL", "ZSTD", "LZMA", "DEFLATE", "PACKBITS"])
@pytest.mark.parametrize("bands", [3, 4])
def test_colours(tmp_path: Path, compress: str, bands: int) -> None:
    data = numbers((bands, 70, 90), "uint8")
    options = {"tiled": True, "blockxsize": 32, "blockysize": 32, "interleave": "pixel"}
    lossless = {"webp_lossless": True} if compress == "WEBP" else {}
    path = tmp_path / "a.tif"
    options |= {"photometric": "rgb", **lossless}
    check(path, write(path, data, compress=compress, **options))


@pytest.mark.parametrize("photometric", ["YCBCR", "RGB"])
def test_jpeg(tmp_path: Path, photometric: str) -> None:
    data = numbers((3, 70, 90), "uint8")
    options = {"interleave": "pixel", "blockysize": 16, "photometric": photometric}
    check(tmp_path / "a.tif", write(tmp_path / "a.tif", data, compress="JPEG", **options))


def test_sparse_tiles_are_missing_and_read_as_nodata(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 70, "width": 90, "dtype": "int16"}
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 32, "sparse_ok": True}
    for options in ({}, {"compress": "deflate"}):
        with rasterio.open(path, "w", **profile, **tiles, **options, nodata=-7) as dataset:
            window = rasterio.windows.Window(32, 32, 32, 32)
            dataset.write(np.ones((32, 32), "int16"), 1, window=window)
        array = parse_file(path).arrays["band_data"]
        assert array.manifest.nrefs == 1
        assert array.metadata.fill_value == -7
        check(path, read(path))


def test_an_empty_image_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 70, "width": 90, "dtype": "int16"}
    with rasterio.open(path, "w", **profile, sparse_ok=True, compress="deflate"):
        pass
    assert parse_file(path).arrays["band_data"].manifest.all_missing
    check(path, np.zeros((1, 70, 90), "int16"))


@pytest.fixture(scope="module")
def cog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COG of three bands with a mask and overviews."""
    folder = tmp_path_factory.mktemp("cog")
    transform = rasterio.Affine(30, 0, 500_000, 0, -30, 4_600_000)
    profile = {"driver": "GTiff", "count": 3, "height": 1100, "width": 1300, "dtype": "uint8"}
    place = {"crs": "EPSG:32631", "transform": transform}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(folder / "plain.tif", "w", **profile, **place) as dataset,
    ):
        dataset.write(numbers((3, 1100, 1300), "uint8"))
        dataset.write_mask(numbers((1100, 1300), "bool"))
    options = {"driver": "COG", "compress": "deflate", "blocksize": 256}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        copy(folder / "plain.tif", folder / "cog.tif", **options)
    return folder / "cog.tif"


def test_cog_with_overviews_and_masks(cog: Path) -> None:
    found = values(cog)
    with rasterio.open(cog) as dataset:
        factors = dataset.overviews(1)
        np.testing.assert_array_equal(found["band_data"], dataset.read())
        np.testing.assert_array_equal(found["mask"] * 255, dataset.dataset_mask())
    assert factors
    for i in range(len(factors)):
        with rasterio.open(cog, overview_level=i) as level:
            np.testing.assert_array_equal(found[f"{i + 1}/band_data"], level.read())
            np.testing.assert_array_equal(found[f"{i + 1}/mask"] * 255, level.dataset_mask())
            assert_placed(parse_file(cog).groups[str(i + 1)], level, f"_{i + 1}")


def test_a_cog_takes_one_round_or_two(cog: Path) -> None:
    data = cog.read_bytes()
    source = BytesSource(data, "memory://cog.tif")
    run(TIFFParser().parse(source.url), CachingSource(source))
    assert source.rounds == 1
    assert source.bytes_read <= min(len(data), 1 << 20)
    padded = BytesSource(data.ljust(32 << 20, b"\0"), "memory://cog.tif")
    run(TIFFParser().parse(padded.url), CachingSource(padded))
    assert padded.rounds <= 2
    assert padded.bytes_read <= 2 << 20


def test_levels_are_groups_of_their_own(cog: Path) -> None:
    group = parse_file(cog, overviews="levels")
    assert not group.arrays
    layout = group.attributes["multiscales"]["layout"]
    assert [level["asset"] for level in layout] == list(group.groups)
    dims = {child.arrays["band_data"].metadata.dimension_names for child in group.groups.values()}
    assert dims == {("band", "y", "x")}
    assert not parse_file(cog, overviews="skip").groups


def assert_placed(group: ManifestGroup, dataset: Any, suffix: str = "") -> None:
    """Check that a group says where its pixels lie as GDAL does."""
    place = group.arrays["spatial_ref"].metadata.attributes["GeoTransform"]
    np.testing.assert_allclose(
        [float(word) for word in place.split()], dataset.transform.to_gdal(), rtol=1e-13
    )
    coordinates = {
        name: np.frombuffer(group.arrays[name + suffix].manifest.inline, "<f8") for name in "xy"
    }
    x, _ = dataset.xy([0] * dataset.width, range(dataset.width))
    _, y = dataset.xy(range(dataset.height), [0] * dataset.height)
    np.testing.assert_allclose(coordinates["x"], x, rtol=1e-13)
    np.testing.assert_allclose(coordinates["y"], y, rtol=1e-13)
    assert group.attributes["spatial:bbox"] == pytest.approx(list(dataset.bounds))
    assert group.attributes["proj:code"] == dataset.crs.to_string()


@pytest.mark.parametrize("point", [False, True])
@pytest.mark.parametrize("code", ["EPSG:32631", "EPSG:4326", "EPSG:3857"])
def test_georeference(tmp_path: Path, code: str, point: bool) -> None:
    path = tmp_path / "a.tif"
    place = {"crs": code, "transform": rasterio.Affine(0.25, 0, -10.1, 0, -0.5, 33.3)}
    profile = {"driver": "GTiff", "count": 1, "height": 20, "width": 30, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, **place) as dataset:
        if point:
            dataset.update_tags(AREA_OR_POINT="Point")
    with rasterio.open(path) as dataset:
        group = parse_file(path)
        assert_placed(group, dataset)
        attributes = group.arrays["band_data"].metadata.attributes
        assert attributes["AREA_OR_POINT"] == ("Point" if point else "Area")
    pyproj = pytest.importorskip("pyproj")
    wkt = group.arrays["spatial_ref"].metadata.attributes["crs_wkt"]
    assert pyproj.CRS.from_wkt(wkt).equals(pyproj.CRS.from_user_input(code))


def test_rotated_images_have_a_transform_and_no_coordinates(tmp_path: Path) -> None:
    turned = rasterio.Affine.translation(5, 9) @ rasterio.Affine.rotation(30)
    write(tmp_path / "a.tif", numbers((1, 20, 30), "uint8"), transform=turned, crs="EPSG:3857")
    group = parse_file(tmp_path / "a.tif")
    assert "x" not in group.arrays
    assert group.attributes["spatial:transform"] == pytest.approx(list(turned)[:6])


def test_bands_have_scale_offset_units_and_names(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write(path, numbers((2, 20, 30), "int16"), nodata=-999)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.5, 0.5), (10.0, 10.0)
        dataset.units = ("K", "K")
        dataset.descriptions = ("first", "second")
        dataset.update_tags(mission="test", scale_factor="3")
        dataset.update_tags(2, sensor="b")
    attributes = parse_file(path).arrays["band_data"].metadata.attributes
    assert attributes["scale_factor"] == 0.5
    assert attributes["add_offset"] == 10.0
    assert attributes["units"] == "K"
    assert attributes["long_name"] == ["first", "second"]
    assert attributes["mission"] == "test"
    assert attributes["GDAL_scale_factor"] == "3"
    assert attributes["sensor"] == [None, "b"]
    assert attributes["_FillValue"] == -999


def test_scales_that_differ_do_not_become_one(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write(path, numbers((2, 20, 30), "int16"))
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = (0.5, 1.0)
    attributes = parse_file(path).arrays["band_data"].metadata.attributes
    assert attributes["scales"] == [0.5, 1.0]
    assert "scale_factor" not in attributes


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        *[("int16", text) for text in ("-32768.0", "-9999 -9999 -9999", " 7\n", "1e2", "-9999,0")],
        *[("float32", text) for text in ("NaN", "nan(ind)", "-1.#QNAN", "1.#INF", "9999.5 m")],
        *[("float32", text) for text in ("-3.4028234663852886e+38", "-3.40282306074e+38")],
    ],
)
def test_nodata_in_the_spellings_of_many_writers(tmp_path: Path, dtype: str, text: str) -> None:
    path = tmp_path / "a.tif"
    tag = (42113, 2, 0, text, True)
    tifffile.imwrite(path, np.zeros((4, 5), dtype), photometric="minisblack", extratags=[tag])
    with rasterio.open(path) as dataset:
        expected = np.dtype(dtype).type(dataset.nodata)
    group = parse_file(path)
    np.testing.assert_equal(group["band_data"].metadata.attributes["_FillValue"], expected)


@pytest.mark.parametrize("text", ["1_000", "\u0663", "", "n/a", "0x10"])
def test_a_nodata_text_that_is_no_number_is_kept_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.tif"
    raw = text.encode() + b"\0"
    tag = (42113, 2, len(raw), raw, True)
    tifffile.imwrite(path, np.zeros((4, 5), "i4"), photometric="minisblack", extratags=[tag])
    attributes = parse_file(path)["band_data"].metadata.attributes
    assert "_FillValue" not in attributes
    assert attributes["nodata"] == text


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("float32", "nan"), ("float64", "-1e300"), ("uint8", "255")]
)
def test_nodata(tmp_path: Path, dtype: str, nodata: str) -> None:
    write(tmp_path / "a.tif", numbers((1, 20, 30), dtype), nodata=float(nodata))
    value = parse_file(tmp_path / "a.tif").arrays["band_data"].metadata.attributes["_FillValue"]
    np.testing.assert_equal(value, np.dtype(dtype).type(float(nodata)))


def test_palette(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    colours = {i: (i, 255 - i, 7, 255) for i in range(256)}
    profile = {"driver": "GTiff", "count": 1, "height": 20, "width": 30, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, photometric="palette") as dataset:
        dataset.write(numbers((1, 20, 30), "uint8"))
        dataset.write_colormap(1, colours)
    found = values(path)
    assert found["color_map"].shape == (3, 256)
    assert found["color_map"][:, 5].tolist() == [5 * 257, 250 * 257, 7 * 257]


def test_overviews_without_a_mask(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write(path, numbers((2, 200, 300), "float32"), tiled=True, blockxsize=64, blockysize=64)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.nearest)
    found = values(path)
    for i in range(2):
        np.testing.assert_array_equal(found[f"{i + 1}/band_data"], read(path, overview_level=i))


def test_huge_uncompressed_strips_are_split(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for interleave, bands in (("band", 2), ("pixel", 2), ("band", 1)):
        data = numbers((bands, 120, 50), "uint16")
        write(path, data, interleave=interleave, blockysize=120)
        array = parse_file(path, chunk_bytes=2000).arrays["band_data"]
        assert array.manifest.shape_chunk_grid[1] > 5
        np.testing.assert_array_equal(values(path, chunk_bytes=2000)["band_data"], data)
        assert len(array.metadata.codecs) == (2 if interleave == "pixel" else 1)


def test_tiles_never_written_read_as_nodata_also_where_that_is_complex(tmp_path: Path) -> None:
    path = tmp_path / "file.tif"
    options = {"driver": "GTiff", "width": 40, "height": 40, "count": 1, "nodata": 7}
    with rasterio.open(path, "w", dtype="complex64", sparse_ok=True, **options):
        pass
    assert (read(path) == 7).all()
    check(path, read(path))


@pytest.mark.parametrize("compression", ["LERC", "LERC_DEFLATE", "LERC_ZSTD"])
@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32", "float64"])
def test_lerc_of_big_endian_numbers(tmp_path: Path, dtype: str, compression: str) -> None:
    path = tmp_path / "file.tif"
    data = np.arange(3 * 40 * 33).reshape(3, 40, 33).astype(dtype)
    check(path, write(path, data, compress=compression, endianness="BIG", blockysize=16))
