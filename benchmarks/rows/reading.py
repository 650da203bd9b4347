"""1,000 chunks of about 105 kB (zlib and shuffle) read from a local file; the floor is h5py.

Read by zarr as it comes, by zarr with its fused pipeline, and by xarray with our engine.
"""

import zlib
from pathlib import Path

import numpy as np

from benchmarks.cases import Case, Row, Target

COUNTS = (250, 1000)
HOW = ("zarr", "zarr fused", "xarray")


def _path(data: Path, case: str) -> Path:
    return data / f"reading_{case.split()[0]}_chunks.h5"


def make(data: Path, case: str) -> None:
    import h5py

    path, count = _path(data, case), int(case.split()[0])
    if path.exists():
        return
    with h5py.File(path, "w") as f:
        made = f.create_dataset(
            "v", (count, 200, 250), "f4", chunks=(1, 200, 250), compression=4, shuffle=True
        )
        for i in range(count):
            made[i] = np.random.default_rng(i).normal(280, 5, (200, 250)).round(1)


def ours(data: Path, case: str):
    import xarray as xr
    import zarr

    import virtualizarr

    path = _path(data, case)
    if case.endswith("xarray"):
        options = {"engine": "virtualizarr", "virtual": False, "chunks": None, "cache": False}
        return lambda: xr.open_dataset(path, **options)["v"].values
    if case.endswith("fused"):
        zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.FusedCodecPipeline"})
    return lambda: zarr.open_group(virtualizarr.open_store(path), mode="r")["v"][...]


def virtualizarr_2(data: Path, case: str):
    import zarr

    from benchmarks import references
    from virtualizarr.parsers import HDFParser

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    return lambda: zarr.open_group(HDFParser()(url, registry), mode="r")["v"][...]


def h5py(data: Path, case: str):
    import h5py

    path = _path(data, case)

    def read():
        with h5py.File(path) as f:
            return f["v"][...]

    return read


def found(result, side: str):
    return [list(result.shape), zlib.crc32(result)]


ROW = Row(
    title=__doc__.splitlines()[0],
    cases=tuple(
        Case(
            f"{count} chunks, {how}",
            (Target(1.15, "h5py"),),
            how,
            count,
            quick=count == COUNTS[0],
            skip=() if how == "zarr" else ("VirtualiZarr",),
        )
        for how in HOW
        for count in COUNTS
    ),
    make=make,
    sides={"ours": ours, "h5py": h5py, "VirtualiZarr": virtualizarr_2},
    found=found,
    repeat=3,
)
