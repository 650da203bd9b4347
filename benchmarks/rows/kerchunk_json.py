"""One million references written as kerchunk JSON, and read back."""

import time
from pathlib import Path

import numpy as np

from benchmarks import references

CASES = {"write 100k": None, "write 1M": 1 / 8, "read 100k": None, "read 1M": 1 / 10}
QUICK = {"write 100k": None, "read 100k": None}
COUNTS = {"100k": 100_000, "1M": 1_000_000}
SIZES = {case: (case.split()[0], COUNTS[case.split()[1]]) for case in CASES}
REPEAT = 2


def make(data: Path, case: str) -> None:
    verb, size = case.split()
    path = data / f"references_{size}.json"
    if verb == "read" and not path.exists():
        _dataset(COUNTS[size]).virtualize.to_kerchunk(path, format="json")


def _dataset(count: int):
    import xarray as xr

    import virtualizarr  # noqa: F401 -- registers the accessor
    from virtualizarr.manifests import ChunkManifest, ManifestArray
    from virtualizarr.manifests.utils import create_v3_array_metadata

    grid = (count // 1000, 10, 100)
    metadata = create_v3_array_metadata(
        shape=tuple(2 * n for n in grid),
        data_type=np.dtype("float32"),
        chunk_shape=(2, 2, 2),
        codecs=[
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "numcodecs.zlib", "configuration": {"level": 4}},
        ],
        fill_value=0.0,
    )
    files = np.array(
        [f"s3://bucket/archive/{i:04}.nc" for i in range(grid[0])], np.dtypes.StringDType()
    )
    manifest = ChunkManifest.from_arrays(
        paths=np.broadcast_to(files[:, None, None], grid).copy(),
        offsets=(np.arange(count, dtype=np.uint64) * 1000).reshape(grid),
        lengths=np.full(grid, 900, np.uint64),
    )
    array = ManifestArray(metadata=metadata, chunkmanifest=manifest)
    return xr.Dataset({"v": (("time", "lat", "lon"), array)})


def _write(data: Path, case: str, side: str):
    dataset = _dataset(COUNTS[case.split()[1]])
    target = data / f"written_{side}.json"
    start = time.process_time()
    dataset.virtualize.to_kerchunk(str(target), format="json")
    return dataset, time.process_time() - start


def ours(data: Path, case: str):
    verb, size = case.split()
    if verb == "write":
        return _write(data, case, "ours")
    import virtualizarr

    start = time.process_time()
    group = virtualizarr.parse(data / f"references_{size}.json")
    return group, time.process_time() - start


def peer(data: Path, case: str):
    verb, size = case.split()
    if verb == "write":
        return _write(data, case, "peer")
    from virtualizarr.parsers import KerchunkJSONParser

    start = time.process_time()
    url = f"file://{data}/references_{size}.json"
    group = KerchunkJSONParser()(url, references.peer_registry())._group
    return group, time.process_time() - start


def found(result, side):
    if hasattr(result[0], "variables"):
        return references.of_dataset(result[0])
    return {name: references.of_manifest(a.manifest) for name, a in result[0].arrays.items()}


def extra(result, side):
    return {"seconds": result[1]}
