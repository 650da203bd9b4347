"""Raw rasters written by GDAL, and what GDAL reads from files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil

SHAPE = (3, 7, 11)
TRANSFORM = rasterio.Affine(30.0, 0.0, 440720.0, 0.0, -20.0, 3751320.0)

ENDINGS = {
    "ENVI": ".img",
    "EHdr": ".bil",
    "ISIS3": ".cub",
    "PDS4": ".xml",
    "ROI_PAC": ".dem",
    "VICAR": ".vic",
}


def numbers(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    """Return numbers of all sizes; complex ones where the dtype is complex."""
    random = np.random.default_rng(seed)
    kind = np.dtype(dtype).kind
    if kind == "c":
        return (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(dtype)
    if kind == "f":
        return random.normal(size=shape).astype(dtype)
    bounds = np.iinfo(dtype)
    return random.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)


def runs(shape: tuple[int, ...], dtype: str) -> Any:
    """Return numbers with runs of all lengths, small and large steps."""
    random = np.random.default_rng(3)
    steps = random.choice((0, 0, 0, 0, 1, -1, 3, -3, 7, 200), size=shape)
    steps[:, 1::3] = np.where(random.random(steps[:, 1::3].shape) < 0.005, 5, 0)
    return np.cumsum(steps, axis=2).astype(dtype)


def written(
    path: Path, driver: str, values: Any, nodata: float | None = None, **options: Any
) -> Path:
    """Write bands, lines and samples with a driver of GDAL."""
    if "COMPRESS" in options:
        return copied(path, driver, values, **options)
    bands, lines, samples = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path,
            "w",
            driver=driver,
            count=bands,
            height=lines,
            width=samples,
            dtype=values.dtype.name,
            nodata=nodata,
            **options,
        ) as dataset:
            dataset.write(values)
    return path


def copied(path: Path, driver: str, values: Any, **options: Any) -> Path:
    """Write a file that GDAL makes only as a copy of another one."""
    plain = written(path.with_name(f"{path.stem}_plain.tif"), "GTiff", values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rasterio.shutil.copy(plain, path, driver=driver, **options)
    plain.unlink()
    return path


def read(path: Path) -> Any:
    """Return the values that GDAL reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as dataset:
            return dataset.read()


def facts(path: Path) -> dict[str, Any]:
    """Return what GDAL says besides values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as dataset:
            return {
                "transform": tuple(dataset.transform)[:6],
                "epsg": dataset.crs.to_epsg() if dataset.crs else None,
                "nodata": dataset.nodata,
                "scales": dataset.scales,
                "offsets": dataset.offsets,
                "names": dataset.descriptions,
            }


def every_layout(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield drivers and files: every dtype and interleave that GDAL writes."""
    plans: dict[str, tuple[tuple[str, ...], tuple[dict[str, Any], ...]]] = {
        "ENVI": (
            ("u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", "c16"),
            tuple({"INTERLEAVE": each} for each in ("bsq", "bil", "bip")),
        ),
        "EHdr": (("u1", "i2", "u2", "i4", "u4", "f4"), ({},)),
        "ISIS3": (
            ("u1", "u2", "i2", "f4"),
            (
                {"DATA_LOCATION": "LABEL"},
                {"DATA_LOCATION": "EXTERNAL"},
                {"TILED": "YES", "BLOCKXSIZE": "8", "BLOCKYSIZE": "5"},
                {"DATA_LOCATION": "GEOTIFF"},
            ),
        ),
        "PDS4": (
            ("u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8", "c8", "c16"),
            tuple({"INTERLEAVE": each} for each in ("BSQ", "BIL", "BIP")),
        ),
        "VICAR": (
            ("u1", "i2", "i4", "f4", "f8", "c8"),
            ({}, {"COMPRESS": "BASIC"}, {"COMPRESS": "BASIC2"}),
        ),
    }
    for driver, (dtypes, choices) in plans.items():
        for dtype in dtypes:
            for i, options in enumerate(choices):
                if "COMPRESS" in options and np.dtype(dtype).kind not in "iu":
                    continue
                ending = ".lbl" if options.get("DATA_LOCATION") == "EXTERNAL" else ENDINGS[driver]
                if options.get("DATA_LOCATION") == "GEOTIFF":
                    ending = ".lbl"
                path = folder / f"{driver}_{np.dtype(dtype).name}_{i}{ending}"
                values = numbers(SHAPE, dtype, seed=i)
                if "COMPRESS" in options:
                    values = runs((1, 40, 700), dtype)
                yield driver, written(path, driver, values, **options)
