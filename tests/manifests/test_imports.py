"""Import paths and calls of VirtualiZarr 2.x, as parsers written for it use them."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from obstore.store import LocalStore

import virtualizarr
from virtualizarr import parsers
from virtualizarr.manifests import (
    ChunkManifest,
    ManifestArray,
    ManifestGroup,
    ManifestStore,
    array_api,
)
from virtualizarr.manifests.array import ManifestArray as ManifestArrayByPath
from virtualizarr.manifests.group import ManifestGroup as ManifestGroupByPath
from virtualizarr.manifests.indexing import SubChunkIndexingError
from virtualizarr.manifests.manifest import ChunkManifest as ChunkManifestByPath
from virtualizarr.manifests.store import ManifestStore as ManifestStoreByPath
from virtualizarr.manifests.utils import create_v3_array_metadata
from virtualizarr.parallel import DaskDelayedExecutor, SerialExecutor
from virtualizarr.registry import ObjectStoreRegistry

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


def test_a_store_and_its_groups_become_datasets(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(VALUES.tobytes())
    store = legacy_parser(path.as_uri(), None)
    virtual = store.to_virtual_dataset(loadable_variables=[])
    assert isinstance(virtual["a"].data, ManifestArray)
    assert virtual.attrs == {"title": "raw"}
    loaded = store.to_virtual_dataset(loadable_variables=["a"])
    np.testing.assert_array_equal(loaded["a"].values, VALUES)
    xr.testing.assert_identical(
        store.to_virtual_datatree().to_dataset(), store.group.to_virtual_dataset()
    )
    assert list(store.group.to_virtual_datasets()) == ["/"]
    assert store.nbytes_virtual == store.group.nbytes_virtual


def test_a_store_is_written_to_icechunk_without_xarray(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(VALUES.tobytes())
    target = tmp_path / "repo.icechunk"
    legacy_parser(path.as_uri(), None).to_icechunk(target, group="below")
    found = xr.open_dataset(target, engine="virtualizarr", group="below")
    np.testing.assert_array_equal(found["a"].values, VALUES)


def test_functions_that_join_arrays() -> None:
    group = legacy_parser("file:///raw", None).group
    array = group.arrays["a"]
    assert array_api.concatenate([array, array], axis=0).shape == (6, 4)
    assert array_api.stack([array, array], axis=0).shape == (2, 3, 4)
    assert array_api.expand_dims(array, axis=0).shape == (1, 3, 4)
    assert array_api.broadcast_to(array, (2, 3, 4)).shape == (2, 3, 4)
    codecs = [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 1, "checksum": False}}]
    compressed = array.rebuilt(array.metadata.replace(codecs=tuple(codecs)), array.manifest)
    with pytest.raises(SubChunkIndexingError):
        compressed[:, [1, 3]]


def test_arguments_in_their_places_of_2(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(VALUES.tobytes())
    registry = ObjectStoreRegistry({"file://": LocalStore()})
    dataset = virtualizarr.open_virtual_dataset(
        path.as_uri(), registry, legacy_parser, None, ["a"], False
    )
    np.testing.assert_array_equal(dataset["a"].values, VALUES)
    assert isinstance(dataset.vz, virtualizarr.VirtualiZarrDatasetAccessor)


class OnlyMaps(Executor):
    """An executor as VirtualiZarr 2.x asks for: with `map`, and no more."""

    def map(self, fn: Any, *iterables: Any, **_: Any) -> Any:
        return map(fn, *iterables)


@pytest.mark.parametrize("parallel", [OnlyMaps(), SerialExecutor, DaskDelayedExecutor()])
def test_executors(tmp_path: Path, parallel: Any) -> None:
    paths = [tmp_path / "0.raw", tmp_path / "1.raw"]
    for path in paths:
        path.write_bytes(VALUES.tobytes())
    dataset = virtualizarr.open_virtual_mfdataset(
        [path.as_uri() for path in paths],
        ObjectStoreRegistry({"file://": LocalStore()}),
        legacy_parser,
        combine="nested",
        concat_dim="y",
        parallel=parallel,
    )
    assert dataset["a"].shape == (6, 4)
    if isinstance(parallel, DaskDelayedExecutor):
        assert parallel.submit(max, 1, 2).result() == 2
        with pytest.raises(ZeroDivisionError):
            parallel.submit(divmod, 1, 0).result()


def test_parsers_take_the_arguments_of_2() -> None:
    assert parsers.HDFParser(None, ["a"], object, True) == parsers.HDFParser(drop_variables=["a"])
    assert parsers.IcechunkParser(branch="main", batch_size=10) == parsers.IcechunkParser("main")
    assert parsers.ZippedZarrParser("group", ["a"]) == parsers.ZarrParser("group", ["a"])
    for parser in (parsers.DMRPPParser, parsers.FITSParser, parsers.HDF4Parser):
        assert parser("group", ["a"]).group == "group"
    for parser in (parsers.KerchunkJSONParser, parsers.KerchunkParquetParser):
        assert parser("group", "file:///archive/", ["a"]).fs_root == "file:///archive/"
    assert parsers.NetCDF3Parser(None, ["a"]).skip_variables == ["a"]


def test_an_envi_header_lies_where_it_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    header = tmp_path / "elsewhere" / "other.hdr"
    header.write_text(
        "ENVI\nsamples = 4\nlines = 3\nbands = 1\ndata type = 3\nbyte order = 1\ninterleave = bsq\n"
    )
    data = tmp_path / "image.dat"
    data.write_bytes(VALUES.tobytes())
    store = parsers.ENVIParser(header.as_uri(), False)(data.as_uri())
    (array,) = (
        each for each in store.group.arrays.values() if each.dtype.kind == "i" and each.ndim > 1
    )
    assert array.chunks[-2:] == (3, 4)
    values = zarr.open_group(store, mode="r", zarr_format=3)
    name = next(name for name, each in store.group.arrays.items() if each is array)
    np.testing.assert_array_equal(np.asarray(values[name][...]).reshape(3, 4), VALUES)
