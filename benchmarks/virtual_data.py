"""Virtual datasets made of nothing but references, alike for us and for VirtualiZarr 2."""

from __future__ import annotations

from typing import Any

import numpy as np

COUNTS = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000, "10M": 10_000_000}
FILES = 1000
CHUNK = (2, 2, 2)
ZLIB = ({"name": "numcodecs.zlib", "configuration": {"level": 4}},)


def chunk_manifest(
    count: int, prefix: str = "s3://bucket/archive/", step: int = 1000, shortest: int = 500
) -> Any:
    """Return a manifest of `count` chunks in `FILES` files, `step` bytes apart.

    The grid has a plane of chunks for each file; their lengths are `shortest` to `step`.
    """
    from virtualizarr.manifests import ChunkManifest

    grid = (FILES, 10, count // FILES // 10)
    names = [f"{prefix}{i:04}.nc" for i in range(FILES)]
    files = np.array(names, np.dtypes.StringDType())
    lengths = np.random.default_rng(0).integers(shortest, step, count, np.uint64, endpoint=True)
    return ChunkManifest.from_arrays(
        paths=np.broadcast_to(files[:, None, None], grid).copy(),
        offsets=(np.arange(count, dtype=np.uint64) * step).reshape(grid),
        lengths=lengths.reshape(grid),
    )


def dataset_of(manifest: Any, codecs: tuple[dict[str, Any], ...] = ZLIB) -> Any:
    """Return the dataset of one variable with this manifest."""
    import xarray as xr

    import virtualizarr  # noqa: F401 -- registers the accessor
    from virtualizarr.manifests import ManifestArray
    from virtualizarr.manifests.utils import create_v3_array_metadata

    grid = manifest.shape_chunk_grid
    metadata = create_v3_array_metadata(
        shape=tuple(n * size for n, size in zip(grid, CHUNK, strict=True)),
        data_type=np.dtype("float32"),
        chunk_shape=CHUNK,
        codecs=[{"name": "bytes", "configuration": {"endian": "little"}}, *codecs],
        fill_value=0.0,
    )
    array = ManifestArray(metadata=metadata, chunkmanifest=manifest)
    return xr.Dataset({"v": (("time", "lat", "lon"), array)})


def dataset(count: int) -> Any:
    """Return a dataset of one variable of `count` chunks in `FILES` files."""
    return dataset_of(chunk_manifest(count))
