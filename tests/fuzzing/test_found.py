"""What fuzzing found: small damaged files, of which each once gave an exception not of ours."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import virtualizarr
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ManifestGroup


def sections(message: bytes) -> dict[int, int]:
    """Return where each section of a GRIB2 message begins, by its number."""
    at, found = 16, {}
    while message[at : at + 4] != b"7777":
        found[message[at + 4]] = at
        at += int.from_bytes(message[at : at + 4], "big")
    return found


def test_a_grid_without_points(tmp_path: Path) -> None:
    from conformance.test_grib_conformance import write

    path = write(tmp_path / "a.grib2", 2, "grid_simple")
    whole = path.read_bytes()
    message = bytearray(whole[: int.from_bytes(whole[8:16], "big")])
    place = sections(bytes(message))
    message[place[3] + 6 : place[3] + 10] = bytes(4)  # number of data points
    message[place[3] + 34 : place[3] + 38] = bytes(4)  # Nj
    message[place[5] + 5 : place[5] + 9] = bytes(4)  # number of values
    path.write_bytes(message)
    with pytest.raises(VirtualizeError):
        virtualizarr.parse(path, parser="grib")


def store_with(folder: Path, **changes: Any) -> Path:
    """Write a Zarr v3 store of two arrays, one of which has its document changed."""
    place = folder / "s.zarr"
    root = zarr.open_group(place, mode="w", zarr_format=3)
    for name in ("good", "bad"):
        root.create_array(name, shape=(4,), chunks=(2,), dtype="i2")[...] = np.arange(4)
    path = place / "bad" / "zarr.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return place


@pytest.mark.parametrize(
    "changes",
    [
        {"codecs": [{"name": "bytes", "configuration": {"x": 1}}]},
        {"codecs": [{"name": "bytes", "configuration": {"endian": "middle"}}]},
        {"codecs": [{"name": "sharding_indexed", "configuration": {"ckdecs": []}}]},
        {"codecs": [{"name": "zstd", "configuration": {"level": 0}}]},
        {"codecs": [{"name": "nobody.knows.this"}]},
        {"codecs": ["bytes", {"name": "blosc", "configuration": {"cname": 7}}]},
        {"codecs": [{"name": "transpose", "configuration": {"order": [5]}}, "bytes"]},
        {"fill_value": 922337},
        {"fill_value": None},
        {"fill_value": "x"},
        {"fill_value": [0]},
        {"shape": [1.8446744073709552e19]},
        {"shape": [-1]},
        {"shape": [2**63]},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**64]}}},
        {"data_type": "int1000"},
        {"data_type": {"name": "numpy.datetime64", "configuration": {"unit": "parsec"}}},
        {"shape": [float("inf")]},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [float("inf")]}}},
        {"dimension_names": [3]},
        {"dimension_names": ["x", "y"]},
    ],
    ids=str,
)
def test_an_array_that_zarr_cannot_open_costs_only_itself(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    place = store_with(tmp_path, **changes)
    try:
        group = virtualizarr.parse(place)
    except (CorruptFileError, UnsupportedFeatureError) as error:
        assert "bad" in str(error)  # noqa: PT017 -- it may also be opened without the bad one
        return
    root = zarr.open_group(virtualizarr.open_store(group), mode="r")
    np.testing.assert_array_equal(root["good"][...], np.arange(4))
    with pytest.raises((CorruptFileError, UnsupportedFeatureError), match="bad"):
        root["bad"][...]


def test_each_of_several_such_arrays_is_named(tmp_path: Path) -> None:
    place = store_with(tmp_path, codecs=[{"name": "nobody.knows.this"}])
    (place / "bad").rename(place / "bad1")
    shutil.copytree(place / "bad1", place / "bad2")
    root = zarr.open_group(virtualizarr.open_store(place), mode="r")
    for name in ("bad1", "bad2"):
        with pytest.raises(UnsupportedFeatureError, match=rf"{name}.*nobody\.knows"):
            root[name]


def test_settings_that_a_codec_does_not_take(tmp_path: Path) -> None:
    for settings in ({"level": 3}, {"elementsize": [4]}):
        codec = {"name": "numcodecs.shuffle", "configuration": settings}
        endian = {"name": "bytes", "configuration": {"endian": "little"}}
        place = store_with(tmp_path, codecs=[endian, codec])
        root = zarr.open_group(virtualizarr.open_store(place), mode="r")
        np.testing.assert_array_equal(root["good"][...], np.arange(4))
        with pytest.raises((CorruptFileError, UnsupportedFeatureError)):
            root["bad"][...]
        shutil.rmtree(place)


def test_attributes_that_are_large_integers() -> None:
    group = ManifestGroup(attributes={"large": 10**30})
    root = zarr.open_group(virtualizarr.open_store(group), mode="r")
    assert root.attrs["large"] == 10**30


def test_a_shuffled_chunk_of_odd_length(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(range(11)))
    codecs = [{"id": "shuffle", "elementsize": 4}]
    array = {"zarr_format": 2, "shape": [3], "chunks": [3], "dtype": "<i4", "fill_value": None}
    array |= {"order": "C", "compressor": None, "filters": codecs}
    refs = {".zgroup": '{"zarr_format": 2}', "v/.zarray": json.dumps(array)}
    refs["v/0"] = [str(tmp_path / "data"), 0, 11]  # type: ignore[assignment]
    root = zarr.open_group(virtualizarr.open_store(refs), mode="r")
    with pytest.raises(CorruptFileError, match="shuffle"):
        root["v"][...]


def test_a_contiguous_hdf5_dataset_cut_off(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["v"] = np.arange(1000.0)
    whole = (tmp_path / "f.h5").read_bytes()
    (tmp_path / "f.h5").write_bytes(whole[:-100])
    with pytest.raises(CorruptFileError):
        zarr.open_group(virtualizarr.open_store(tmp_path / "f.h5"), mode="r")["v"][...]


def test_the_length_of_a_grib_message_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.grib2"
    path.write_bytes(b"GRIB\xff\xff\x00\x02" + struct.pack(">Q", 1 << 60) + bytes(100))
    with pytest.raises(VirtualizeError):
        virtualizarr.parse(path, parser="grib")


def test_a_fill_value_that_is_a_list() -> None:
    zarray = {
        "zarr_format": 2,
        "shape": [4],
        "chunks": [4],
        "dtype": "<i4",
        "fill_value": [1, 2],
        "order": "C",
        "filters": None,
        "compressor": None,
    }
    refs = {".zgroup": '{"zarr_format": 2}', "v/.zarray": json.dumps(zarray)}
    with pytest.raises(UnsupportedFeatureError, match="fill value"):
        virtualizarr.parse({"version": 1, "refs": refs})


def test_an_archive_without_members(tmp_path: Path) -> None:
    path = tmp_path / "empty.zarr.zip"
    path.write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(VirtualizeError):
        virtualizarr.parse(path, parser="zarr")


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    settings = {"manifest": "./manifest.json", "locations": "\ud800"}
    transformer = {"name": "chunk-manifest-json", "configuration": settings}
    nan = {"value": float("nan")}
    place = store_with(tmp_path, attributes=nan, storage_transformers=[transformer])
    with pytest.raises(CorruptFileError, match="not JSON"):
        virtualizarr.parse(place, parser="zarr")


@pytest.mark.parametrize(
    "key",
    ["a//.zattrs", "/.zattrs", "a//.zarray", "a//zarr.json", "/a/.zarray", "b//a/.zarray"],
)
def test_keys_with_an_empty_name(key: str) -> None:
    refs = {".zgroup": '{"zarr_format": 2}', key: '{"node_type": "group"}'}
    with pytest.raises(CorruptFileError, match="empty name"):
        virtualizarr.parse({"version": 1, "refs": refs})
