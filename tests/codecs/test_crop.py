"""Padded chunks in the middle of a rectilinear grid, read by zarr in both pipelines."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from codec_witness import PIPELINES
from virtualizarr.codecs.crop import CropCodec
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

STORED = np.arange(160, dtype="<i4").reshape(40, 4)


def write(root: Path, shape: list[int], grid: dict[str, Any], crop: dict[str, Any]) -> str:
    codecs = [
        {"name": "virtualizarr.crop", "configuration": crop},
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "numcodecs.zlib", "configuration": {"level": 1}},
    ]
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "int32",
        "chunk_grid": grid,
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": -1,
        "codecs": codecs,
        "attributes": {},
    }
    (root / "zarr.json").write_text(json.dumps(metadata))
    return str(root)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_rectilinear(tmp_path: Path, pipeline: str) -> None:
    """25 rows in chunks of 10, and 10 rows of another file behind them."""
    shapes = {"kind": "inline", "chunk_shapes": [[10, 10, 5, 10], [4]]}
    grid = {"name": "rectilinear", "configuration": shapes}
    place = write(tmp_path, [35, 4], grid, {"stored_shape": [10, 4]})
    for at in range(4):
        chunk = zlib.compress(STORED[at * 10 : at * 10 + 10].tobytes())
        (tmp_path / f"c.{at}.0").write_bytes(chunk)
    expected = np.concatenate([STORED[:25], STORED[30:]])
    with zarr.config.set({"array.rectilinear_chunks": True, "codec_pipeline.path": pipeline}):
        array = zarr.open_array(place, mode="r")
        assert np.array_equal(np.asarray(array[...]), expected)
        assert np.array_equal(np.asarray(array[22:28, 1:3]), expected[22:28, 1:3])
        assert np.array_equal(np.asarray(array[24]), expected[24])
        (tmp_path / "c.2.0").unlink()
        assert (np.asarray(array[20:25]) == -1).all()


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_regular_with_offset(tmp_path: Path, pipeline: str) -> None:
    grid = {"name": "regular", "configuration": {"chunk_shape": [5, 2]}}
    place = write(tmp_path, [10, 4], grid, {"stored_shape": [10, 4], "offset": [2, 1]})
    for key in ("c.0.0", "c.0.1", "c.1.0", "c.1.1"):
        (tmp_path / key).write_bytes(zlib.compress(STORED[:10].tobytes()))
    with zarr.config.set({"codec_pipeline.path": pipeline}):
        values = np.asarray(zarr.open_array(place, mode="r")[...])
    assert np.array_equal(values, np.tile(STORED[2:7, 1:3], (2, 2)))


def test_metadata_round_trip() -> None:
    for configuration in ({"stored_shape": [3, 4]}, {"stored_shape": [3], "offset": [1]}):
        data = {"name": "virtualizarr.crop", "configuration": configuration}
        assert CropCodec.from_dict(data).to_dict() == data


@pytest.mark.parametrize(
    "configuration",
    [{}, {"stored_shape": 3}, {"stored_shape": [3], "offset": [1, 2]}, {"stored_shape": [-1]},
     {"stored_shape": [3], "more": 1}],
)  # fmt: skip
def test_metadata_that_mean_nothing(configuration: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError, match="crop"):
        CropCodec.from_dict({"name": "virtualizarr.crop", "configuration": configuration})


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    grid = {"name": "regular", "configuration": {"chunk_shape": [5, 2]}}
    place = write(tmp_path, [10, 4], grid, {"stored_shape": [10, 4], "offset": [6, 1]})
    (tmp_path / "c.0.0").write_bytes(zlib.compress(STORED[:10].tobytes()))
    with pytest.raises(CorruptFileError, match="does not lie within"):
        zarr.open_array(place, mode="r")[...]
    write(tmp_path, [10, 4], grid, {"stored_shape": [10]})
    with pytest.raises(CorruptFileError, match="array of shape"):
        zarr.open_array(place, mode="r")


def test_writing_is_refused(tmp_path: Path) -> None:
    grid = {"name": "regular", "configuration": {"chunk_shape": [5, 2]}}
    place = write(tmp_path, [10, 4], grid, {"stored_shape": [10, 4]})
    with pytest.raises(UnsupportedFeatureError, match="does not write"):
        zarr.open_array(place, mode="r+")[:5] = 1
