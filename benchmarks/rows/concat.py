"""xr.concat of 1,000 virtual datasets of 10 variables."""

from pathlib import Path

import numpy as np

from benchmarks import references

CASES = {"250 files": None, "1000 files": None}
QUICK = {"1000 files": None}
SIZES = {"250 files": ("files", 250), "1000 files": ("files", 1000)}
REPEAT = 2


def make(data: Path, case: str) -> None:
    pass


def _datasets(count: int):
    import xarray as xr

    from virtualizarr.manifests import ChunkManifest, ManifestArray
    from virtualizarr.manifests.utils import create_v3_array_metadata

    metadata = create_v3_array_metadata(
        shape=(24, 90, 180),
        data_type=np.dtype("float32"),
        chunk_shape=(12, 90, 180),
        codecs=[{"name": "bytes", "configuration": {"endian": "little"}}],
        fill_value=0.0,
    )
    for i in range(count):
        variables = {}
        for v in range(10):
            manifest = ChunkManifest.from_arrays(
                paths=np.full((2, 1, 1), f"file:///archive/{i:05}.nc", np.dtypes.StringDType()),
                offsets=np.array([v * 10**6, v * 10**6 + 777600], np.uint64).reshape(2, 1, 1),
                lengths=np.full((2, 1, 1), 777600, np.uint64),
            )
            array = ManifestArray(metadata=metadata, chunkmanifest=manifest)
            variables[f"v{v}"] = (("time", "lat", "lon"), array)
        yield xr.Dataset(variables)


_made = {}


def _concat(case: str):
    import time

    import xarray as xr

    count = int(case.split()[0])
    if count not in _made:
        _made[count] = list(_datasets(count))
    start = time.process_time()
    joined = xr.concat(
        _made[count],
        "time",
        coords="minimal",
        compat="override",
        data_vars="minimal",
        join="override",
    )
    return joined, time.process_time() - start


def ours(data: Path, case: str):
    return _concat(case)


peer = ours


def found(result, side):
    return references.of_dataset(result[0])


def extra(result, side):
    dataset, seconds = result
    facts = {"seconds": seconds}
    if side == "ours":
        per_reference = dataset.virtualize.nbytes / dataset.virtualize.nrefs()
        facts["bytes_per_reference"] = round(per_reference, 2)
    return facts
