"""Arrays read on demand: how zarr is set up to read them."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

import virtualizarr
from virtualizarr.datasets.lazy import LazyArray
from virtualizarr.model import ManifestGroup
from virtualizarr.store import ManifestStore

SETTING = "codec_pipeline.path"
BATCHED = "zarr.core.codec_pipeline.BatchedCodecPipeline"
VALUES = np.arange(120, dtype="f4").reshape(10, 12)


@pytest.fixture
def group(tmp_path: Path) -> ManifestGroup:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=VALUES, chunks=(1, 12), compression=1, shuffle=True)
    return virtualizarr.parse(tmp_path / "x.h5")


def opened(group: ManifestGroup) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.generic]], str]:
    """Return the values of `x` and the name of the pipeline that decoded them."""
    array = LazyArray(group.arrays["x"], ManifestStore(group), "x")
    read = pickle.loads(pickle.dumps(array))._open()
    return read[...], type(read._async_array.codec_pipeline).__name__


def test_local_files_are_read_by_the_fused_pipeline(group: ManifestGroup) -> None:
    before = zarr.config.get(SETTING)
    values, pipeline = opened(group)
    np.testing.assert_array_equal(values, VALUES)
    assert pipeline == "FusedCodecPipeline"
    assert zarr.config.get(SETTING) == before == BATCHED


def test_remote_files_are_read_many_chunks_at_a_time(group: ManifestGroup) -> None:
    remote = group.map_arrays(lambda array: array.rename_paths("s3://bucket/x.h5"))
    array = LazyArray(remote.arrays["x"], ManifestStore(remote), "x")
    assert type(array._open()._async_array.codec_pipeline).__name__ == "BatchedCodecPipeline"


class OwnPipeline(zarr.registry.get_pipeline_class()):
    """A pipeline that a user prefers."""


def test_a_pipeline_that_the_user_chose_is_kept(group: ManifestGroup) -> None:
    zarr.registry.register_pipeline(OwnPipeline)
    name = f"{OwnPipeline.__module__}.{OwnPipeline.__qualname__}"
    with zarr.config.set({SETTING: name}):
        values, pipeline = opened(group)
    np.testing.assert_array_equal(values, VALUES)
    assert pipeline == "OwnPipeline"
