"""Datasets whose chunks skipped different filters, as libhdf5 makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from numcodecs import Fletcher32

from codec_witness import PIPELINES, filters_of, raw_chunks, write_v2, write_v3
from virtualizarr.codecs.bounded import bound
from virtualizarr.codecs.hdf5_filters import filter_codecs
from virtualizarr.codecs.optional import Choice
from virtualizarr.errors import CorruptFileError


def test_chunks_that_lzf_could_not_compress(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs")
    values = np.arange(400, dtype="<i4") // 50
    values[100:200] = np.random.default_rng(0).integers(0, 1 << 31, 100)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset(
            "a", data=values, chunks=(100,), compression="lzf", shuffle=True
        )
        file.flush()
        chunks = raw_chunks(dataset)
        assert {mask for mask, _ in chunks.values()} == {0, 2}
        codecs = list(filter_codecs(filters_of(dataset), 4))
        configuration = {"codecs": codecs, "by_length": [[400, [0]]]}
        choice = {"name": "virtualizarr.optional_filters", "configuration": configuration}
        for number, wrapped in enumerate(([choice], bound([choice]))):
            place = write_v3(tmp_path / f"v3-{number}", dataset, wrapped, chunks)
            for pipeline in PIPELINES:
                with zarr.config.set({"codec_pipeline.path": pipeline}):
                    array = zarr.open_array(str(place), mode="r")
                    assert np.array_equal(np.asarray(array[...]), values)
            assert array.metadata.to_dict()["codecs"][1] == wrapped[0]
        place = write_v2(tmp_path / "v2", dataset, [choice], chunks)
        found = zarr.open_array(str(place), mode="r", zarr_format=2)[...]
        assert np.array_equal(np.asarray(found), values)


def test_lengths_that_tell_filter_masks_apart(tmp_path: Path) -> None:
    """One chunk without any filter, one with a checksum only, the others with all three."""
    values = np.arange(500, dtype="<i4") // 7
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset(
            "a", data=values, chunks=(100,), compression="gzip", shuffle=True, fletcher32=True
        )
        file.flush()
        bare = values[100:200].tobytes()
        dataset.id.write_direct_chunk((100,), bare, filter_mask=0b111)
        summed = bytes(Fletcher32().encode(values[200:300].tobytes()))
        dataset.id.write_direct_chunk((200,), summed, filter_mask=0b011)
        assert np.array_equal(dataset[100:300], values[100:300])
        chunks = raw_chunks(dataset)
        assert [mask for mask, _ in chunks.values()] == [0, 7, 3, 0, 0]
        configuration = {
            "codecs": list(filter_codecs(filters_of(dataset), 4)),
            "by_length": [[400, []], [404, [2]]],
        }
        choice = {"name": "virtualizarr.optional_filters", "configuration": configuration}
        place = write_v3(tmp_path / "v3", dataset, [choice], chunks)
        assert np.array_equal(np.asarray(zarr.open_array(str(place), mode="r")[...]), values)


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"codecs": [], "by_length": []},
        {"codecs": "zlib", "by_length": []},
        {"codecs": [{"name": "virtualizarr.optional_filters"}], "by_length": []},
        {"codecs": [{"name": "zstd"}], "by_length": [[1, [1]]]},
        {"codecs": [{"name": "zstd"}], "by_length": [[1, [0, 0]]]},
        {"codecs": [{"name": "zstd"}], "by_length": [["1", [0]]]},
        {"codecs": [{"name": "zstd"}], "by_length": [3]},
        {"codecs": [{"name": "zstd"}] * 40, "by_length": []},
    ],
)
def test_configurations_that_mean_nothing(configuration: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError, match="optional_filters"):
        Choice.from_configuration(configuration)
