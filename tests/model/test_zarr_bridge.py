"""Our descriptions and zarr-python's say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.building import Archive
from virtualizarr.model import ArrayMetadata, ManifestArray
from virtualizarr.model.zarr_bridge import (
    create_v3_array_metadata,
    from_zarr_metadata,
    to_zarr_metadata,
)

DTYPES = ["i2", ">i4", "f4", ">f8", "u1", "bool", "c8", "M8[ns]", "m8[10s]", "S5", "U3", "V4", "T"]


@pytest.mark.parametrize("name", DTYPES)
def test_round_trip(name: str) -> None:
    dtype = np.dtypes.StringDType() if name == "T" else np.dtype(name)
    metadata = ArrayMetadata.create(
        shape=(3, 4), dtype=dtype, chunk_shape=(2, 4), attributes={"units": "K"}
    )
    there = to_zarr_metadata(metadata)
    assert there.shape == (3, 4)
    assert from_zarr_metadata(there).to_json() == metadata.to_json()


def test_compound_and_rectilinear_round_trip() -> None:
    archive = Archive()
    compound = np.dtype([("a", "i4"), ("b", "f8")])
    metadata = ArrayMetadata.create(shape=(3,), dtype=compound, chunk_shape=(2,))
    assert from_zarr_metadata(to_zarr_metadata(metadata)).dtype == compound
    months: Any = [archive.store(np.zeros(n, "i2"), (n,)) for n in (31, 28)]
    joined = np.concatenate(months).metadata
    assert from_zarr_metadata(to_zarr_metadata(joined)) == joined


def test_metadata_of_a_third_party_parser() -> None:
    zlib = {"name": "numcodecs.zlib", "configuration": {"level": 1}}
    shift = {"name": "numcodecs.delta", "configuration": {"dtype": "<i4"}}
    metadata = create_v3_array_metadata(
        shape=(4,),
        data_type=np.dtype(">i4"),
        chunk_shape=(2,),
        chunk_key_encoding={"name": "default", "configuration": {"separator": "."}},
        codecs=[shift, zlib],
        fill_value=-1,
        attributes={"scale": 2},
        dimension_names=["x"],
    )
    assert metadata.fill_value == -1
    entry = {"path": "s3://b/f", "offset": 0, "length": 8}
    array = ManifestArray(metadata, {"0": entry, "1": {**entry, "offset": 8}})
    assert array.chunks == (2,)
    assert [codec["name"] for codec in array.metadata.codecs] == [
        "numcodecs.delta",
        "bytes",
        "numcodecs.zlib",
    ]
    assert array.metadata.codecs[1]["configuration"] == {"endian": "big"}
    assert array.metadata.dimension_names == ("x",)
    same = ManifestArray(metadata.to_dict(), array.manifest)
    assert same.metadata == array.metadata
