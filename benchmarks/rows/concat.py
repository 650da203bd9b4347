"""xr.concat of 1,000 virtual datasets of 10 variables; and only joining their arrays."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import references
from benchmarks.cases import Case, Row, Target, Work

VARIABLES = 10
ALONE = ("xarray alone",)
ARRAYS = 0.03 / 0.1


def _pieces(count: int) -> Iterator[list[Any]]:
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
        manifest = ChunkManifest.from_arrays(
            paths=np.full((2, 1, 1), f"file:///archive/{i:05}.nc", np.dtypes.StringDType()),
            offsets=np.array([i * 10**6, (i + 1) * 10**6], np.uint64).reshape(2, 1, 1),
            lengths=np.full((2, 1, 1), 777600, np.uint64),
        )
        yield [ManifestArray(metadata=metadata, chunkmanifest=manifest) for _ in range(VARIABLES)]


def manifests(data: Path, case: str) -> Work:
    kind, count = case.split()
    pieces = list(_pieces(int(count)))
    if kind == "arrays":
        columns = list(zip(*pieces, strict=True))
        return lambda: [np.concatenate(column, axis=0) for column in columns]
    return _joining(pieces)


def xarray_alone(data: Path, case: str) -> Work:
    count = int(case.split()[1])
    return _joining([[_Nothing((24, 90, 180)) for _ in range(VARIABLES)] for _ in range(count)])


def _joining(pieces: Sequence[Sequence[Any]]) -> Work:
    import xarray as xr

    dims = ("time", "lat", "lon")
    datasets = [
        xr.Dataset({f"v{v}": (dims, array) for v, array in enumerate(arrays)}) for arrays in pieces
    ]
    return lambda: xr.concat(
        datasets,
        "time",
        coords="minimal",
        compat="override",
        data_vars="minimal",
        join="override",
    )


class _Nothing:
    """An array without values, which costs nothing to join: what remains is xarray."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.dtype = np.dtype("f4")
        self.ndim = len(shape)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.concatenate:
            return _Nothing((sum(each.shape[0] for each in args[0]), *self.shape[1:]))
        if func is np.result_type:
            return self.dtype
        return NotImplemented

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        return NotImplemented

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("no values")

    def __getitem__(self, key: Any) -> Any:
        return self


def found(result: Any, side: str) -> Any:
    if side == "xarray alone":
        return None
    if isinstance(result, list):
        return [references.of_manifest(array.manifest) for array in result]
    return references.of_dataset(result)


ROW = Row(
    title=__doc__ + " `xarray alone` joins arrays that hold nothing.",
    cases=(
        Case("datasets 100", series="datasets", size=100),
        Case("datasets 1000", (Target(0.55 / 0.65, "VirtualiZarr"),), "datasets", 1000),
        Case("arrays 100", (), "arrays", 100, skip=ALONE),
        Case("arrays 1000", (Target(ARRAYS, "VirtualiZarr"),), "arrays", 1000, skip=ALONE),
    ),
    sides={"ours": manifests, "VirtualiZarr": manifests, "xarray alone": xarray_alone},
    here=("xarray alone",),
    found=found,
)
