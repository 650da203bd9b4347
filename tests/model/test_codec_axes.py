"""Codecs that name axes follow the axes: zarr reads back what numpy gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from materialize import values_of
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray

VALUES = np.arange(48, dtype="i4").reshape(6, 8)


def written(**options: Any) -> ManifestArray:
    """Return an array that zarr wrote, its chunks held inline."""
    store: dict[str, Any] = {}
    array = zarr.create_array(MemoryStore(store), shape=(6, 8), dtype="i4", **options)
    array[...] = VALUES
    metadata = ArrayMetadata.from_json(array.metadata.to_dict())
    entries = {}
    for key, value in store.items():
        if key.startswith("c/"):
            data = value.to_bytes()
            entries[key] = {"path": "__inlined__", "offset": 0, "length": len(data), "data": data}
    return ManifestArray(metadata, ChunkManifest(entries, metadata.grid_shape, "/"))


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (3, 4)},
        {"chunks": (3, 4), "filters": [zarr.codecs.TransposeCodec(order=(1, 0))]},
        {"chunks": (1, 2), "shards": (3, 4)},
        {"chunks": (1, 8), "shards": (1, 8)},
        {"chunks": (1, 2), "shards": (3, 4), "filters": [zarr.codecs.TransposeCodec(order=(1, 0))]},
    ],
)
def test_axes_come_go_and_move(options: dict[str, Any]) -> None:
    array: Any = written(**options)
    for change in (
        lambda a: a,
        lambda a: np.transpose(a),
        lambda a: np.transpose(np.transpose(a)),
        lambda a: np.expand_dims(a, (0, 2)),
        lambda a: np.moveaxis(np.expand_dims(a, 1), 0, 2),
        lambda a: np.squeeze(np.transpose(np.expand_dims(a, 1), (2, 1, 0))),
        lambda a: np.stack([a, a], axis=2),
        lambda a: np.concatenate([np.transpose(a), np.transpose(a)]),
        lambda a: np.broadcast_to(np.transpose(a), (2, 8, 6)),
    ):
        try:
            changed = change(array)
        except UnsupportedFeatureError as error:
            assert "shards cannot be transposed" in str(error)  # noqa: PT017
            assert "shards" in options
            continue
        np.testing.assert_array_equal(values_of(changed), change(VALUES))


def test_moving_an_axis_of_single_elements_needs_no_codec() -> None:
    array: Any = written(chunks=(1, 4))
    assert np.transpose(array).metadata.codecs == array.metadata.codecs
    wide: Any = written(chunks=(3, 4))
    assert np.transpose(wide).metadata.codecs[0]["name"] == "transpose"
    assert np.transpose(np.transpose(wide)).metadata.codecs == wide.metadata.codecs
