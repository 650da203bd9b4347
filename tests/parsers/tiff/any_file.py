"""TIFF files of random make, by a seed: what tifffile and GDAL write with their options mixed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import tifffile
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from random_files import Rng, often, pick, write_by_seeds

DTYPES = (
    *("u1", "u1", "u2", "i2", "u4", "i4", "f4", "f8", "f2", "i1", "u8", "i8", "c8", "c16", "?"),
)
COMPRESSIONS = (
    *(None, None, "zlib", "adobe_deflate", "lzw", "packbits", "zstd", "lzma", "jpeg"),
    *("jpeg2000", "webp", "lerc", "png", "jpegxl", "packints"),
)
BYTE_COMPRESSIONS = ("zlib", "adobe_deflate", "lzw", "zstd", "lzma")
GDAL_DTYPES = (
    *("uint8", "uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"),
    *("int8", "complex64", "int64", "uint64"),
)
GDAL_COMPRESSIONS = (
    *(None, "DEFLATE", "LZW", "PACKBITS", "ZSTD", "LZMA", "JPEG", "LERC", "LERC_DEFLATE"),
    *("LERC_ZSTD", "CCITTFAX4", "CCITTFAX3", "CCITTRLE", "JXL"),
)


def write_any(path: Path, seed: int) -> bool:
    """Write a file that only `seed` decides; False where its writer refuses the options."""
    rng = np.random.default_rng(seed)
    try:
        (_by_tifffile if rng.random() < 0.5 else _by_gdal)(path, rng)
    except (ValueError, TypeError, KeyError, RuntimeError, OSError, rasterio.errors.RasterioError):
        path.unlink(missing_ok=True)
        return False
    return True


def _values(rng: Rng, dtype: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if often(rng, 0.4):
            return rng.integers(0, 6, shape).astype(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, True)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    return np.round(rng.normal(0, 50, shape), 1).astype(dtype)


def _by_tifffile(path: Path, rng: Rng) -> None:
    order = pick(rng, "<>")
    with tifffile.TiffWriter(path, bigtiff=often(rng, 0.3), byteorder=order) as tiff:
        for _ in range(int(rng.integers(1, 4))):
            rows, columns = int(rng.integers(1, 90)), int(rng.integers(1, 90))
            shape, options = _image(rng, rows, columns)
            compression = pick(rng, COMPRESSIONS)
            dtype = "u1" if compression in ("jpeg", "webp") else pick(rng, DTYPES)
            options["compression"] = compression
            if options["photometric"] == "rgb" and dtype == "?":
                dtype = "u1"  # tifffile packs the bits of pixels as no other reader expects
            if compression in BYTE_COMPRESSIONS and often(rng, 0.6):
                options["predictor"] = pick(rng, (True, 2, 3))
            if often(rng, 0.5):
                options["tile"] = tuple((16 * rng.integers(1, 4, 2)).tolist())
            elif often(rng, 0.5):
                options["rowsperstrip"] = int(rng.integers(1, rows + 1))
            values = _values(rng, dtype, shape)
            if values.dtype.kind == "u" and values.itemsize < 8 and compression == "packints":
                bits = int(rng.integers(1, values.itemsize * 8))
                options["bitspersample"] = bits
                values %= values.dtype.type((1 << bits) - 1)
            tiff.write(values, **options)


def _image(rng: Rng, rows: int, columns: int) -> tuple[tuple[int, ...], dict[str, Any]]:
    """A shape, and how its axes are to be understood."""
    samples = int(rng.integers(2, 6))
    gray = {"photometric": "minisblack"}
    return pick(
        rng,
        [
            ((rows, columns), gray),
            ((rows, columns, 3), {"photometric": "rgb"}),
            ((3, rows, columns), {"photometric": "rgb", "planarconfig": "separate"}),
            ((rows, columns, samples), {**gray, "planarconfig": "contig"}),
            ((samples, rows, columns), {**gray, "planarconfig": "separate"}),
            ((samples, rows, columns), gray),
            ((samples, rows, columns), {**gray, "volumetric": True}),
        ],
    )


def _by_gdal(path: Path, rng: Rng) -> None:
    dtype = pick(rng, GDAL_DTYPES)
    shape = (int(pick(rng, (1, 1, 2, 3, 4, 7))), *rng.integers(1, 140, 2).tolist())
    options: dict[str, Any] = {"interleave": pick(rng, ("pixel", "band"))}
    compression = pick(rng, GDAL_COMPRESSIONS)
    if compression is not None:
        options["compress"] = compression
    if compression == "JPEG":
        dtype = "uint8"
        if shape[0] == 3 and often(rng, 0.5):
            options["photometric"] = "YCBCR"
    if compression == "JXL":
        options["jxl_lossless"] = "YES"
    if compression is not None and compression.startswith("CCITT"):
        dtype, shape, options["nbits"] = "uint8", (1, *shape[1:]), 1
    if compression in ("DEFLATE", "LZW", "ZSTD") and often(rng, 0.6):
        options["predictor"] = 3 if dtype.startswith("float") else 2
    if often(rng, 0.5):
        options |= {"tiled": True, "blockxsize": 16 * int(rng.integers(1, 5)), "blockysize": 32}
    elif often(rng, 0.5):
        options["blockysize"] = int(rng.integers(1, shape[1] + 1))
    widths = {"uint8": (1, 8), "uint16": (9, 16), "uint32": (17, 32), "float32": (16, 17)}
    if dtype in widths and compression in (None, "DEFLATE", "LZW") and often(rng, 0.25):
        options["nbits"] = int(rng.integers(*widths[dtype]))
        options.pop("predictor", None)
    options |= {name: "YES" for name in ("sparse_ok", "bigtiff") if often(rng, 0.25)}
    options["endianness"] = pick(rng, ("LITTLE", "LITTLE", "BIG"))
    if options.get("nbits") == 24:
        options["endianness"] = "LITTLE"  # libtiff swaps what GDAL has packed highest bit first
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype=dtype,
        count=shape[0],
        height=shape[1],
        width=shape[2],
        crs=CRS.from_epsg(int(pick(rng, (4326, 32633, 3857, 3035)))),
        transform=from_origin(10, 50, 0.5, 0.25),
        nodata=pick(rng, (None, None, 0, 1)),
        **options,
    ) as raster:
        for band in range(1, shape[0] + 1):
            values = _values(rng, dtype, shape[1:])
            if "nbits" in options and values.dtype.kind == "u":
                values %= values.dtype.type(1 << options["nbits"])
            if often(rng, 0.3):
                values[shape[1] // 2 :] = 0
            raster.write(values, band)
        if often(rng, 0.2):
            raster.write_mask(rng.random(shape[1:]) < 0.5)
    if often(rng, 0.3):
        with rasterio.open(path, "r+") as raster:
            raster.build_overviews([2, 4], Resampling.nearest)


if __name__ == "__main__":
    logging.disable()
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_by_seeds(write_any, ".tif")
