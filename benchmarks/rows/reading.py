"""1,000 chunks of about 105 kB (zlib and shuffle) read from a local file; the peer is h5py."""

import time
from pathlib import Path

import numpy as np

CASES = {"250 chunks": None, "1000 chunks": 1.15}
QUICK = {"250 chunks": None}
SIZES = {case: ("chunks", int(case.split()[0])) for case in CASES}
REPEAT = 3


def _name(case: str) -> str:
    return f"reading_{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    import h5py

    path, count = data / _name(case), int(case.split()[0])
    if path.exists():
        return
    with h5py.File(path, "w") as f:
        made = f.create_dataset(
            "v", (count, 200, 250), "f4", chunks=(1, 200, 250), compression=4, shuffle=True
        )
        for i in range(count):
            made[i] = np.random.default_rng(i).normal(280, 5, (200, 250)).round(1)


def ours(data: Path, case: str):
    import zarr

    import virtualizarr

    zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.FusedCodecPipeline"})
    start = time.process_time()
    store = virtualizarr.open_store(data / _name(case))
    values = zarr.open_group(store, mode="r")["v"][...]
    return values, time.process_time() - start


def peer(data: Path, case: str):
    import h5py

    start = time.process_time()
    with h5py.File(data / _name(case)) as f:
        return f["v"][...], time.process_time() - start


def found(result, side):
    return float(result[0].sum(dtype="f8"))


def extra(result, side):
    return {"seconds": result[1]}
