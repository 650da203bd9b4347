"""Secrets stay out: of stores, messages, reprs, pickles and logs. The secret is a canary."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import virtualizarr
from netcdf_archive import month, write_netcdf4
from servers.s3 import S3Server
from virtualizarr.errors import SourceError, VirtualizeError
from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray, ManifestGroup
from virtualizarr.store import ManifestStore
from virtualizarr.writers import icechunk, kerchunk, zarr

CANARY = "canary5d41402abc"
SECRET_URLS = [
    f"https://user:{CANARY}@data.org/a.nc",
    f"s3://AKIA:{CANARY}@bucket/a.nc",
    f"https://bucket.s3.amazonaws.com/a.nc?X-Amz-Signature={CANARY}&X-Amz-Expires=60",
    f"https://account.blob.core.windows.net/c/a.nc?sv=2024&sig={CANARY}",
    f"https://data.org/a.nc?token={CANARY}",
]

WRITERS: list[Callable[[ManifestGroup, Path], Any]] = [
    lambda group, target: kerchunk.write(group),
    lambda group, target: kerchunk.write(group, target / "a.json"),
    lambda group, target: kerchunk.write(group, target / "a.parquet", format="parquet"),
    lambda group, target: zarr.write(group, target / "a.zarr", columnar=False),
    lambda group, target: zarr.write(group, target / "a.zarr", columnar=True),
    lambda group, target: icechunk.write(group, target / "a.icechunk"),
]


def group_at(url: str) -> ManifestGroup:
    metadata = ArrayMetadata.create(shape=(4,), dtype=np.dtype("u1"), chunk_shape=(4,))
    offset = np.zeros(1, np.uint64)
    manifest = ChunkManifest.single_file(Location(url), offset, 4)
    return ManifestGroup(groups={"deep": ManifestGroup({"v": ManifestArray(metadata, manifest)})})


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize("write", WRITERS, ids=["dict", "json", "parquet", "zarr", "zarrp", "ice"])
def test_no_writer_writes_them(
    url: str, write: Callable[[ManifestGroup, Path], Any], tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match="refused") as caught:
        write(group_at(url), tmp_path)
    assert caught.value.node == "deep/v"
    assert CANARY not in f"{caught.value} {caught.value!r} {pickle.dumps(caught.value)!r}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", SECRET_URLS)
def test_they_are_not_parsed_and_not_told(url: str) -> None:
    for attempt in (
        lambda: virtualizarr.open_virtual_dataset(url),
        lambda: virtualizarr.parse({"version": 1, "refs": refs_to(url)}),
        lambda: virtualizarr.open_virtual_mfdataset([url]),
    ):
        with pytest.raises(VirtualizeError) as caught:
            attempt()
        chain: BaseException | None = caught.value
        while chain is not None:
            assert CANARY not in f"{chain} {chain!r}"
            chain = chain.__cause__


def refs_to(url: str) -> dict[str, Any]:
    zarray = (
        '{"zarr_format": 2, "shape": [4], "chunks": [4], "dtype": "|u1", "fill_value": null, '
        '"order": "C", "compressor": null, "filters": null}'
    )
    return {".zgroup": '{"zarr_format": 2}', "v/.zarray": zarray, "v/0": [url, 0, 4]}


def test_renaming_to_a_secret_url_is_refused_when_it_is_written(tmp_path: Path) -> None:
    path = write_netcdf4(month(0), tmp_path / "0.nc")
    dataset = virtualizarr.open_virtual_dataset(path).vz.rename_paths(SECRET_URLS[2])
    with pytest.raises(SourceError) as caught:
        dataset.vz.to_kerchunk(tmp_path / "a.json")
    assert CANARY not in str(caught.value)
    assert not (tmp_path / "a.json").exists()


def test_credentials_in_options_go_nowhere(
    tmp_path: Path, s3_server: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_netcdf4(month(0), tmp_path / "0.nc")
    s3_server.put("canaries", "0.nc", path.read_bytes())
    options = {**s3_server.options, "secret_access_key": CANARY}
    stores = tmp_path / "stores"
    stores.mkdir()
    with caplog.at_level(logging.DEBUG):
        dataset = virtualizarr.open_virtual_dataset("s3://canaries/0.nc", storage_options=options)
        group = dataset.vz.to_group()
        kerchunk.write(group, stores / "a.json")
        kerchunk.write(group, stores / "a.parquet", format="parquet")
        zarr.write(group, stores / "a.zarr")
        icechunk.write(group, stores / "a.icechunk", storage_options=options)
        store = virtualizarr.open_store("s3://canaries/0.nc", storage_options=options)
        opened = xr.open_dataset(
            "s3://canaries/0.nc", engine="virtualizarr", virtual=False, storage_options=options
        ).load()
        with pytest.raises(SourceError) as caught:
            virtualizarr.parse("s3://canaries/none.nc", storage_options=options)
    assert CANARY.encode() not in everything_below(stores)
    told = f"{caught.value!r} {dataset!r} {group!r} {store!r} {store} {opened!r} {opened.encoding}"
    assert CANARY not in told + caplog.text
    for thing in (dataset, group, caught.value):
        assert CANARY.encode() not in pickle.dumps(thing)
    assert isinstance(store, ManifestStore)
