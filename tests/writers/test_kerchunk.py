"""kerchunk references: what is written is read back the same, by us and by other readers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import fsspec
import netCDF4
import numcodecs
import numpy as np
import orjson
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from obstore.store import MemoryStore

from materialize import reader_of, values_of
from strategies import assert_same_tree, groups
from virtualizarr.errors import (
    SourceNotFoundError,
    UnsupportedFeatureError,
)
from virtualizarr.model import (
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
    RectilinearGrid,
)
from virtualizarr.parsers.kerchunk import KerchunkJSONParser, group_from_refs
from virtualizarr.parsers.netcdf3 import NetCDF3Parser
from virtualizarr.source.local import LocalSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.writers import kerchunk


@settings(max_examples=150, deadline=None)
@given(group=groups())
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_is_written_reads_back_the_same(zarr_format, group):
    refs = kerchunk.write(group, zarr_format=zarr_format)
    assert refs is not None
    assert_same_tree(group_from_refs(refs), group)
    text = orjson.dumps(refs)
    source = BytesSource(text, "file:///elsewhere/refs.json")
    assert_same_tree(run(KerchunkJSONParser().parse(source.url), source), group)


@settings(max_examples=50, deadline=None)
@given(group=groups())
def test_json_and_dict_say_the_same(tmp_path_factory, group):
    path = tmp_path_factory.mktemp("refs") / "refs.json"
    kerchunk.write(group, path)
    assert json.loads(path.read_bytes()) == kerchunk.write(group)


def netcdf_file(folder: Path, name: str = "example.nc") -> Path:
    path = folder / name
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as dataset:
        dataset.title = "an example"
        dataset.createDimension("time", None)
        dataset.createDimension("x", 3)
        time = dataset.createVariable("time", "f8", ("time",))
        time[:] = np.arange(4)
        time.units = "days since 2001-01-01"
        masked = dataset.createVariable("masked", "f4", ("time", "x"), fill_value=-9.0)
        masked[:] = np.arange(12).reshape(4, 3)
        masked[1, 1] = np.ma.masked
        plain = dataset.createVariable("plain", "i2", ("time", "x"))
        plain[:] = np.arange(12).reshape(4, 3)
        packed = dataset.createVariable("packed", "i2", ("x",), fill_value=-1)
        packed.scale_factor = 0.5
        packed[:] = [1, 2, 3]
        dataset.createVariable("scalar", "i4", ())[...] = 5
    return path


def parsed(path: Path) -> ManifestGroup:
    source = LocalSource(path)
    return run(NetCDF3Parser().parse(source.url), source)


@pytest.mark.parametrize("name", ["plain.nc", "with space.nc", "per%20cent.nc", "ünï#?.nc"])
def test_xarray_reads_what_netcdf_reads(tmp_path, name):
    path = netcdf_file(tmp_path, name)
    target = tmp_path / "refs.json"
    kerchunk.write(parsed(path), target)
    with (
        xr.open_dataset(path, engine="netcdf4") as wanted,
        xr.open_dataset(str(target), engine="kerchunk") as found,
    ):
        xr.testing.assert_identical(found.load(), wanted.load())
    source = LocalSource(target)
    group = run(KerchunkJSONParser().parse(source.url), source)
    assert_same_tree(group, parsed(path))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_reads_through_the_reference_file_system(tmp_path, zarr_format):
    path = netcdf_file(tmp_path)
    refs = kerchunk.write(parsed(path), zarr_format=zarr_format)
    system = fsspec.filesystem("reference", fo=refs, asynchronous=True, remote_protocol="file")
    store = zarr.storage.FsspecStore(system, read_only=True, path="")
    root = zarr.open_group(store, mode="r", zarr_format=zarr_format)
    assert root["plain"][...].tolist() == np.arange(12).reshape(4, 3).tolist()
    assert root["scalar"][...] == 5


def virtual(dtype="<f4", shape=(4,), chunks=(2,), missing=(1,), codecs=(), **options):
    """An array in one file of 1 to n, some of whose chunks are missing."""
    metadata = ArrayMetadata.create(
        shape=shape, dtype=np.dtype(dtype), chunk_shape=chunks, codecs=codecs, **options
    )
    count = int(np.prod(metadata.grid_shape))
    size = int(np.prod(chunks)) * np.dtype(dtype).itemsize
    present = np.ones(count, bool)
    present[list(missing)] = False
    manifest = ChunkManifest.single_file(
        Location("memory://f/data"),
        (np.arange(count, dtype=np.uint64) * size).reshape(metadata.grid_shape),
        size,
        present.reshape(metadata.grid_shape),
    )
    return ManifestArray(metadata, manifest)


def read_v2(refs, name, files):
    """Read an array with zarr's own understanding of Zarr v2, references resolved by hand."""
    store = {}
    to_buffer = zarr.buffer.default_buffer_prototype().buffer.from_bytes
    for key, value in refs["refs"].items():
        if isinstance(value, str):
            raw = value.encode()
            if value.startswith("base64:"):
                import base64

                raw = base64.b64decode(value[7:])
        else:
            url, offset, length = value
            raw = files[url][offset : offset + length]
        store[key] = to_buffer(raw)
    return zarr.open_group(zarr.storage.MemoryStore(store), mode="r", zarr_format=2)[name]


DATA = {"memory://f/data": np.arange(1, 100, dtype="<f4").tobytes()}


@pytest.mark.parametrize("fill", [None, 5.0, float("nan"), -0.0])
@pytest.mark.parametrize("mask", [None, 5.0, 7.0, float("nan")])
@pytest.mark.parametrize("codecs", [(), ({"name": "numcodecs.zlib", "configuration": {}},)])
def test_missing_chunks_read_as_the_storage_fill_whatever_the_mask(fill, mask, codecs):
    attributes = {} if mask is None else {"_FillValue": np.float32(mask)}
    missing = (1,) if not codecs else (0, 1)
    array = virtual(fill_value=fill, attributes=attributes, missing=missing, codecs=codecs)
    refs = kerchunk.write(ManifestGroup({"v": array}))
    theirs = read_v2(refs, "v", DATA)
    ours = group_from_refs(refs).arrays["v"]
    wanted = values_of(array, reader_of(DATA))
    assert theirs[...].tobytes() == wanted.tobytes()
    assert values_of(ours, reader_of(DATA)).tobytes() == wanted.tobytes()
    if mask is None:
        assert theirs.fill_value is None or (np.isnan(theirs.fill_value) and np.isnan(fill))
        assert "_FillValue" not in ours.metadata.attributes
    else:
        assert np.float32(theirs.fill_value).tobytes() == np.float32(mask).tobytes()
        found = ours.metadata.attributes["_FillValue"]
        assert np.float32(found).tobytes() == np.float32(mask).tobytes()


def test_any_number_of_missing_chunks_that_read_as_nan_can_be_written():
    shape, chunks = (1 << 20,), (1 << 10,)
    array = virtual(shape=shape, chunks=chunks, missing=range(1024), fill_value=float("nan"))
    group = ManifestGroup({"v": array})
    refs = kerchunk.write(group)
    assert len(refs["refs"]) < 10
    assert np.isnan(read_v2(refs, "v", {})[...]).all()
    assert_same_tree(group_from_refs(refs), group)


def test_a_mask_that_the_dtype_cannot_hold_is_not_hidden_by_a_fill_of_nan(tmp_path):
    values = np.array([1, 2, 3, 0.1], "f4")
    metadata = ArrayMetadata.create(
        shape=(4,),
        dtype=values.dtype,
        chunk_shape=(4,),
        fill_value=np.nan,
        attributes={"_FillValue": np.float64(0.1), "missing_value": np.float32(2)},
        dimension_names=("x",),
    )
    array = ManifestArray(metadata, ChunkManifest.inlined(values.tobytes()).reshape_grid((1,)))
    kerchunk.write(ManifestGroup({"v": array}), tmp_path / "a.json", format="json")
    for engine in ("virtualizarr", "kerchunk"):
        found = xr.open_dataset(str(tmp_path / "a.json"), engine=engine, mask_and_scale=False)
        assert found["v"].attrs["_FillValue"] == 0.1
        assert found["v"].attrs["missing_value"] == 2


def test_too_many_missing_chunks_for_zarr_v2_are_refused_by_name():
    shape, chunks = (1 << 20,), (1 << 10,)
    array = virtual(shape=shape, chunks=chunks, missing=range(1024), fill_value=3.0)
    group = ManifestGroup(groups={"g": ManifestGroup({"v": array})})
    with pytest.raises(UnsupportedFeatureError, match="zarr_format=3") as caught:
        kerchunk.write(group)
    assert caught.value.node == "g/v"
    assert_same_tree(group_from_refs(kerchunk.write(group, zarr_format=3)), group)


def test_reversed_axes_and_big_endian_values_read_right():
    data = np.arange(12, dtype=">i4").reshape(3, 4)
    metadata = ArrayMetadata.create(shape=(3, 4), dtype=data.dtype, chunk_shape=(3, 4))
    transpose = {"name": "transpose", "configuration": {"order": [1, 0]}}
    metadata = metadata.replace(codecs=(transpose, *metadata.codecs))
    raw = data.T.tobytes()
    manifest = ChunkManifest.inlined(raw).reshape_grid((1, 1))
    refs = kerchunk.write(ManifestGroup({"v": ManifestArray(metadata, manifest)}))
    assert read_v2(refs, "v", {})[...].tolist() == data.tolist()


def test_filters_and_compressor_decode_in_their_order():
    data = np.arange(8, dtype="<i4")
    raw = numcodecs.Zlib(3).encode(numcodecs.Shuffle(4).encode(data))
    codecs = [
        {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}},
        {"name": "numcodecs.zlib", "configuration": {"level": 3}},
    ]
    metadata = ArrayMetadata.create(shape=(8,), dtype=data.dtype, chunk_shape=(8,), codecs=codecs)
    manifest = ChunkManifest.inlined(bytes(raw)).reshape_grid((1,))
    refs = kerchunk.write(ManifestGroup({"v": ManifestArray(metadata, manifest)}))
    assert read_v2(refs, "v", {})[...].tolist() == data.tolist()


def test_text_reads_right():
    values = np.array(["a", "", "zürich"], object)
    raw = numcodecs.VLenUTF8().encode(values)
    metadata = ArrayMetadata.create(
        shape=(3,), dtype=np.dtypes.StringDType(), chunk_shape=(3,), dimension_names=["x"]
    )
    manifest = ChunkManifest.inlined(bytes(raw)).reshape_grid((1,))
    refs = kerchunk.write(ManifestGroup({"v": ManifestArray(metadata, manifest)}))
    assert read_v2(refs, "v", {})[...].tolist() == values.tolist()


@pytest.mark.parametrize(
    "change,reason",
    [
        ({"chunk_grid": RectilinearGrid(((1, 3),))}, "different lengths"),
        ({"codecs": ({"name": "sharding_indexed", "configuration": {}},)}, "sharding_indexed"),
        ({"codecs": ({"name": "virtualizarr.crop"},)}, "crop"),
        (
            {
                "codecs": (
                    {"name": "numcodecs.delta", "configuration": {"dtype": ">f4"}},
                    {"name": "bytes", "configuration": {"endian": "little"}},
                )
            },
            "delta",
        ),
    ],
)
def test_what_zarr_v2_cannot_hold_is_refused_by_name(change, reason):
    metadata = virtual(missing=()).metadata.replace(**change)
    array = ManifestArray(metadata, ChunkManifest.empty(metadata.grid_shape))
    with pytest.raises(UnsupportedFeatureError, match=reason) as caught:
        kerchunk.write(ManifestGroup({"v": array}))
    assert caught.value.node == "v"


def test_a_mask_that_fits_no_integer_is_left_out_and_xarray_opens(tmp_path):
    array = virtual(
        dtype="<i2", missing=(), attributes={"_FillValue": np.nan}, dimension_names=["x"]
    )
    path = tmp_path / "data"
    path.write_bytes(np.arange(4, dtype="<i2").tobytes())
    array = ManifestArray(array.metadata, array.manifest.rename_paths(path.as_uri()))
    refs = kerchunk.write(ManifestGroup({"v": array}))
    with xr.open_dataset(refs, engine="kerchunk") as dataset:
        assert dataset["v"].values.tolist() == [0, 1, 2, 3]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "refs.json"
    path.write_bytes(b"old")
    good, bad = (
        virtual(missing=()),
        virtual(missing=(0,), fill_value=3.0, shape=(1 << 22,), chunks=(1 << 21,)),
    )
    with pytest.raises(UnsupportedFeatureError):
        kerchunk.write(ManifestGroup({"a": good, "b": bad}), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["refs.json"]


def test_permissions_and_links_of_the_target_stay(tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    kerchunk.write(ManifestGroup({"v": virtual()}), link)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert json.loads(real.read_bytes())["version"] == 1


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(SourceNotFoundError, match="directory"):
        kerchunk.write(ManifestGroup(), tmp_path / "absent" / "refs.json")


def test_a_store_gets_one_object():
    store = MemoryStore()

    class Registry:
        def resolve(self, url):
            assert url == "s3://bucket/refs.json"
            return store, "refs.json"

    group = ManifestGroup({"v": virtual()})
    kerchunk.write(group, "s3://bucket/refs.json", registry=Registry())
    text = bytes(store.get("refs.json").bytes())
    assert_same_tree(group_from_refs(orjson.loads(text)), group)


@pytest.mark.parametrize(
    "options,kind",
    [
        ({"format": "json"}, ValueError),
        ({"format": "dict", "target": "x"}, ValueError),
        ({"format": "parquet"}, ValueError),
        ({"format": "parquet", "target": "x", "zarr_format": 3}, UnsupportedFeatureError),
        ({"format": "parquet", "target": "x", "record_size": 0}, ValueError),
        ({"format": "parquet", "target": "x", "categorical_threshold": -1}, ValueError),
        ({"format": "csv", "target": "x"}, UnsupportedFeatureError),
        ({"zarr_format": 4}, ValueError),
    ],
)
def test_wrong_arguments(options, kind):
    with pytest.raises(kind):
        kerchunk.write(ManifestGroup(), **options)
