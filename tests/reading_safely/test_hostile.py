"""Reference files that lead where they must not: opened as a person opens them, refused by name."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
import xarray as xr
import zarr
from obspec_utils.registry import ObjectStoreRegistry
from obstore.store import HTTPStore, LocalStore

import virtualizarr
from netcdf_archive import month, write_netcdf4
from servers.ranges import RangeServer
from servers.s3 import S3Server
from virtualizarr.errors import CorruptFileError, ForbiddenReferenceError
from virtualizarr.source.stores import memory_store
from virtualizarr.store import ManifestStore
from virtualizarr.writers import icechunk as icechunk_writer
from virtualizarr.writers import zarr as zarr_writer

ENGINE = "virtualizarr"
SECRET = b"root:x:0:"


def refs_to(url: str, *, templates: dict[str, str] | None = None) -> dict[str, Any]:
    zarray = {
        "zarr_format": 2,
        "shape": [9],
        "chunks": [9],
        "dtype": "|u1",
        "fill_value": None,
        "order": "C",
        "compressor": None,
        "filters": None,
    }
    refs = {
        ".zgroup": '{"zarr_format": 2}',
        "v/.zarray": json.dumps(zarray),
        "v/.zattrs": '{"_ARRAY_DIMENSIONS": ["x"]}',
        "v/0": [url, 0, 9],
    }
    return {"version": 1, "templates": templates if templates is not None else {}, "refs": refs}


def served(server: RangeServer, document: dict[str, Any]) -> str:
    server.files["refs.json"] = json.dumps(document).encode()
    return f"{server.url}/refs.json"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "passwd"
    path.write_bytes(SECRET)
    return path


def values_of(source: Any, **options: Any) -> bytes:
    with xr.open_dataset(source, engine=ENGINE, **options) as ds:
        return ds["v"].values.tobytes()


def test_a_local_file_named_over_http(range_server: RangeServer, secret: Path) -> None:
    for spelling in (
        secret.as_uri(),
        str(secret),
        f"FILE://localhost{secret}",
        f"{secret.parent}/../{secret.parent.name}/passwd",
        f"file://{secret.parent}/x/%2e%2e/passwd",
    ):
        url = served(range_server, refs_to(spelling))
        with pytest.raises((ForbiddenReferenceError, CorruptFileError)) as caught:
            values_of(url)
        assert "passwd" in str(caught.value)
    allowed = secret.parent.as_uri()
    url = served(range_server, refs_to(str(secret)))
    assert values_of(url, allowed_locations=allowed) == SECRET
    assert values_of(url, allowed_locations=secret.parent) == SECRET
    assert values_of(url, allowed_locations="all") == SECRET


def test_a_local_file_through_templates(range_server: RangeServer, secret: Path) -> None:
    url = served(range_server, refs_to("{{u}}", templates={"u": secret.as_uri()}))
    with pytest.raises(ForbiddenReferenceError, match="passwd"):
        values_of(url)


def test_relative_paths_do_not_leave_the_host(range_server: RangeServer) -> None:
    range_server.files["refs/data.bin"] = SECRET
    range_server.files["refs/refs.json"] = json.dumps(refs_to("data.bin")).encode()
    assert values_of(f"{range_server.url}/refs/refs.json") == SECRET
    range_server.files["refs/refs.json"] = json.dumps(refs_to("../../../../etc/passwd")).encode()
    with pytest.raises((CorruptFileError, ForbiddenReferenceError, FileNotFoundError)):
        values_of(f"{range_server.url}/refs/refs.json")


@pytest.mark.parametrize("given", ["file", "dict", "s3"])
def test_loopback(
    range_server: RangeServer, tmp_path: Path, s3_server: S3Server, given: str
) -> None:
    range_server.files["v.bin"] = SECRET
    target = f"{range_server.url}/v.bin"
    document = refs_to(target)
    options: dict[str, Any] = {}
    source: Any = document
    if given == "file":
        source = tmp_path / "refs.json"
        source.write_text(json.dumps(document))
    if given == "s3":
        s3_server.put("hostile", "refs.json", json.dumps(document).encode())
        source, options = "s3://hostile/refs.json", {"storage_options": s3_server.options}
    with pytest.raises(ForbiddenReferenceError, match="of this machine") as caught:
        values_of(source, **options)
    assert target in str(caught.value)
    assert range_server.counts.requests == 0
    if given != "s3":
        assert values_of(source, allowed_locations=range_server.url) == SECRET


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/iam",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://2852039166/latest/meta-data/",
        "http://localhost/secret",
    ],
)
def test_metadata_addresses(target: str, tmp_path: Path) -> None:
    source = tmp_path / "refs.json"
    source.write_text(json.dumps(refs_to(target)))
    for allowed in (None, "http://", ["s3://", "https://data.org/"]):
        with pytest.raises(ForbiddenReferenceError, match="of this machine"):
            values_of(source, allowed_locations=allowed)


def test_another_bucket_and_another_host(s3_server: S3Server, secret: Path) -> None:
    options = s3_server.options
    s3_server.put("mine", "data.bin", SECRET)
    s3_server.put("yours", "data.bin", SECRET)
    for target, expected in (("s3://mine/data.bin", True), ("s3://yours/data.bin", False)):
        s3_server.put("mine", "refs.json", json.dumps(refs_to(target)).encode())
        if expected:
            assert values_of("s3://mine/refs.json", storage_options=options) == SECRET
            continue
        with pytest.raises(ForbiddenReferenceError, match=r"allowed_locations=\['s3://yours/'\]"):
            values_of("s3://mine/refs.json", storage_options=options)
        found = values_of(
            "s3://mine/refs.json", storage_options=options, allowed_locations="s3://yours"
        )
        assert found == SECRET


def test_my_own_file_of_references_to_a_bucket(
    s3_server: S3Server, tmp_path: Path, secret: Path
) -> None:
    s3_server.put("archive", "0.nc", write_netcdf4(month(0), tmp_path / "0.nc").read_bytes())
    options = s3_server.options
    combined = tmp_path / "combined.json"
    url = "s3://archive/0.nc"
    virtualizarr.open_virtual_dataset(url, storage_options=options).vz.to_kerchunk(combined)
    with xr.open_dataset(tmp_path / "0.nc", engine="h5netcdf") as plain:
        with xr.open_dataset(combined, engine=ENGINE, storage_options=options) as ds:
            xr.testing.assert_allclose(ds.load(), plain.load())
        again = virtualizarr.open_virtual_dataset(combined)
        xr.testing.assert_allclose(again.vz.open(storage_options=options).load(), plain)
    with pytest.raises(ForbiddenReferenceError, match=r"allowed_locations=\['s3://archive/'\]"):
        xr.open_dataset(combined, engine=ENGINE)["t"].load()


def test_a_registry_decides_alone(range_server: RangeServer, secret: Path) -> None:
    url = served(range_server, refs_to(str(secret)))
    web = HTTPStore.from_url(range_server.url, client_options={"allow_http": True})
    with pytest.raises(ForbiddenReferenceError, match="no store is registered"):
        values_of(url, registry=ObjectStoreRegistry({range_server.url: web}))
    both = ObjectStoreRegistry({range_server.url: web, "file://": LocalStore()})
    assert values_of(url, registry=both) == SECRET
    with pytest.raises(ForbiddenReferenceError, match="allowed_locations"):
        values_of(url, registry=both, allowed_locations=range_server.url)


def test_nothing_is_read_to_parse_and_combine(range_server: RangeServer, secret: Path) -> None:
    url = served(range_server, refs_to(str(secret)))
    ds = xr.open_dataset(url, engine=ENGINE, virtual=True, create_default_indexes=False)
    both = xr.concat([ds, ds], "x", data_vars="minimal", coords="minimal", compat="override")
    assert both.vz.locations == (secret.as_uri(),)
    for opened in (both, pickle.loads(pickle.dumps(both))):
        with pytest.raises(ForbiddenReferenceError, match="passwd"):
            opened.vz.open()["v"].load()
    assert both.vz.open(allowed_locations=secret.parent)["v"].values.tobytes() == 2 * SECRET


def test_what_the_reader_names_himself_is_read(range_server: RangeServer, secret: Path) -> None:
    url = served(range_server, refs_to("s3://elsewhere/passwd"))
    ds = xr.open_dataset(url, engine=ENGINE, virtual=True)
    renamed = ds.vz.rename_paths(secret.as_uri())
    assert renamed.vz.open()["v"].values.tobytes() == SECRET
    same = ds.vz.rename_paths(lambda path: path)
    with pytest.raises(ForbiddenReferenceError):
        same.vz.open()["v"].load()


def test_loading_while_opening_is_reading_too(range_server: RangeServer, secret: Path) -> None:
    url = served(range_server, refs_to(str(secret)))
    with pytest.raises(ForbiddenReferenceError, match="passwd"):
        virtualizarr.open_virtual_dataset(url, loadable_variables=["v"])
    loaded = virtualizarr.open_virtual_dataset(
        url, loadable_variables=["v"], allowed_locations=secret.parent
    )
    assert loaded["v"].values.tobytes() == SECRET


def test_sizes_of_whole_files_are_not_asked_of_forbidden_places(
    range_server: RangeServer, secret: Path
) -> None:
    document = refs_to(str(secret))
    document["refs"]["v/0"] = [str(secret)]
    url = served(range_server, document)
    with pytest.raises(ForbiddenReferenceError, match="passwd"):
        virtualizarr.parse(url)


def test_stores_for_zarr(range_server: RangeServer, secret: Path) -> None:
    url = served(range_server, refs_to(str(secret)))
    store = virtualizarr.open_store(url)
    for one in (store, pickle.loads(pickle.dumps(store)), store.with_read_only(True)):
        with pytest.raises(ForbiddenReferenceError, match="passwd"):
            zarr.open_group(one, mode="r")["v"][...]
    allowed = virtualizarr.open_store(url, allowed_locations=secret.parent)
    for one in (allowed, pickle.loads(pickle.dumps(allowed)), allowed.with_read_only(True)):
        np.testing.assert_array_equal(
            zarr.open_group(one, mode="r")["v"][...], np.frombuffer(SECRET, "u1")
        )
    assert allowed != store
    group = virtualizarr.parse(url)
    with pytest.raises(ForbiddenReferenceError, match="passwd"):
        zarr.open_group(ManifestStore(group), mode="r")["v"][...]


@pytest.mark.parametrize("kind", ["zarr", "icechunk", "parquet"])
def test_every_kind_of_reference_store(
    kind: str, s3_server: S3Server, secret: Path, tmp_path: Path
) -> None:
    """Stores in a bucket that name a local file, as an attacker would upload them."""
    local = tmp_path / f"store.{kind}"
    group = virtualizarr.parse(refs_to(str(secret)))
    if kind == "zarr":
        zarr_writer.write(group, local)
    elif kind == "icechunk":
        icechunk_writer.write(group, local)
    else:
        xr.open_dataset(refs_to(str(secret)), engine=ENGINE, virtual=True).vz.to_kerchunk(
            local, format="parquet"
        )
    assert values_of(local, virtual=False) == SECRET
    for path in local.rglob("*"):
        if path.is_file():
            key = f"{kind}/{path.relative_to(tmp_path)}"
            s3_server.put("uploads", key, path.read_bytes())
    with pytest.raises(ForbiddenReferenceError, match="passwd"):
        values_of(
            f"s3://uploads/{kind}/store.{kind}", virtual=False, storage_options=s3_server.options
        )


def test_files_that_an_archive_names(tmp_path: Path, secret: Path) -> None:
    """An HDF5 file's external data: beside it they are read, elsewhere they cannot be named."""
    import h5py

    path = tmp_path / "external.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (9,), "u1", external=[("passwd", 0, 9)])
    assert values_of(path, virtual=False) == SECRET
    obstore.put(memory_store("safe"), "external.h5", path.read_bytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (9,), "u1", external=[(str(secret), 0, 9)])
    obstore.put(memory_store("safe"), "absolute.h5", path.read_bytes())
    for name in ("external", "absolute"):
        with pytest.raises(FileNotFoundError):
            values_of(f"memory://safe/{name}.h5", virtual=False)
