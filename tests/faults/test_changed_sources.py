"""A file that changed after it was parsed is never read as right, wherever it lies.

Its content may change, its size, its time of modification or its etag; the store then says which
file changed, also after references were written and read again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

import virtualizarr
from servers.ranges import RangeServer
from servers.s3 import S3Server
from virtualizarr.errors import ChangedSourceError, SourceNotFoundError
from virtualizarr.model import ManifestGroup
from virtualizarr.writers import icechunk as icechunk_writer
from virtualizarr.writers import kerchunk as kerchunk_writer
from virtualizarr.writers import zarr as zarr_writer

VALUES = np.arange(600, dtype="<i4").reshape(30, 20)


def content(folder: Path) -> bytes:
    path = folder / "made.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=VALUES, chunks=(10, 20), compression=1)
    data = path.read_bytes()
    path.unlink()
    return data


def values(group: ManifestGroup, **options: Any) -> Any:
    store = virtualizarr.open_store(group, **options)
    return zarr.open_group(store, mode="r")["v"][...]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "content": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "longer": lambda data: data + b"\0",
    "shorter": lambda data: data[:-1],
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("change", CHANGES)
def test_on_disk(tmp_path: Path, change: str) -> None:
    path = tmp_path / "f.h5"
    path.write_bytes(content(tmp_path))
    group = virtualizarr.parse(path)
    np.testing.assert_array_equal(values(group), VALUES)
    before = path.stat().st_mtime_ns
    path.write_bytes(CHANGES[change](path.read_bytes()))
    os.utime(path, ns=(before, before + 1_000_000_000))
    with pytest.raises(ChangedSourceError, match=r"f\.h5"):
        values(group)


def test_on_disk_the_same_bytes_at_another_time_are_another_file(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    path.write_bytes(content(tmp_path))
    group = virtualizarr.parse(path)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000))
    with pytest.raises(ChangedSourceError, match="modification time"):
        values(group)


def test_on_disk_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    path.write_bytes(content(tmp_path))
    array = zarr.open_group(virtualizarr.open_store(path), mode="r")["v"]
    np.testing.assert_array_equal(array[:10], VALUES[:10])
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ChangedSourceError):
        array[10:]


@pytest.mark.parametrize("change", [*CHANGES, "etag", "modified"])
def test_on_a_web_server(range_server: RangeServer, tmp_path: Path, change: str) -> None:
    data = content(tmp_path)
    range_server.files["f.h5"] = data
    group = virtualizarr.parse(f"{range_server.url}/f.h5")
    np.testing.assert_array_equal(values(group), VALUES)
    if change in CHANGES:
        range_server.files["f.h5"] = CHANGES[change](data)
    elif change == "etag":
        range_server.facts["ETag"] = '"another"'
    else:
        range_server.facts["Last-Modified"] = "Tue, 02 Jan 2024 00:00:00 GMT"
    with pytest.raises(ChangedSourceError, match=r"f\.h5"):
        values(group)


@pytest.mark.parametrize("change", CHANGES)
def test_in_a_bucket(s3_server: S3Server, tmp_path: Path, change: str) -> None:
    data = content(tmp_path)
    options: dict[str, Any] = {"storage_options": s3_server.options}
    s3_server.put("changing", "f.h5", data)
    group = virtualizarr.parse("s3://changing/f.h5", **options)
    np.testing.assert_array_equal(values(group, **options), VALUES)
    s3_server.put("changing", "f.h5", CHANGES[change](data))
    with pytest.raises(ChangedSourceError, match=r"f\.h5"):
        values(group, **options)


@pytest.mark.parametrize("form", ["zarr", "icechunk"])
def test_references_that_were_written_remember(tmp_path: Path, form: str) -> None:
    path = tmp_path / "f.h5"
    path.write_bytes(content(tmp_path))
    target = tmp_path / f"store.{form}"
    writer = zarr_writer if form == "zarr" else icechunk_writer
    writer.write(virtualizarr.parse(path), target)
    np.testing.assert_array_equal(values(virtualizarr.parse(target)), VALUES)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    later = datetime.now(UTC).timestamp() + 5
    os.utime(path, (later, later))
    with pytest.raises(ChangedSourceError, match=r"f\.h5"):
        values(virtualizarr.parse(target))


def test_kerchunk_has_no_place_for_it_and_verify_still_finds_what_it_can(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    path.write_bytes(content(tmp_path))
    target = tmp_path / "refs.json"
    kerchunk_writer.write(virtualizarr.parse(path), target)
    assert not virtualizarr.verify(target).problems
    path.write_bytes(path.read_bytes()[:1000])
    assert virtualizarr.verify(target).problems
    path.unlink()
    assert virtualizarr.verify(target).problems
    with pytest.raises(SourceNotFoundError):
        values(virtualizarr.parse(target))
