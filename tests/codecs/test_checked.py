"""Broken chunks behind zarr's own codecs: an error of ours, and the right values if not broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec, VLenBytesCodec, VLenUTF8Codec

import virtualizarr
from virtualizarr.errors import CorruptFileError

VALUES = np.arange(24, dtype="<i4").reshape(4, 6)
WORDS = np.array(["é", "a longer one", "", "x"], "T")
PIPELINES = ("BatchedCodecPipeline", "FusedCodecPipeline")

pytestmark = [
    pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning"),
    pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning"),
]


def written(folder: Path, values: Any, **options: Any) -> Path:
    """Write a store of one array in one chunk or shard; return the file of that chunk."""
    root = zarr.open_group(folder / "s.zarr", mode="w", zarr_format=3)
    options = {"chunks": values.shape, "compressors": None, **options}
    root.create_array("v", shape=values.shape, dtype=values.dtype, **options)[...] = values
    (chunk,) = [path for path in (folder / "s.zarr/v/c").rglob("*") if path.is_file()]
    return chunk


def read(chunk: Path) -> Any:
    """Read the array of a chunk's store through ours, by both of zarr's pipelines."""
    store = next(path for path in chunk.parents if path.suffix == ".zarr")
    found = []
    for pipeline in PIPELINES:
        with zarr.config.set({"codec_pipeline.path": f"zarr.core.codec_pipeline.{pipeline}"}):
            found.append(zarr.open_group(virtualizarr.open_store(store), mode="r")["v"][...])
    np.testing.assert_array_equal(*found)
    return found[0]


def assert_corrupt(chunk: Path, data: bytes, message: str) -> None:
    chunk.write_bytes(data)
    for pipeline in PIPELINES:
        with (
            zarr.config.set({"codec_pipeline.path": f"zarr.core.codec_pipeline.{pipeline}"}),
            pytest.raises(CorruptFileError, match=message),
        ):
            read(chunk)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize("dtype", ["<i4", ">f8", "u1", "bool", "S3", "M8[s]"])
def test_chunks_of_another_size(tmp_path: Path, dtype: str) -> None:
    values = np.arange(24).astype("i8").astype(dtype).reshape(4, 6)
    chunk = written(tmp_path, values)
    np.testing.assert_array_equal(read(chunk), values)
    whole = chunk.read_bytes()
    for data in (whole[:-1], whole + b"\0", whole * 2, b"x", whole[: len(whole) // 2]):
        assert_corrupt(chunk, data, "decodes to")


@pytest.mark.parametrize("at", [0, 50, -2])
def test_a_wrong_checksum(tmp_path: Path, at: int) -> None:
    chunk = written(tmp_path, VALUES, compressors=Crc32cCodec())
    np.testing.assert_array_equal(read(chunk), VALUES)
    whole = chunk.read_bytes()
    assert_corrupt(chunk, flipped(whole, at % len(whole)), "checksum")
    assert_corrupt(chunk, whole[:3], "checksum is cut off")


def test_a_wrong_fletcher32(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("v", data=VALUES, chunks=VALUES.shape, fletcher32=True)
        at = made.id.get_chunk_info(0).byte_offset
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, at + 5))
    root = zarr.open_group(virtualizarr.open_store(path), mode="r")
    with pytest.raises(CorruptFileError, match="fletcher32"):
        root["v"][...]


def test_words(tmp_path: Path) -> None:
    chunk = written(tmp_path, WORDS)
    np.testing.assert_array_equal(read(chunk), WORDS)
    whole = chunk.read_bytes()
    many = (1 << 31).to_bytes(4, "little")
    assert_corrupt(chunk, many + whole[4:], "declares 2147483648 elements")
    assert_corrupt(chunk, whole[:4] + many + whole[8:], "varying length are broken")
    assert_corrupt(chunk, whole[:10], "varying length")
    assert_corrupt(chunk, whole[:-1], "varying length are broken")
    assert_corrupt(chunk, b"", "varying length")
    assert_corrupt(chunk, whole.replace("é".encode(), b"\xff\xff"), "varying length are broken")


@pytest.mark.parametrize("compressors", [None, "auto"])
def test_shards(tmp_path: Path, compressors: Any) -> None:
    options = {"shards": VALUES.shape, "chunks": (2, 3), "compressors": compressors}
    chunk = written(tmp_path, VALUES, **options)
    np.testing.assert_array_equal(read(chunk), VALUES)
    whole = chunk.read_bytes()
    for at in range(len(whole) - 68, len(whole)):
        chunk.write_bytes(flipped(whole, at))
        with pytest.raises(CorruptFileError):
            read(chunk)
    assert_corrupt(chunk, b"", "too short|varying")
    assert_corrupt(chunk, whole[-68:], "shard|bytes|chunk")


def test_they_call_themselves_by_the_usual_names(tmp_path: Path) -> None:
    """What was read and is written again names codecs that every reader knows."""
    cases: Sequence[tuple[Any, type, str]] = [
        (VALUES, BytesCodec, "bytes"),
        (WORDS, VLenUTF8Codec, "vlen-utf8"),
        (np.array([b"a", b""], object), VLenBytesCodec, "vlen-bytes"),
    ]
    for values, kind, name in cases:
        dtype = "variable_length_bytes" if values.dtype == object else values.dtype
        root = zarr.open_group(tmp_path / f"{name}.zarr", mode="w", zarr_format=3)
        root.create_array("v", shape=values.shape, dtype=dtype)[...] = values
        store = virtualizarr.open_store(tmp_path / f"{name}.zarr")
        array = zarr.open_group(store, mode="r")["v"]
        assert isinstance(array.serializer, kind)
        again = zarr.create_array(
            tmp_path / f"again-{name}",
            shape=array.shape,
            dtype=array.metadata.data_type,
            serializer=array.serializer,
            compressors=array.compressors,
        )
        again[...] = array[...]
        document = json.loads((tmp_path / f"again-{name}" / "zarr.json").read_text())
        assert [codec["name"] for codec in document["codecs"]] == [name, "zstd"]
        np.testing.assert_array_equal(zarr.open_array(tmp_path / f"again-{name}")[...], values)
