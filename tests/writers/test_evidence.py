"""What was known of files when they were parsed is in every format, and wrong bytes are in none."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import orjson
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import virtualizarr
from netcdf_archive import month, write_netcdf4
from servers.s3 import S3Server
from virtualizarr.errors import ChangedSourceError, CombineError, CorruptFileError
from virtualizarr.model import (
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
)
from virtualizarr.writers import kerchunk

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")

KEPT = ["json", "parquet", "zarr"]
moments = st.none() | st.datetimes(
    datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)
)


def group_of(*locations: Location) -> ManifestGroup:
    """One chunk of four bytes in each file."""
    count = len(locations)
    metadata = ArrayMetadata.create(
        shape=(count,), dtype=np.dtype("f4"), chunk_shape=(1,), dimension_names=("t",)
    )
    manifest = ChunkManifest.from_columns(
        tuple(locations),
        np.arange(count, dtype=np.uint32),
        np.zeros(count, np.uint64),
        np.full(count, 4, np.uint32),
    )
    return ManifestGroup({"a": ManifestArray(metadata, manifest)})


def stored(path: Path) -> Any:
    """Return values as they are in the file, packed."""
    with xr.open_dataset(path, decode_cf=False) as ds:
        return ds["t"].values


def facts(group: ManifestGroup) -> list[tuple[Any, ...]]:
    return [
        (each.url, each.size, each.etag, each.last_modified, each.unmodified_since)
        for each in group.arrays["a"].manifest.locations
    ]


@pytest.mark.parametrize("kind", ["dict", *KEPT])
@settings(max_examples=15, deadline=None)
@given(
    known=st.lists(
        st.tuples(
            st.none() | st.integers(0, 2**63 - 1), st.none() | st.text(max_size=9), moments, moments
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_known_comes_back(
    tmp_path_factory: pytest.TempPathFactory, kind: str, known: list[tuple[Any, ...]]
) -> None:
    group = group_of(*(Location(f"s3://b/a%20{i}.nc", *each) for i, each in enumerate(known)))
    if kind == "dict":
        found = virtualizarr.parse(kerchunk.write(group))
    else:
        path = tmp_path_factory.mktemp("known") / f"store.{kind}"
        virtualizarr.convert(group, path)
        found = virtualizarr.parse(path)
    assert facts(found) == facts(group)


def test_nothing_is_added_where_nothing_is_known(tmp_path: Path) -> None:
    group = group_of(Location("s3://b/a.nc"))
    assert set(kerchunk.write(group)) == {"version", "refs"}
    kerchunk.write(group, tmp_path / "a.parquet")
    text = (tmp_path / "a.parquet" / ".zmetadata").read_bytes()
    assert set(orjson.loads(text)) == {"metadata", "record_size"}


def test_files_that_changed_between_two_parses_are_not_written() -> None:
    one, two = Location("s3://b/a.nc", etag="1"), Location("s3://b/a.nc", etag="2")
    group = ManifestGroup({"a": group_of(one).arrays["a"], "b": group_of(two).arrays["a"]})
    with pytest.raises(CombineError, match=r"s3://b/a\.nc.*changed between two parses"):
        kerchunk.write(group)


@pytest.mark.parametrize(
    "own", [1, {"locations": []}, {"locations": {"s3://b/a.nc": 1}}, {"locations": {"": {}}}]
)
def test_malformed_evidence_is_refused(tmp_path: Path, own: Any) -> None:
    group = group_of(Location("s3://b/a.nc", 10))
    document = kerchunk.write(group)
    with pytest.raises(CorruptFileError):
        virtualizarr.parse({**document, "virtualizarr": own})
    path = tmp_path / "a.parquet"
    kerchunk.write(group, path)
    metadata = orjson.loads((path / ".zmetadata").read_bytes())
    (path / ".zmetadata").write_bytes(orjson.dumps({**metadata, "virtualizarr": own}))
    with pytest.raises(CorruptFileError):
        virtualizarr.parse(path)


@pytest.mark.filterwarnings("ignore:The .fastparquet. engine")
@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_other_readers_do_not_mind(tmp_path: Path, kind: str) -> None:
    path = write_netcdf4(month(0), tmp_path / "0.nc")
    store = tmp_path / f"a.{kind}"
    virtualizarr.open_virtual_dataset(path).vz.to_kerchunk(store, format=kind)
    holder = store if store.is_file() else store / ".zmetadata"
    assert path.as_uri() in orjson.loads(holder.read_bytes())["virtualizarr"]["locations"]
    fs = fsspec.filesystem("reference", fo=str(store), remote_protocol="file", asynchronous=True)
    found = zarr.open_array(
        zarr.storage.FsspecStore(fs, read_only=True, path=""), path="t", mode="r", zarr_format=2
    )
    np.testing.assert_array_equal(found[...], stored(path))


def content(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-100:] = bytes(100)
    stamp = path.stat().st_mtime_ns
    path.write_bytes(data)
    os.utime(path, ns=(stamp, stamp + 10**6))


def size(path: Path) -> None:
    stamp = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(stamp, stamp))


def older(path: Path) -> None:
    stamp = path.stat().st_mtime_ns - 10**12
    os.utime(path, ns=(stamp, stamp))


def replaced(path: Path) -> None:
    other = path.with_suffix(".new")
    write_netcdf4(month(7), other)
    stamp = path.stat().st_mtime_ns + 5 * 10**9
    os.utime(other, ns=(stamp, stamp))
    other.replace(path)


@pytest.mark.parametrize("change", [content, size, older, replaced])
@pytest.mark.parametrize("kind", ["dict", *KEPT, "icechunk"])
def test_a_local_file_that_changed(
    tmp_path: Path, kind: str, change: Callable[[Path], None]
) -> None:
    path = write_netcdf4(month(0), tmp_path / "0.nc")
    vds = virtualizarr.open_virtual_dataset(path)
    if kind == "dict":
        store: Any = vds.vz.to_kerchunk(format="dict")
    else:
        store = tmp_path / f"store.{kind}"
        virtualizarr.convert(vds.vz.to_group(), store)
    assert virtualizarr.verify(store).ok
    before = stored(path)
    change(path)
    opened = virtualizarr.open_virtual_dataset(store, loadable_variables=[]).vz.open()
    if kind == "icechunk" and change is not replaced:
        # Icechunk holds the latest time of modification, in whole seconds, and no more
        if change is not content:
            raw = xr.open_dataset(store, engine="virtualizarr", decode_cf=False)
            np.testing.assert_array_equal(raw["t"], before)
        return
    with pytest.raises(ChangedSourceError, match=r"0\.nc.*changed since it was parsed"):
        opened["t"].load()
    (problem,) = virtualizarr.verify(store).problems
    assert problem.url == path.as_uri()


@pytest.mark.parametrize("kind", [*KEPT, "icechunk"])
def test_an_object_that_changed(s3_server: S3Server, tmp_path: Path, kind: str) -> None:
    """Same size, within the same second: its etag tells."""
    options = s3_server.options
    path = write_netcdf4(month(0), tmp_path / "0.nc")
    s3_server.put(f"known-{kind}", "0.nc", path.read_bytes())
    url = f"s3://known-{kind}/0.nc"
    vds = virtualizarr.open_virtual_dataset(url, storage_options=options)
    store = tmp_path / f"store.{kind}"
    virtualizarr.convert(vds.vz.to_group(), store, storage_options=options)
    assert virtualizarr.verify(store, storage_options=options).ok
    data = bytearray(path.read_bytes())
    data[-1] ^= 0xFF
    s3_server.put(f"known-{kind}", "0.nc", bytes(data))
    (problem,) = virtualizarr.verify(store, storage_options=options).problems
    assert "etag" in problem.reason
    ds = virtualizarr.open_virtual_dataset(store, storage_options=options, loadable_variables=[])
    with pytest.raises(ChangedSourceError, match="etag"):
        ds.vz.open(storage_options=options)["t"].load()


def test_a_copy_has_an_etag_and_a_time_of_its_own(s3_server: S3Server, tmp_path: Path) -> None:
    """Parsed on a local disk, read from a bucket: the size must agree, the rest cannot."""
    path = write_netcdf4(month(0), tmp_path / "0.nc")
    past = (datetime.now(UTC) - timedelta(days=9)).timestamp()
    os.utime(path, (past, past))
    s3_server.put("copied", "0.nc", path.read_bytes())
    moved = virtualizarr.open_virtual_dataset(path).vz.rename_paths("s3://copied/0.nc")
    moved.vz.to_kerchunk(tmp_path / "a.json")
    options = s3_server.options
    with xr.open_dataset(
        tmp_path / "a.json", engine="virtualizarr", storage_options=options, decode_cf=False
    ) as ds:
        np.testing.assert_array_equal(ds["t"], stored(path))
    s3_server.put("copied", "0.nc", path.read_bytes() + b"\0")
    with (
        xr.open_dataset(tmp_path / "a.json", engine="virtualizarr", storage_options=options) as ds,
        pytest.raises(ChangedSourceError, match="size"),
    ):
        ds["t"].load()
