"""Import paths and calls of VirtualiZarr 2.x, as parsers written for it use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

import virtualizarr
from virtualizarr.manifests import ChunkManifest, ManifestArray, ManifestGroup, ManifestStore
from virtualizarr.manifests.array import ManifestArray as ManifestArrayByPath
from virtualizarr.manifests.group import ManifestGroup as ManifestGroupByPath
from virtualizarr.manifests.manifest import ChunkManifest as ChunkManifestByPath
from virtualizarr.manifests.store import ManifestStore as ManifestStoreByPath
from virtualizarr.manifests.utils import create_v3_array_metadata

VALUES = np.arange(12, dtype=">i4").reshape(3, 4)


def legacy_parser(url: str, registry: Any) -> ManifestStore:
    """Return a raw file of big-endian numbers, as a third party's parser would."""
    metadata = create_v3_array_metadata(
        shape=(3, 4),
        data_type=np.dtype(">i4"),
        chunk_shape=(1, 4),
        fill_value=-1,
        attributes={"units": "m"},
        dimension_names=["y", "x"],
    )
    entries = {f"{i}.0": {"path": url, "offset": 16 * i, "length": 16} for i in range(3)}
    array = ManifestArray(metadata=metadata, chunkmanifest=ChunkManifest(entries=entries))
    group = ManifestGroup(arrays={"a": array}, attributes={"title": "raw"})
    return ManifestStore(group=group, registry=registry)


def test_the_paths_give_the_same_classes() -> None:
    assert ManifestArrayByPath is ManifestArray
    assert ManifestGroupByPath is ManifestGroup
    assert ManifestStoreByPath is ManifestStore
    assert ChunkManifestByPath is ChunkManifest


def test_a_parser_of_2x_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "numbers.raw"
    path.write_bytes(VALUES.tobytes())
    dataset = virtualizarr.open_virtual_dataset(path, parser=legacy_parser)
    assert dataset.a.attrs == {"units": "m"}
    np.testing.assert_array_equal(dataset.virtualize.open().a.values, VALUES)
    store = virtualizarr.open_store(path, parser=legacy_parser)
    np.testing.assert_array_equal(zarr.open_array(store, path="a", mode="r")[:], VALUES)


def test_codecs_are_put_in_order() -> None:
    zlib = {"name": "numcodecs.zlib", "configuration": {"level": 1}}
    transpose = {"name": "transpose", "configuration": {"order": [1, 0]}}
    metadata = create_v3_array_metadata((3, 4), np.dtype(">i2"), (3, 4), codecs=[transpose, zlib])
    codecs = metadata.to_dict()["codecs"]
    assert [codec["name"] for codec in codecs] == ["transpose", "bytes", "numcodecs.zlib"]
    assert codecs[1]["configuration"] == {"endian": "big"}
