"""Icechunk over S3 and HTTP: repositories, sources, requests, and sources that change."""

from __future__ import annotations

from asyncio import StreamWriter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import icechunk
import numpy as np
import pytest
import zarr

from icechunk_stores import opened, parsed
from servers.ranges import RangeServer
from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.driver import stamped
from virtualizarr.source.open import open_source
from virtualizarr.store import ManifestStore
from virtualizarr.writers.icechunk import write

if TYPE_CHECKING:
    from servers.s3 import S3Server

CHUNK = 100_000
COUNT = 6


def _group(url: str, options: dict[str, Any] | None = None) -> ManifestGroup:
    """An array of bytes whose chunks follow one another in one file, with the file's facts."""
    metadata = ArrayMetadata.create(
        shape=(COUNT * CHUNK,), dtype=np.dtype("u1"), chunk_shape=(CHUNK,), dimension_names=("t",)
    )
    offset = np.arange(COUNT, dtype=np.uint64) * np.uint64(CHUNK)
    manifest = ChunkManifest.single_file(Location(url), offset, CHUNK)
    source = open_source(url, None, options)
    source.read([])
    group = ManifestGroup({"a": ManifestArray(metadata, manifest)})
    return stamped(group, {url: source.facts()})


def _data(seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, COUNT * CHUNK, dtype="u1").tobytes()


def test_repository_and_source_on_s3(s3_server: S3Server) -> None:
    bucket = "icechunk-both"
    data = _data()
    s3_server.store(bucket)
    s3_server.put(bucket, "in/a b.nc", data)
    options = s3_server.options
    group = _group(f"s3://{bucket}/in/a%20b.nc", options)
    assert group.arrays["a"].locations[0].etag is not None
    target = f"s3://{bucket}/out/repo"
    snapshot = write(group, target, storage_options=options)
    assert snapshot is not None
    assert opened(target, group, options)["a"][...].tobytes() == data
    tree = parsed(target, options)
    assert tree["a"].manifest == group["a"].manifest
    assert tree["a"].locations[0].etag == group["a"].locations[0].etag
    assert write(group, target, storage_options=options, append_dim="t") == snapshot
    config = icechunk.Repository.fetch_config(
        icechunk.s3_storage(
            bucket=bucket,
            prefix="out/repo",
            region="us-east-1",
            endpoint_url=s3_server.endpoint,
            allow_http=True,
            force_path_style=True,
            access_key_id="test-key",
            secret_access_key="test-secret",
        )
    )
    assert "test-secret" not in str(config)


@pytest.mark.parametrize("change", ["content", "size"])
def test_a_source_that_changed_on_s3(s3_server: S3Server, tmp_path: Path, change: str) -> None:
    bucket, options = "icechunk-changes", s3_server.options
    s3_server.store(bucket)
    s3_server.put(bucket, "a.nc", _data())
    group = _group(f"s3://{bucket}/a.nc", options)
    write(group, tmp_path / "repo", storage_options=options)
    array = opened(tmp_path / "repo", group, options)["a"]
    assert array[:CHUNK].tobytes() == _data()[:CHUNK]
    s3_server.put(bucket, "a.nc", _data(1) if change == "content" else _data() + b"more")
    with pytest.raises(icechunk.IcechunkError):
        array[CHUNK : 2 * CHUNK]
    store = ManifestStore(parsed(tmp_path / "repo", options), storage_options=options)
    with pytest.raises(OSError, match="changed"):
        zarr.open_group(store, mode="r")["a"][:CHUNK]


def test_one_request_a_chunk_over_http(range_server: RangeServer, tmp_path: Path) -> None:
    data = _data()
    range_server.files["dir/a.nc"] = data
    group = _group(f"{range_server.url}/dir/a.nc", {"allow_http": True})
    write(group, tmp_path / "repo")
    array = opened(tmp_path / "repo", group)["a"]
    range_server.reset()
    assert array[...].tobytes() == data
    assert range_server.counts.gets == COUNT
    assert range_server.counts.requests == COUNT
    assert range_server.counts.bytes == len(data)


def test_a_server_that_fails_once_is_asked_again(range_server: RangeServer, tmp_path: Path) -> None:
    range_server.files["a.nc"] = _data()
    group = _group(f"{range_server.url}/a.nc", {"allow_http": True})
    write(group, tmp_path / "repo")
    array = opened(tmp_path / "repo", group)["a"]
    range_server.faults["a.nc"] = ["503"]
    assert array[:CHUNK].tobytes() == _data()[:CHUNK]


class ConditionalServer(RangeServer):
    """Refuses a file that is asked for as it was on the last day of 2023, as RFC 9110 says."""

    async def _answer(self, head: str, writer: StreamWriter) -> bool:
        if "if-unmodified-since: Sun, 31 Dec 2023" in head:
            return await self._status(writer, "412 Precondition Failed")
        return await super()._answer(head, writer)


@pytest.fixture
def conditional_server() -> Iterator[ConditionalServer]:
    with ConditionalServer() as server:
        yield server


def test_a_source_that_changed_over_http(
    conditional_server: ConditionalServer, tmp_path: Path
) -> None:
    """The server's file is of 2024; one that was parsed before is another."""
    conditional_server.files["a.nc"] = _data()
    url = f"{conditional_server.url}/a.nc"
    group = _group(url, {"allow_http": True})
    array = group.arrays["a"]
    (file,) = array.locations
    assert file.last_modified is not None
    before = replace(file, last_modified=file.last_modified - timedelta(days=1))
    old = ManifestArray(array.metadata, array.manifest.with_locations((before,)))
    write(group, tmp_path / "good")
    assert opened(tmp_path / "good", group)["a"][:CHUNK].tobytes() == _data()[:CHUNK]
    write(ManifestGroup({"a": old}), tmp_path / "repo")
    with pytest.raises(icechunk.IcechunkError):
        opened(tmp_path / "repo", group)["a"][:CHUNK]
