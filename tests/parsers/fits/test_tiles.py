"""Tile-compressed FITS images; the oracle is astropy, which also writes them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from numpy.typing import NDArray

import fits_oracle
import virtualizarr
from codec_witness import PIPELINES
from virtualizarr.errors import CombineError, CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.fits import FITSParser
from virtualizarr.testing import parse_file, read_values

INTEGERS = ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS")
FLOATS = ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1")
QUANTIZERS = {"none": -1, "dither 1": 1, "dither 2": 2}
SHAPES = [((40, 37), (10, 16)), ((50, 60), (1, 60)), ((7, 20, 21), (1, 8, 8))]


def field(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Return smooth values with noise, zeros and, in floats, a few NaN."""
    random = np.random.default_rng(3)
    ruler = np.arange(int(np.prod(shape))).reshape(shape)
    values = 40 + 30 * np.sin(ruler / 17) + random.normal(0, 3, shape)
    values[..., 3] = 0
    if np.dtype(dtype).kind == "f":
        values[..., -1, 5] = np.nan
    return np.asarray(values.astype(dtype))


def write(path: Path, values: NDArray[Any], **options: Any) -> Path:
    hdu = fits.CompImageHDU(values, name="SKY", **options)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
    return path


def check(path: Path, parser: FITSParser | None = None) -> None:
    parser = parser if parser is not None else FITSParser()
    group = parse_file(parser, path)
    found = read_values(group)
    assert fits_oracle.differences(group, found, path) == []


@pytest.mark.parametrize("compression", INTEGERS)
@pytest.mark.parametrize("shape, tile", SHAPES, ids=["edges", "rows", "cube"])
def test_integers(
    tmp_path: Path, compression: str, shape: tuple[int, ...], tile: tuple[int, ...]
) -> None:
    if compression == "HCOMPRESS_1" and tile[-2] < 4:
        tile = (*tile[:-2], 5, tile[-1])
    for dtype in ("u1", "i2", "i4", "u2", "u4", "i1", "i8"):
        signed_only = compression == "PLIO_1" and dtype in ("u2", "u4", "i1")
        wide = dtype == "i8" and compression not in ("GZIP_1", "GZIP_2", "NOCOMPRESS")
        if signed_only or wide:
            continue
        path = write(
            tmp_path / f"{dtype}.fits",
            field(shape, dtype),
            compression_type=compression,
            tile_shape=tile,
        )
        check(path)


@pytest.mark.parametrize("dtype", ["i2", "f4"])
@pytest.mark.parametrize("scale", [0, 2])
def test_smoothed_hcompress(tmp_path: Path, dtype: str, scale: int) -> None:
    options = {"compression_type": "HCOMPRESS_1", "hcomp_scale": scale, "hcomp_smooth": 1}
    check(write(tmp_path / "a.fits", field((40, 36), dtype), tile_shape=(20, 18), **options))


@pytest.mark.parametrize("compression, quantizer", [*product(FLOATS, QUANTIZERS)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_quantised_floats(tmp_path: Path, compression: str, quantizer: str, dtype: str) -> None:
    for number, (shape, tile) in enumerate(SHAPES):
        if compression == "HCOMPRESS_1" and tile[-2] < 4:
            tile = (*tile[:-2], 5, tile[-1])
        path = write(
            tmp_path / f"{number}.fits",
            field(shape, dtype),
            compression_type=compression,
            tile_shape=tile,
            quantize_method=QUANTIZERS[quantizer],
            quantize_level=16,
            dither_seed=9_990,
        )
        check(path)
        check(path, FITSParser(inline_tiles=True))


@pytest.mark.parametrize("compression", ["GZIP_1", "GZIP_2"])
def test_lossless_floats(tmp_path: Path, compression: str) -> None:
    for dtype in ("f4", "f8"):
        options = {"compression_type": compression, "quantize_level": 0, "tile_shape": (10, 16)}
        check(write(tmp_path / f"{dtype}.fits", field((40, 37), dtype), **options))


def test_long_tiles_run_through_the_random_numbers(tmp_path: Path) -> None:
    values = field((150, 200), "f4")
    options = {"tile_shape": (150, 200), "quantize_method": 1, "dither_seed": 5}
    check(write(tmp_path / "long.fits", values, quantize_level=4, **options))


def test_tiles_that_cannot_be_quantised_are_stored_otherwise(tmp_path: Path) -> None:
    values = field((20, 30), "f4")
    values[3] = np.random.default_rng(0).normal(0, 1e30, 30)
    values[7] = 5.0
    path = write(tmp_path / "mixed.fits", values, tile_shape=(1, 30), quantize_level=16)
    array = parse_file(FITSParser(), path).arrays["SKY"]
    codec = array.metadata.codecs[-1]
    assert codec["name"] == "virtualizarr.fits_tile"
    kinds = codec["configuration"]["kinds"]  # type: ignore[index,call-overload]
    assert sorted(kind[0] for kind in kinds) == ["data", "gzip"]
    check(path)
    check(path, FITSParser(inline_tiles=True))


def test_scaled_integers_with_a_blank(tmp_path: Path) -> None:
    hdu = fits.ImageHDU(field((20, 30), "i2"), name="SKY")
    hdu.header["BLANK"] = 0
    compressed = fits.CompImageHDU(hdu.data, hdu.header, compression_type="RICE_1")
    compressed.header["BSCALE"], compressed.header["BZERO"] = 0.5, 10.0
    path = tmp_path / "scaled.fits"
    fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(path)
    array = parse_file(FITSParser(), path).arrays["SKY"]
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        raw = np.array(hdus["SKY"].data)
    assert (read_values(parse_file(FITSParser(), path))["SKY"] == raw).all()
    assert "scale_factor" not in array.metadata.attributes or raw.dtype.kind == "i"


def test_every_pipeline_and_format(tmp_path: Path) -> None:
    path = write(tmp_path / "sky.fits", field((40, 37), "f4"), tile_shape=(10, 16))
    expected = fits_oracle.values_of(path)["SKY"]
    virtual = virtualizarr.open_virtual_dataset(str(path), loadable_variables=[])
    for zarr_format in (2, 3):
        refs = virtual.virtualize.to_kerchunk(str(tmp_path / "refs.json"), zarr_format=zarr_format)
        assert refs is None
        store = virtualizarr.open_store(str(tmp_path / "refs.json"))
        for pipeline in PIPELINES:
            with zarr.config.set({"codec_pipeline.path": pipeline}):
                found = zarr.open_group(store, mode="r")["SKY"][...]  # type: ignore[index]
            np.testing.assert_array_equal(np.asarray(found), expected)


def test_images_without_parameters_of_their_own_can_be_joined(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{i}.fits", field((40, 37), "i2") + i, tile_shape=(10, 16))
        for i in range(3)
    ]
    joined = virtualizarr.open_virtual_mfdataset(
        [str(path) for path in paths], concat_dim="time", combine="nested", loadable_variables=[]
    )
    found = joined.virtualize.open()["SKY"].values
    expected = [fits_oracle.values_of(path)["SKY"] for path in paths]
    np.testing.assert_array_equal(found, np.stack(expected))


def test_quantised_images_are_joined_inline_or_refused(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{i}.fits", field((40, 37), "f4") * (i + 1), tile_shape=(10, 16))
        for i in range(2)
    ]
    urls = [str(path) for path in paths]
    options: dict[str, Any] = {
        "concat_dim": "time",
        "combine": "nested",
        "loadable_variables": [],
    }
    with pytest.raises(CombineError):
        virtualizarr.open_virtual_mfdataset(urls, parser=FITSParser(), **options)
    parser = FITSParser(inline_tiles=True)
    joined = virtualizarr.open_virtual_mfdataset(urls, parser=parser, **options)
    found = joined.virtualize.open()["SKY"].values
    expected = [fits_oracle.values_of(path)["SKY"] for path in paths]
    np.testing.assert_array_equal(found, np.stack(expected))


def test_ranges_stay_inside_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.fits", field((64, 37), "f4"), tile_shape=(1, 37))
    with fits.open(path, disable_image_compression=True) as hdus:
        info, header = hdus[1].fileinfo(), hdus[1].header
        end = info["datLoc"] + header["NAXIS1"] * header["NAXIS2"] + header["PCOUNT"]
    expected = fits_oracle.values_of(path)["SKY"]
    path.write_bytes(path.read_bytes()[:end])
    group = parse_file(FITSParser(), path)
    manifest = group.arrays["SKY"].manifest
    assert int((manifest.offset + manifest.length).max()) <= end
    np.testing.assert_array_equal(read_values(group)["SKY"], expected)


def test_unknown_compressions_are_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "sky.fits", field((40, 37), "i2"))
    path.write_bytes(path.read_bytes().replace(b"'RICE_1  '", b"'JPEG_9  '"))
    with pytest.raises(UnsupportedFeatureError, match=r"SKY.*JPEG_9"):
        parse_file(FITSParser(), path)


def test_a_table_with_too_few_tiles_is_corrupt(tmp_path: Path) -> None:
    path = write(tmp_path / "sky.fits", field((40, 37), "i2"), tile_shape=(1, 37))
    content = path.read_bytes().replace(
        b"ZNAXIS2 =                   40", b"ZNAXIS2 =                   90"
    )
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"SKY.*90 tiles"):
        parse_file(FITSParser(), path)
