"""1,000 chunks of about 105 kB (zlib and shuffle) read from a local file; the floor is h5py.

Read by zarr as it comes, by zarr with its fused pipeline, and by xarray with our engine.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case_file import CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work

COUNTS = (25, 100, 1000)
FILE = CaseFile("reading_{}_chunks.h5")
HOW = ("zarr", "zarr fused", "xarray")


def _path(data: Path, case: str) -> Path:
    return FILE.path(data, case.split()[0])


def make(data: Path, case: str) -> None:
    made_whole(_path(data, case), lambda part: write(part, int(case.split()[0])))


def write(path: Path, count: int) -> None:
    """Write `count` compressed chunks of noise with one decimal."""
    import h5py

    with h5py.File(path, "w") as f:
        made = f.create_dataset(
            "v", (count, 200, 250), "f4", chunks=(1, 200, 250), compression=4, shuffle=True
        )
        for i in range(count):
            made[i] = np.random.default_rng(i).normal(280, 5, (200, 250)).round(1)


def ours(data: Path, case: str) -> Work:
    import xarray as xr
    import zarr

    import virtualizarr

    path = _path(data, case)
    if case.endswith("xarray"):
        options: dict[str, Any] = {
            "engine": "virtualizarr",
            "virtual": False,
            "chunks": None,
            "cache": False,
        }
        return lambda: xr.open_dataset(path, **options)["v"].values
    if case.endswith("fused"):
        zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.FusedCodecPipeline"})
    return lambda: _all(zarr.open_array(virtualizarr.open_store(path), path="v", mode="r"))


def virtualizarr_2(data: Path, case: str) -> Work:
    import zarr

    from benchmarks import references
    from virtualizarr.parsers import HDFParser

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    return lambda: _all(zarr.open_array(HDFParser()(url, registry), path="v", mode="r"))


def h5py(data: Path, case: str) -> Work:
    import h5py

    path = _path(data, case)

    def read() -> Any:
        with h5py.File(path) as f:
            return f["v"][...]

    return read


def _all(array: Any) -> Any:
    return array[...]


def found(result: Any, side: str) -> Any:
    return [list(result.shape), zlib.crc32(result)]


ROW = Row(
    title=__doc__.splitlines()[0],
    cases=tuple(
        Case(
            f"{count} chunks, {how}",
            (Target(1.15, "h5py"),),
            how,
            count,
            quick=count <= 100,
            slow=("VirtualiZarr",) if count == 100 else (),
            skip=() if how == "zarr" else ("VirtualiZarr",),
        )
        for how in HOW
        for count in COUNTS
    ),
    make=make,
    sides={"ours": ours, "h5py": h5py, "VirtualiZarr": virtualizarr_2},
    found=found,
)
