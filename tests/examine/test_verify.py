"""`verify`: every way in which references cease to hold is found and named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import virtualizarr
from netcdf_archive import EAGER, month, write_netcdf4
from servers.s3 import S3Server
from virtualizarr.errors import ChangedSourceError, SourceNotFoundError
from virtualizarr.examine.reach import reach
from virtualizarr.model import (
    INLINE,
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
)
from virtualizarr.model.columns import AffineRun

FORMATS = ["json", "parquet", "zarr", "icechunk"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    for number in range(3):
        write_netcdf4(month(number), folder / f"{number}.nc")
    return folder


@pytest.fixture
def group(archive: Path) -> ManifestGroup:
    dataset = virtualizarr.open_virtual_mfdataset(archive / "*.nc", **EAGER)
    found: ManifestGroup = dataset.vz.to_group()
    return found


def forgetful(group: ManifestGroup) -> ManifestGroup:
    """Return the tree knowing nothing of its files."""

    def forget(array: ManifestArray) -> ManifestArray:
        bare = tuple(Location(location.url) for location in array.manifest.locations)
        return ManifestArray(array.metadata, array.manifest.with_locations(bare))

    return group.map_arrays(forget)


def store_of(group: ManifestGroup, tmp_path: Path, kind: str) -> Path:
    target = tmp_path / f"store.{kind}"
    virtualizarr.convert(group, target)
    return target


@pytest.mark.parametrize("kind", FORMATS)
def test_a_sound_store(group: ManifestGroup, tmp_path: Path, kind: str) -> None:
    told: list[tuple[int, int]] = []
    report = virtualizarr.verify(
        store_of(group, tmp_path, kind), progress=lambda *done: told.append(done)
    )
    assert report.problems == ()
    assert report.ok
    assert report.locations >= 3
    assert report.arrays == len(dict(group.walk_arrays()))
    assert report.decoded >= report.arrays
    assert told[-1] == (len(told), len(told))
    assert report.unproven == 0


def test_what_is_parsed_but_not_written(archive: Path) -> None:
    assert virtualizarr.verify(archive / "0.nc").ok
    assert virtualizarr.verify(virtualizarr.parse(archive / "0.nc"), sample=0).decoded == 0


def rewritten(path: Path) -> None:
    stamp = path.stat().st_mtime_ns
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(stamp + 10**9 * 5, stamp + 10**9 * 5))


def longer(path: Path) -> None:
    stamp = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(stamp, stamp))


@pytest.mark.parametrize("kind", ["json", "parquet", "zarr"])
@pytest.mark.parametrize("change", [rewritten, longer])
def test_a_file_that_changed_is_named_by_reader_and_verify(
    group: ManifestGroup, archive: Path, tmp_path: Path, change: Any, kind: str
) -> None:
    store = store_of(group, tmp_path, kind)
    change(archive / "1.nc")
    report = virtualizarr.verify(store)
    assert [problem.url for problem in report.problems] == [(archive / "1.nc").as_uri()]
    assert "changed since it was parsed" in str(report.problems[0])
    opened = xr.open_dataset(store, engine="virtualizarr")
    with pytest.raises(ChangedSourceError, match=r"1\.nc.*changed"):
        opened["t"].load()
    np.testing.assert_array_equal(opened["t"][:4].load().shape, (4, 3, 5))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_gone_or_cut(
    group: ManifestGroup, archive: Path, tmp_path: Path, kind: str
) -> None:
    store = store_of(group, tmp_path, kind)
    (archive / "0.nc").unlink()
    os.truncate(archive / "2.nc", 300)
    report = virtualizarr.verify(store)
    assert not report.ok
    text = {problem.url: problem.reason for problem in report.problems}
    assert "no such file" in text[(archive / "0.nc").as_uri()]
    cut = text[(archive / "2.nc").as_uri()]
    assert "300" in cut or "changed" in cut  # some formats know only when it was modified
    assert all(problem.url is not None for problem in report.problems)


def test_without_evidence_a_cut_file_is_known_by_its_references(
    group: ManifestGroup, archive: Path, tmp_path: Path
) -> None:
    store = store_of(forgetful(group), tmp_path, "json")
    assert virtualizarr.verify(store).unproven == 3
    os.truncate(archive / "2.nc", 300)
    (problem,) = virtualizarr.verify(store, sample=0).problems
    assert problem.url == (archive / "2.nc").as_uri()
    assert "references reach to byte" in problem.reason


def test_chunks_that_do_not_decode(group: ManifestGroup, archive: Path, tmp_path: Path) -> None:
    store = store_of(forgetful(group), tmp_path, "json")
    manifest = group.arrays["t"].manifest
    path = archive / "1.nc"
    content = bytearray(path.read_bytes())
    for _, entry in manifest.iter_refs():
        if entry["path"] == path.as_uri():
            content[entry["offset"] : entry["offset"] + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    report = virtualizarr.verify(store, sample=100)
    assert {problem.node for problem in report.problems} == {"t"}
    assert all("does not decode" in problem.reason for problem in report.problems)
    assert len(report.problems) == 2
    again = [virtualizarr.verify(store, sample=1, seed=seed).problems for seed in (3, 3)]
    assert again[0] == again[1]


def test_an_object_that_changed_in_a_bucket(s3_server: S3Server, tmp_path: Path) -> None:
    options = s3_server.options
    path = write_netcdf4(month(0), tmp_path / "0.nc")
    s3_server.put("changing", "0.nc", path.read_bytes())
    dataset = virtualizarr.open_virtual_dataset("s3://changing/0.nc", storage_options=options)
    virtualizarr.convert(dataset.vz.to_group(), tmp_path / "a.zarr")
    assert virtualizarr.verify(tmp_path / "a.zarr", storage_options=options).ok
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    s3_server.put("changing", "0.nc", bytes(content))
    (problem,) = virtualizarr.verify(tmp_path / "a.zarr", storage_options=options).problems
    assert "etag was" in problem.reason
    ds = xr.open_dataset(tmp_path / "a.zarr", engine="virtualizarr", storage_options=options)
    with pytest.raises(ChangedSourceError, match="etag"):
        ds["t"].load()


def test_forbidden_locations_are_problems(group: ManifestGroup, tmp_path: Path) -> None:
    renamed = group.rename_paths(lambda url: url.replace("file:///", "http://127.0.0.1:1/"))
    report = virtualizarr.verify(store_of(renamed, tmp_path, "json"))
    assert len(report.problems) == 3
    assert all("allowed_locations" in problem.reason for problem in report.problems)


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="none"):
        virtualizarr.verify(tmp_path / "none.zarr")


def manifest_of(location: Any, offset: Any, length: Any, inline: bytes = b"") -> ChunkManifest:
    return ChunkManifest.from_columns(
        (Location("file:///a"), Location("file:///b")),
        np.array(location, np.uint32),
        np.array(offset, np.uint64),
        np.array(length, np.uint64),
        inline,
    )


def test_reach() -> None:
    found = reach(manifest_of([0, 1, 0, MISSING], [5, 7, 90, 0], [1, 2, 10, 0]))
    assert found.ends.tolist() == [100, 9]
    assert found.impossible == 0
    assert reach(manifest_of([0, INLINE], [2**64 - 1, 0], [2, 3], b"ab")).impossible == 2
    assert reach(manifest_of([], [], [])).ends.tolist() == [0, 0]
    run = AffineRun(100, (10**9, -10, 1), (10**9, 5, 1))
    vast = ChunkManifest.single_file(Location("file:///a"), run, 10)
    assert reach(vast).ends.tolist() == [100 + 10**9 * (10**9 - 1) + 10]
    same = ChunkManifest.single_file(
        Location("file:///a"), np.broadcast_to(np.uint64(7), (10**9, 10)), 3
    )
    assert reach(same).ends.tolist() == [10]
    assert reach(ChunkManifest.empty((10**9, 10))).ends.tolist() == []


def test_an_inline_chunk_outside_of_what_is_inline() -> None:
    metadata = ArrayMetadata.create(shape=(2,), dtype=np.dtype("u1"), chunk_shape=(1,))
    bad = ManifestArray(metadata, manifest_of([INLINE, INLINE], [0, 1], [1, 1], b"a"))
    report = virtualizarr.verify(ManifestGroup({"v": bad}), sample=0)
    assert [problem.node for problem in report.problems] == ["v"]
