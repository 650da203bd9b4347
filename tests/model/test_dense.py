"""Loaded arrays in one chunk again; the witness is numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import zarr

from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.model.chunks import RegularGrid
from virtualizarr.model.combine import concatenate
from virtualizarr.model.dense import in_one_chunk
from virtualizarr.store import ManifestStore


def inline(values: npt.NDArray[np.generic]) -> ManifestArray:
    metadata = ArrayMetadata.create(
        shape=values.shape, dtype=values.dtype, chunk_shape=values.shape
    )
    manifest = ChunkManifest.inlined(values.tobytes()).reshape_grid(metadata.grid_shape)
    return ManifestArray(metadata, manifest)


@pytest.mark.parametrize("dtype", ["<f8", ">i4", "S3"])
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_pieces_become_one_chunk(dtype: str, shape: tuple[int, ...]) -> None:
    pieces = [np.full((n, *shape), n, dtype) for n in (4, 2, 3)]
    joined = concatenate([inline(piece) for piece in pieces], 0)
    assert not isinstance(joined.metadata.chunk_grid, RegularGrid)
    whole = in_one_chunk(joined)
    assert isinstance(whole.metadata.chunk_grid, RegularGrid)
    root = zarr.open_group(ManifestStore(ManifestGroup({"v": whole})), mode="r")
    np.testing.assert_array_equal(root["v"][...], np.concatenate(pieces))


def test_others_stay() -> None:
    even = concatenate([inline(np.arange(4)), inline(np.arange(4))], 0)
    across = concatenate([inline(np.ones((3, n))) for n in (2, 1, 4)], 1)
    for array in (even, across):
        assert in_one_chunk(array) is array
