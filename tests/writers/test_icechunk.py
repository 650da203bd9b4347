"""Icechunk: what is written is what icechunk's own reader and our parser find."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icechunk_stores import history, inline, opened, parsed, stamp, urls_of, with_native_inline
from strategies import assert_same_tree, groups
from virtual_groups import FileOfArrays
from virtualizarr.errors import (
    AlreadyExistsError,
    MissingDependencyError,
    SourceError,
    UnsupportedFeatureError,
)
from virtualizarr.model import (
    INLINE,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
    RectilinearGrid,
)
from virtualizarr.model.combine import concatenate
from virtualizarr.writers.icechunk import open_or_create_repository, write
from virtualizarr.writers.icechunk.checksums import checksum_of
from virtualizarr.writers.icechunk.containers import container_prefixes
from virtualizarr.writers.icechunk.splitting import axis_sizes, boxes

ZLIB = {"name": "numcodecs.zlib", "configuration": {"level": 1}}


def _tree(directory: Path) -> tuple[ManifestGroup, dict[str, np.ndarray[Any, Any]]]:
    """A tree over one real file: compressed, sparse, big-endian, scalar and inline arrays."""
    file = FileOfArrays(directory / "data 1#.nc")
    rng = np.random.default_rng(5)
    values = {
        "packed": rng.normal(size=(7, 10)),
        "big": np.arange(12, dtype=">i4"),
        "scalar": np.float32(2.5),
        "sub/deep/text": np.array([b"ab", b"cde", b""]),
        "sub/t": np.arange(300) * 1.5,
    }
    packed = file.add(
        values["packed"], ("y", "x"), (2, 5), encode=zlib.compress, codecs=[ZLIB], units="K"
    )
    group = ManifestGroup(
        {
            "packed": packed,
            "big": file.add(values["big"], ("n",), (5,)),
            "scalar": file.add(values["scalar"], ()),
        },
        {
            "sub": ManifestGroup(
                {"t": inline(values["sub/t"], ("t",))},
                {"deep": ManifestGroup({"text": file.add(values["sub/deep/text"], ("s",))})},
                {"level": 1},
            )
        },
        {"title": "tree", "numbers": np.array([1.0, np.nan])},
    )
    return stamp(group, file), values


def test_values_read_by_icechunk_and_zarr_are_those_of_the_file(tmp_path: Path) -> None:
    group, values = _tree(tmp_path)
    snapshot = write(group, tmp_path / "repo", commit_message="first")
    assert history(tmp_path / "repo")[0] == snapshot
    root = opened(tmp_path / "repo", group)
    for path, expected in values.items():
        np.testing.assert_array_equal(root[path][...], expected)
    assert dict(root["sub"].attrs) == {"level": 1}
    assert_same_tree(with_native_inline(parsed(tmp_path / "repo")), group)


def test_xarray_reads_it(tmp_path: Path) -> None:
    group, values = _tree(tmp_path)
    write(group, tmp_path / "repo")
    repository = open_or_create_repository(tmp_path / "repo", urls_of(group))
    store = repository.readonly_session("main").store
    with xr.open_zarr(store, consolidated=False, zarr_format=3) as dataset:
        np.testing.assert_array_equal(dataset["packed"].values, values["packed"])
        assert dataset["packed"].attrs["units"] == "K"


def _writable(group: ManifestGroup) -> ManifestGroup:
    """Move files out of directories that Icechunk cannot refer to; drop chunks of no bytes."""
    arrays = {}
    for name, array in group.arrays.items():
        moved = array.rename_paths(lambda url: url.replace("/with%20space", "/data/with%20space"))
        empty = (moved.manifest.location == INLINE) & (moved.manifest.length == 0)
        arrays[name] = ManifestArray(moved.metadata, moved.manifest.without(empty))
    groups = {name: _writable(child) for name, child in group.groups.items()}
    return ManifestGroup(arrays, groups, group.attributes)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(group=groups())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, group: ManifestGroup) -> None:
    wanted = _writable(group)
    path = tmp_path_factory.mktemp("round") / "repo"
    write(wanted, path, storage_options={"region": "us-east-1"})
    assert_same_tree(parsed(path), wanted)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_checksums_come_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Files interleaved at will, each with its own etag: one call, boxes, or rows."""
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    count = data.draw(st.integers(1, 6))
    cells = int(np.prod(shape))
    codes = np.array(
        data.draw(
            st.lists(st.sampled_from([*range(count), 0xFFFF_FFFF]), min_size=cells, max_size=cells)
        ),
        np.uint32,
    ).reshape(shape)
    files = tuple(Location(f"s3://bucket/{i}.nc", etag=f"e{i}") for i in range(count))
    present = codes != 0xFFFF_FFFF
    offset = np.where(present, np.arange(cells).reshape(shape), 0).astype(np.uint64)
    length = np.where(present, 4, 0).astype(np.uint64)
    metadata = ArrayMetadata.create(
        shape=shape, dtype=np.dtype("f4"), chunk_shape=(1,) * len(shape)
    )
    manifest = ChunkManifest.from_columns(files, codes, offset, length)
    path = tmp_path_factory.mktemp("etags") / "repo"
    write(ManifestGroup({"a": ManifestArray(metadata, manifest)}), path)
    found = parsed(path)["a"]
    assert isinstance(found, ManifestArray)
    assert found.manifest == manifest
    assert all(file.etag == f"e{file.url[12:-3]}" for file in found.manifest.locations)


def test_rectilinear_grid(tmp_path: Path) -> None:
    file = FileOfArrays(tmp_path / "a.nc")
    one, two = np.arange(31.0), np.arange(28.0) + 100
    parts = [file.add(one, ("t",)), file.add(two, ("t",))]
    metadata = parts[0].metadata.replace(shape=(59,), chunk_grid=RectilinearGrid(((31, 28),)))
    manifest = ChunkManifest.concatenate([part.manifest for part in parts], 0)
    group = stamp(ManifestGroup({"a": ManifestArray(metadata, manifest)}), file)
    write(group, tmp_path / "repo")
    with zarr.config.set({"array.rectilinear_chunks": True}):
        np.testing.assert_array_equal(opened(tmp_path / "repo", group)["a"][:], [*one, *two])
    assert_same_tree(parsed(tmp_path / "repo"), group)


def test_modes(tmp_path: Path) -> None:
    group, _ = _tree(tmp_path)
    path = tmp_path / "repo"
    first = write(group, path)
    for mode in (None, "w-"):
        with pytest.raises(AlreadyExistsError, match="mode='w'"):
            write(group, path, mode=mode)
    assert history(path)[0] == first
    write(ManifestGroup({"other": inline(np.arange(3), ("z",))}), path, mode="a")
    assert set(parsed(path).arrays) == {"big", "other", "packed", "scalar"}
    write(ManifestGroup({"other": inline(np.arange(4), ("z",))}), path, mode="w")
    assert_same_tree(parsed(path), ManifestGroup({"other": inline(np.arange(4), ("z",))}))
    with pytest.raises(ValueError, match="mode"):
        write(group, path, mode="r")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="append_dim"):
        write(group, path, mode="w", append_dim="t")


def test_a_group_below_the_root(tmp_path: Path) -> None:
    group, values = _tree(tmp_path)
    write(group, tmp_path / "repo", group_path="/far/below")
    np.testing.assert_array_equal(
        opened(tmp_path / "repo", group)["far/below/packed"][:], values["packed"]
    )
    below = parsed(tmp_path / "repo", group="far/below")
    assert_same_tree(with_native_inline(below), group)
    write(group, tmp_path / "repo", group_path="far/other")
    assert set(parsed(tmp_path / "repo").groups["far"].groups) == {"below", "other"}


def test_a_session_is_left_to_its_owner(tmp_path: Path) -> None:
    group, values = _tree(tmp_path)
    repository = open_or_create_repository(tmp_path / "repo", urls_of(group))
    before = repository.lookup_branch("main")
    for kind in ("store", "session"):
        session = repository.writable_session("main")
        target = session.store if kind == "store" else session
        assert write(group, target) is None
        assert session.has_uncommitted_changes
        np.testing.assert_array_equal(
            zarr.open_group(session.store, mode="r")["packed"][:], values["packed"]
        )
    assert repository.lookup_branch("main") == before
    assert write(group, repository) == repository.lookup_branch("main") != before


def test_a_container_that_is_missing_is_named(tmp_path: Path) -> None:
    group, _ = _tree(tmp_path)
    repository = icechunk.Repository.create(icechunk.in_memory_storage())
    store = repository.writable_session("main").store
    with pytest.raises(UnsupportedFeatureError, match=r"data%201%23\.nc.*container"):
        write(group, store)
    rows = ChunkManifest.from_columns(
        tuple(Location(f"s3://b/{i}.nc", etag=str(i)) for i in range(40)),
        np.arange(40, dtype=np.uint32)[::-1].copy(),
        np.zeros(40, np.uint64),
        np.ones(40, np.uint64),
    )
    metadata = ArrayMetadata.create(shape=(40,), dtype=np.dtype("u1"), chunk_shape=(1,))
    with pytest.raises(UnsupportedFeatureError, match="container") as caught:
        write(ManifestGroup({"a": ManifestArray(metadata, rows)}), store, mode="w")
    assert caught.value.node == "a"
    assert caught.value.url == "s3://b/39.nc"
    write(group, store, mode="w", validate_containers=False)


def test_a_file_that_changed_is_not_read(tmp_path: Path) -> None:
    """Content, size or time: icechunk refuses by time, our store by all three."""
    for change in ("content", "size"):
        folder = tmp_path / change
        folder.mkdir()
        group, _ = _tree(folder)
        write(group, folder / "repo")
        opened(folder / "repo", group)["big"][:]
        (url,) = urls_of(group)
        path = folder / "data 1#.nc"
        data = path.read_bytes()
        path.write_bytes(data[:-1] + b"?" if change == "content" else data + b"more")
        later = path.stat().st_mtime + 2
        os.utime(path, (later, later))
        with pytest.raises(icechunk.IcechunkError):
            opened(folder / "repo", group)["big"][:]
        assert url.startswith("file://")


def test_checksums() -> None:
    at = datetime(2024, 1, 1, 12, 0, 0, 1, UTC)
    up = datetime(2024, 1, 1, 12, 0, 1, tzinfo=UTC)
    assert checksum_of(Location("s3://b/a", etag='"x"', last_modified=at)) == '"x"'
    assert checksum_of(Location("file:///a", etag="x", last_modified=at)) == up
    assert checksum_of(Location("https://h/a", etag="x", last_modified=up)) == up
    assert checksum_of(Location("s3://b/a", unmodified_since=up)) == up
    assert checksum_of(Location("s3://b/a")) is None
    assert checksum_of(Location("s3://b/a"), at) == up
    with pytest.raises(ValueError, match="time zone"):
        checksum_of(Location("s3://b/a"), datetime(2024, 1, 1))


def test_containers() -> None:
    urls = ["s3://b/x/1.nc", "s3://b/y/2.nc", "https://h:1/a.nc", "file:///d/e/1.nc"]
    assert container_prefixes(urls) == ("file:///d/e/", "https://h:1/", "s3://b/")
    assert container_prefixes(["file:///d/e/1", "file:///d/f/1"]) == ("file:///d/",)
    assert container_prefixes(["file:///d/1", "file:///f/1"]) == ("file:///d/", "file:///f/")
    assert container_prefixes(["file:///d/a%20b/c/1"]) == ("file:///d/",)
    for url in ("memory://m/a", "file:///a.nc", "file:///a%20b/c", "abfss://c@acc/x"):
        with pytest.raises(UnsupportedFeatureError):
            container_prefixes([url])


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=4).map(tuple), st.integers(1, 200))
def test_boxes_cover_a_grid_once(grid: tuple[int, ...], limit: int) -> None:
    seen = np.zeros(grid, np.int64)
    for box in boxes(grid, limit):
        seen[box] += 1
        assert seen[box].size <= limit
    assert (seen == 1).all()
    assert not grid or axis_sizes(grid, limit)[0][0] == 0


def _many(count: int, files: int = 100, first: int = 0) -> ManifestGroup:
    """References of made-up files, numbered from `first`, over a grid (files, n)."""
    each = count // files
    metadata = ArrayMetadata.create(
        shape=(files, each), dtype=np.dtype("f4"), chunk_shape=(1, 1), dimension_names=("t", "x")
    )
    locations = tuple(
        Location(f"s3://bucket/{i}.nc", etag=f"{i}") for i in range(first, first + files)
    )
    codes = np.broadcast_to(np.arange(files, dtype=np.uint32)[:, None], (files, each))
    offset = np.arange(count, dtype=np.uint64).reshape(files, each)
    length = np.broadcast_to(np.uint32(4), (files, each))
    manifest = ChunkManifest.from_columns(locations, codes, offset, length)
    return ManifestGroup({"a": ManifestArray(metadata, manifest)})


def test_manifests_are_split_and_written_in_batches(tmp_path: Path) -> None:
    group = _many(240_000)
    path = tmp_path / "repo"
    snapshot = write(group, path)
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(path)))
    sizes = [file.num_chunk_refs for file in repository.list_manifest_files(snapshot)]
    assert sum(sizes) == 240_000
    assert max(sizes) <= 50_000
    assert repository.list_branches() == {"main"}
    assert len(history(path)) > 2
    assert_same_tree(parsed(path), group)


def test_the_configuration_of_your_own_repository_stays(tmp_path: Path) -> None:
    """Large writes cut the manifests of what they make, and save none of that."""
    path = tmp_path / "repo"
    config = icechunk.RepositoryConfig.default()
    config.set_virtual_chunk_container(
        icechunk.VirtualChunkContainer("s3://bucket/", icechunk.s3_store(region="us-east-1"))
    )
    storage = icechunk.local_filesystem_storage(str(path))
    repository = icechunk.Repository.create(storage, config=config)
    saved = repository.config.manifest
    group = _many(240_000)
    snapshot = write(group, repository)
    assert snapshot is not None
    sizes = [file.num_chunk_refs for file in repository.list_manifest_files(snapshot)]
    assert sum(sizes) == 240_000
    assert max(sizes) <= 50_000
    assert icechunk.Repository.open(storage).config.manifest == saved
    assert_same_tree(parsed(path), group)
    more = _many(240_000, first=1000)
    write(more, repository, append_dim="t")
    joined = concatenate([group.arrays["a"], more.arrays["a"]], 0)
    assert parsed(path).arrays["a"].manifest == joined.manifest


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from writers_icechunk_many import many
from virtualizarr.writers.icechunk import write
print("go", flush=True)
write(many(), sys.argv[1], mode="w")
print("done", flush=True)
"""


@pytest.mark.parametrize(
    "kills", [4, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(1200)])]
)
def test_a_killed_write_leaves_the_old_state(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "repo"
    old = ManifestGroup({"old": inline(np.arange(5), ("t",))})
    write(old, path)
    before = history(path)
    group = _many(200_000)
    module = tmp_path / "writers_icechunk_many.py"
    source = Path(__file__).as_posix()
    module.write_text(
        "import importlib.util, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        f"spec = importlib.util.spec_from_file_location('written', {source!r})\n"
        "written = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(written)\n"
        "many = lambda: written._many(200_000)\n"
    )
    rng = np.random.default_rng(kills)
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        try:
            process.wait(float(rng.uniform(0.0, 1.0)))
        except subprocess.TimeoutExpired:
            process.kill()
        finished = b"done" in process.communicate()[0]
        if finished or history(path) != before:
            assert_same_tree(parsed(path), group)
            write(old, path, mode="w")
            before = history(path)
        assert_same_tree(parsed(path), old)
    write(group, path, mode="w")
    assert_same_tree(parsed(path), group)


def test_a_second_writer_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another commit during a write in batches: refused, and what it wrote stays."""
    from virtualizarr.writers.icechunk import nodes

    path = tmp_path / "repo"
    write(ManifestGroup({"old": inline(np.arange(5), ("t",))}), path)
    other = ManifestGroup({"other": inline(np.arange(6), ("t",))})
    real = nodes.Putter.chunks

    def slow(self: nodes.Putter, work: nodes.Work) -> None:
        monkeypatch.undo()
        write(other, path, mode="w")
        real(self, work)

    monkeypatch.setattr(nodes.Putter, "chunks", slow)
    with pytest.raises(SourceError):
        write(_many(240_000), path, mode="w")
    assert_same_tree(parsed(path), other)
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(path)))
    assert repository.list_branches() == {"main"}


def test_without_icechunk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "icechunk":
            raise ImportError("no icechunk")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r'pip install "virtualizarr\[icechunk\]"'):
        write(ManifestGroup(), tmp_path / "repo")


def test_what_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    metadata = ArrayMetadata.create(shape=(1,), dtype=np.dtype("f4"), chunk_shape=(1,))
    nothing = ChunkManifest.single_file(Location("s3://b/a"), np.zeros(1, np.uint64), 0)
    with pytest.raises(UnsupportedFeatureError, match="no bytes") as caught:
        write(ManifestGroup({"a": ManifestArray(metadata, nothing)}), tmp_path / "repo")
    assert caught.value.node == "a"
    with pytest.raises(UnsupportedFeatureError, match="memory"):
        write(ManifestGroup(), "memory://m/repo")
    empty = ManifestArray(metadata, ChunkManifest.inlined(b"").reshape_grid((1,)))
    with pytest.raises(UnsupportedFeatureError, match="no bytes"):
        write(ManifestGroup({"a": empty}), tmp_path / "repo")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(AlreadyExistsError, match="is a file"):
        write(ManifestGroup(), tmp_path / "file")
