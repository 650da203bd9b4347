"""Chunks that libhdf5 wrote, put as they are into Zarr arrays behind the codecs under test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr

from shared_data import SHARED_DATA
from virtualizarr.codecs.hdf5_filters import HDF5Filter, filter_codecs
from virtualizarr.codecs.names import CodecJSON, to_numcodecs

PIPELINES = (
    "zarr.core.codec_pipeline.BatchedCodecPipeline",
    "zarr.core.codec_pipeline.FusedCodecPipeline",
)
SHARED = SHARED_DATA


def filters_of(dataset: h5py.Dataset) -> list[HDF5Filter]:
    """Return the filter pipeline of a dataset as h5py reports it."""
    plist = dataset.id.get_create_plist()
    found = (plist.get_filter(at) for at in range(plist.get_nfilters()))
    return [(number, flags, name.decode(), values) for number, flags, values, name in found]


def raw_chunks(dataset: h5py.Dataset) -> dict[tuple[int, ...], tuple[int, bytes]]:
    """Return filter mask and stored bytes of each chunk, by its place in the chunk grid."""
    chunks = {}
    for at in range(dataset.id.get_num_chunks()):
        offset = dataset.id.get_chunk_info(at).chunk_offset
        place = tuple(o // c for o, c in zip(offset, dataset.chunks, strict=True))
        chunks[place] = dataset.id.read_direct_chunk(offset)
    return chunks


def dtype_of(dataset: h5py.Dataset) -> np.dtype[Any]:
    return np.dtype(dataset.dtype)


def write_v3(
    root: Path,
    dataset: h5py.Dataset,
    codecs: Sequence[CodecJSON],
    chunks: dict[tuple[int, ...], tuple[int, bytes]],
) -> Path:
    """Write a Zarr v3 array whose chunks are the raw HDF5 chunks; return its directory."""
    dtype = dtype_of(dataset)
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(dataset.shape),
        "data_type": dtype.name,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": list(dataset.chunks)},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": 0,
        "codecs": [
            {
                "name": "bytes",
                "configuration": {"endian": "big" if dtype.byteorder == ">" else "little"},
            },
            *codecs,
        ],
        "attributes": {},
    }
    root.mkdir(parents=True)
    (root / "zarr.json").write_text(json.dumps(metadata))
    for place, (_mask, data) in chunks.items():
        (root / ".".join(["c", *map(str, place)])).write_bytes(data)
    return root


def write_v2(
    root: Path,
    dataset: h5py.Dataset,
    codecs: Sequence[CodecJSON],
    chunks: dict[tuple[int, ...], tuple[int, bytes]],
) -> Path:
    """Write the same as Zarr v2."""
    dtype = dtype_of(dataset)
    nbytes = int(np.prod(dataset.chunks)) * dtype.itemsize
    configs = [to_numcodecs(codec, itemsize=dtype.itemsize, nbytes=nbytes) for codec in codecs]
    metadata = {
        "zarr_format": 2,
        "shape": list(dataset.shape),
        "chunks": list(dataset.chunks),
        "dtype": dtype.str,
        "fill_value": 0,
        "order": "C",
        "filters": configs[:-1] if len(configs) > 1 else None,
        "compressor": configs[-1] if configs else None,
    }
    root.mkdir(parents=True)
    (root / ".zarray").write_text(json.dumps(metadata))
    (root / ".zattrs").write_text("{}")
    for place, (_mask, data) in chunks.items():
        (root / ".".join(map(str, place))).write_bytes(data)
    return root


def readings(
    root: Path, dataset: h5py.Dataset, before: Sequence[CodecJSON] = ()
) -> dict[str, np.ndarray[Any, Any]]:
    """Return what zarr reads from the raw chunks: v3 by both pipelines, and v2."""
    codecs = [*before, *filter_codecs(filters_of(dataset), dtype_of(dataset).itemsize)]
    chunks = raw_chunks(dataset)
    assert {mask for mask, _ in chunks.values()} == {0}, "a filter was skipped"
    found: dict[str, np.ndarray[Any, Any]] = {}
    v3 = write_v3(root / "v3", dataset, codecs, chunks)
    for pipeline in PIPELINES:
        with zarr.config.set({"codec_pipeline.path": pipeline}):
            array = zarr.open_array(str(v3), mode="r")
            found[pipeline] = np.asarray(array[...])
    v2 = write_v2(root / "v2", dataset, codecs, chunks)
    found["v2"] = np.asarray(zarr.open_array(str(v2), mode="r", zarr_format=2)[...])
    return found


def assert_reads_like_hdf5(
    root: Path, dataset: h5py.Dataset, before: Sequence[CodecJSON] = ()
) -> None:
    """Compare what zarr reads with what libhdf5 reads, bit for bit."""
    expected = dataset[...]
    for way, values in readings(root, dataset, before).items():
        found = values.astype(expected.dtype)
        assert found.tobytes() == expected.tobytes(), way


def compressible(shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    """Return values with runs and few changes, so that no filter gives up."""
    count = int(np.prod(shape))
    values = np.arange(count) // 19 % 90 + (np.arange(count) % 37 == 0)
    return values.reshape(shape).astype(dtype)


SHAPES = [((500,), (171,)), ((40, 37), (19, 13))]
CASES = list(product(["<i4", ">f8", "<f4", "<u2"], SHAPES))
