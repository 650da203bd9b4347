"""Reading Icechunk repositories from their own files; icechunk's API is the witness."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from icechunk_stores import arrays_of, parsed
from materialize import tree_values
from virtualizarr.errors import (
    ChangedSourceError,
    CorruptFileError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import MISSING, Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.driver import Sources, parse_with
from virtualizarr.parsers.icechunk import IcechunkParser, chunk_refs
from virtualizarr.parsers.icechunk.files import object_names
from virtualizarr.source.memory import BytesSource
from virtualizarr.store import ManifestStore

ETAG = "0123456789abcdef"
MODIFIED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def _created(path: Path, **manifest: Any) -> icechunk.Repository:
    config = icechunk.RepositoryConfig.default()
    config.set_virtual_chunk_container(
        icechunk.VirtualChunkContainer("s3://bucket/", icechunk.s3_store(region="us-east-1"))
    )
    config.manifest = icechunk.ManifestConfig(**manifest)
    storage = icechunk.local_filesystem_storage(str(path))
    return icechunk.Repository.create(storage, config=config)


def _fill(store: icechunk.IcechunkStore) -> dict[str, np.ndarray[Any, Any]]:
    """Put native arrays into a session: large and small chunks, sparse, scalar, sharded, text."""
    rng = np.random.default_rng(1)
    root = zarr.group(store, zarr_format=3, attributes={"title": "native"})
    values = {
        "large": rng.normal(size=(20, 30)),
        "small": np.arange(50),
        "scalar": np.array(3.5),
        "sub/below/flags": np.arange(12) % 2 == 0,
    }
    chunks = {"large": (7, 16), "small": (8,), "scalar": (), "sub/below/flags": (4,)}
    for name, data in values.items():
        array = root.create_array(name, shape=data.shape, chunks=chunks[name], dtype=data.dtype)
        array[...] = data
    sparse = root.create_array("sparse", shape=(100,), chunks=(10,), dtype="i4", fill_value=-1)
    sparse[35:45] = 7
    values["sparse"] = sparse[...]
    root.create_array("empty", shape=(0, 3), chunks=(1, 3), dtype="f4")
    values["empty"] = np.zeros((0, 3), "f4")
    sharded = root.create_array("sharded", shape=(8, 8), shards=(4, 8), chunks=(2, 2), dtype="i8")
    sharded[...] = np.arange(64).reshape(8, 8)
    values["sharded"] = sharded[...]
    return values


def test_native_and_inline_chunks(tmp_path: Path) -> None:
    repository = _created(tmp_path / "repo")
    session = repository.writable_session("main")
    values = _fill(session.store)
    session.commit("one")
    group = parsed(tmp_path / "repo")
    assert dict(group.attributes) == {"title": "native"}
    found = tree_values(group)
    assert found.keys() == values.keys()
    for name, expected in values.items():
        np.testing.assert_array_equal(found[name], expected)
    large, small = group["large"], group["small"]
    assert isinstance(large, ManifestArray)
    assert isinstance(small, ManifestArray)
    assert all(f"{tmp_path.as_uri()}/repo/chunks/" in file.url for file in large.locations)
    assert not small.locations
    assert small.manifest.inline
    read = zarr.open_group(ManifestStore(group), mode="r")
    np.testing.assert_array_equal(read["large"][...], values["large"])


@pytest.mark.parametrize("split", [None, 3])
@pytest.mark.parametrize("left_out", [[], [0], [4, 5], [11], [0, 3, 6, 9, 11]])
def test_blocks_of_references_say_what_icechunk_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: int | None, left_out: list[int]
) -> None:
    """Blocks and manifests with gaps at any place; cells are kept as ranges where they can be."""
    monkeypatch.setattr(chunk_refs, "BLOCK", 4)
    every = icechunk.ManifestSplitCondition.AnyArray()
    axis = icechunk.ManifestSplitDimCondition.Axis(0)
    cut = {} if split is None else {every: {axis: split}}
    splitting = icechunk.ManifestSplittingConfig.from_dict(cut) if cut else None
    repository = _created(tmp_path / "repo", splitting=splitting)
    session = repository.writable_session("main")
    root = zarr.group(session.store, zarr_format=3)
    root.create_array("a", shape=(6, 2), chunks=(1, 1), dtype="u1", compressors=None)
    session.store.set_virtual_refs_arr(
        "a",
        [6, 2],
        ["" if cell in left_out else f"s3://bucket/{cell % 5}" for cell in range(12)],
        np.arange(12, dtype=np.uint64) * 7,
        np.arange(1, 13, dtype=np.uint64),
    )
    session.commit("references")
    array = parsed(tmp_path / "repo")["a"]
    assert isinstance(array, ManifestArray)
    manifest = array.manifest
    for cell in range(12):
        code = int(manifest.location.reshape(-1)[cell])
        if cell in left_out:
            assert code == MISSING
            continue
        assert manifest.locations[code].url == f"s3://bucket/{cell % 5}"
        assert int(manifest.offset.reshape(-1)[cell]) == 7 * cell
        assert int(manifest.length.reshape(-1)[cell]) == cell + 1


def test_old_repositories(tmp_path: Path) -> None:
    """Version 1 of the specification: refs in files of their own."""
    storage = icechunk.local_filesystem_storage(str(tmp_path / "repo"))
    repository = icechunk.Repository.create(storage, spec_version=1)
    session = repository.writable_session("main")
    values = _fill(session.store)
    snapshot = session.commit("one")
    repository.create_tag("v1", snapshot)
    for how in ({}, {"tag": "v1"}, {"snapshot_id": snapshot}):
        found = tree_values(parsed(tmp_path / "repo", **how))
        for name, expected in values.items():
            np.testing.assert_array_equal(found[name], expected)
    with pytest.raises(UnknownFormatError, match="branch 'other'"):
        parsed(tmp_path / "repo", branch="other")


def test_branches_tags_and_snapshots(tmp_path: Path) -> None:
    repository = _created(tmp_path / "repo")
    ids = []
    for number in range(3):
        session = repository.writable_session("main")
        zarr.group(session.store, overwrite=True, attributes={"n": number})
        ids.append(session.commit(str(number)))
    repository.create_branch("old", ids[0])
    repository.create_tag("v1", ids[1])
    expected = [({}, 2), ({"branch": "old"}, 0), ({"tag": "v1"}, 1), ({"snapshot_id": ids[0]}, 0)]
    for how, number in expected:
        assert parsed(tmp_path / "repo", **how).attributes["n"] == number
    for how, match in (
        ({"branch": "none"}, "there are: main, old"),
        ({"tag": "none"}, "there are: v1"),
        ({"snapshot_id": "0" * 20}, "no such"),
        ({"group": "none"}, "no group 'none'"),
    ):
        with pytest.raises(SourceNotFoundError, match=match):
            parsed(tmp_path / "repo", **how)
    with pytest.raises(UnknownFormatError, match="no Icechunk repository"):
        parsed(tmp_path / "nothing")


def _virtual(repository: icechunk.Repository, count: int, files: int) -> list[str]:
    session = repository.writable_session("main")
    zarr.create_array(session.store, name="a", shape=(count, 2), chunks=(1, 2), dtype="f4")
    urls = [f"s3://bucket/with%20blank/{'x' * (i % 5)}{i}.nc" for i in range(files)]
    specs = []
    for i in range(count):
        checks: dict[str, Any] = {}
        if i % files % 3 == 0:
            checks["etag_checksum"] = ETAG + str(i % files)
        elif i % files % 3 == 1:
            checks["last_updated_at_checksum"] = MODIFIED + timedelta(seconds=i % files)
        specs.append(icechunk.VirtualChunkSpec([i, 0], urls[i % files], 2**33 + i, i + 1, **checks))
    session.store.set_virtual_refs("a", specs)
    session.commit("virtual")
    return urls


@pytest.mark.parametrize("compressed", [False, True])
def test_virtual_chunks_with_checksums(tmp_path: Path, compressed: bool) -> None:
    """Interleaved files; from 1,000 references on their names are compressed by a dictionary."""
    count, files = (3000, 7) if compressed else (40, 7)
    urls = _virtual(_created(tmp_path / "repo"), count, files)
    found = parsed(tmp_path / "repo")["a"]
    assert isinstance(found, ManifestArray)
    manifest = found.manifest
    where = np.arange(count)
    np.testing.assert_array_equal(manifest.offset[:, 0], 2**33 + where)
    np.testing.assert_array_equal(manifest.length[:, 0], where + 1)
    names = [manifest.locations[code].url for code in manifest.location[:, 0].tolist()]
    assert names == [urls[i % files] for i in range(count)]
    for file in manifest.locations:
        number = urls.index(file.url)
        assert file.etag == (ETAG + str(number) if number % 3 == 0 else None)
        at = MODIFIED + timedelta(seconds=number) if number % 3 == 1 else None
        assert file.unmodified_since == at


def test_split_manifests_agree_with_the_iterator(tmp_path: Path) -> None:
    """Every chunk as icechunk itself lists them, over a grid cut into many manifests."""
    axis = icechunk.ManifestSplitDimCondition.Axis
    splitting = icechunk.ManifestSplittingConfig.from_dict(
        {icechunk.ManifestSplitCondition.AnyArray(): {axis(0): 3, axis(1): 2}}
    )
    repository = _created(tmp_path / "repo", splitting=splitting)
    session = repository.writable_session("main")
    zarr.create_array(session.store, name="a", shape=(10, 7), chunks=(1, 1), dtype="u1")
    urls = [f"s3://bucket/{i % 4}" if i % 3 else "" for i in range(70)]
    session.store.set_virtual_refs_arr(
        "a", (10, 7), urls, np.arange(70, dtype=np.uint64), np.ones(70, np.uint64)
    )
    session.commit("split")
    found = parsed(tmp_path / "repo")["a"]
    assert isinstance(found, ManifestArray)
    wanted = {
        f"{i // 7}.{i % 7}": {"path": url, "offset": i, "length": 1}
        for i, url in enumerate(urls)
        if url
    }
    assert found.manifest.dict() == wanted


def test_parts_of_a_repository(tmp_path: Path) -> None:
    repository = _created(tmp_path / "repo")
    session = repository.writable_session("main")
    _fill(session.store)
    session.commit("one")
    assert set(parsed(tmp_path / "repo", group="sub/below").arrays) == {"flags"}
    assert set(parsed(tmp_path / "repo", group="/sub").groups) == {"below"}
    kept = parsed(tmp_path / "repo", drop_variables=["large", "flags"], skip_variables=["small"])
    assert set(kept.arrays) == {"empty", "scalar", "sharded", "sparse"}
    assert not kept.groups["sub"].groups["below"].arrays


def test_relative_locations_are_refused_by_name(tmp_path: Path) -> None:
    config = icechunk.RepositoryConfig.default()
    config.set_virtual_chunk_container(
        icechunk.VirtualChunkContainer("s3://bucket/", icechunk.s3_store(), name="named")
    )
    storage = icechunk.local_filesystem_storage(str(tmp_path / "repo"))
    session = icechunk.Repository.create(storage, config=config).writable_session("main")
    zarr.create_array(session.store, name="a", shape=(1,), chunks=(1,), dtype="u1")
    session.store.set_virtual_ref("a/c/0", "vcc://named/x", offset=0, length=1)
    session.commit("relative")
    with pytest.raises(UnsupportedFeatureError, match="vcc://named/x") as caught:
        parsed(tmp_path / "repo")
    assert caught.value.node == "a"


def test_a_file_modified_after_the_time_that_is_stored_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"\x01\x02")
    config = icechunk.RepositoryConfig.default()
    prefix = f"{tmp_path.as_uri()}/"
    config.set_virtual_chunk_container(
        icechunk.VirtualChunkContainer(prefix, icechunk.local_filesystem_store(str(tmp_path)))
    )
    storage = icechunk.local_filesystem_storage(str(tmp_path / "repo"))
    session = icechunk.Repository.create(storage, config=config).writable_session("main")
    zarr.create_array(
        session.store, name="a", shape=(2,), chunks=(1,), dtype="u1", compressors=None
    )
    later = datetime.now(UTC) + timedelta(seconds=60)
    for i, checksum in enumerate((later, datetime(2020, 1, 1, tzinfo=UTC))):
        key, url = f"a/c/{i}", path.as_uri()
        session.store.set_virtual_ref(key, url, offset=i, length=1, checksum=checksum)
    session.commit("times")
    array = zarr.open_group(ManifestStore(parsed(tmp_path / "repo")), mode="r")["a"]
    assert array[0] == 1
    with pytest.raises(ChangedSourceError, match="modified after"):
        array[1]


def test_three_rounds(tmp_path: Path) -> None:
    """However many arrays and manifests there are."""
    repository = _created(tmp_path / "repo")
    session = repository.writable_session("main")
    _fill(session.store)
    session.commit("one")
    reading = IcechunkParser().parse("memory://m/repo")
    files = _files(tmp_path / "repo", "memory://m/repo")
    rounds = 0
    answers: list[Any] | None = None
    while True:
        try:
            requests = next(reading) if answers is None else reading.send(answers)
        except StopIteration as stop:
            group = stop.value
            break
        rounds += 1
        answers = []
        for request in requests:
            try:
                answers.append(_whole(request.reading, files, request.url))
            except VirtualizeError as error:
                answers.append(error)
    assert rounds == 3
    assert isinstance(group, ManifestGroup)
    assert len(list(arrays_of(group))) == 7


def _whole(reading: Any, files: Mapping[str, bytes], url: str) -> Any:
    from virtualizarr.source.reading import run

    if url not in files:
        raise SourceNotFoundError("there is no such file", url=url)
    return run(reading, BytesSource(files[url], url))


def _files(path: Path, base: str) -> dict[str, bytes]:
    return {
        f"{base}/{file.relative_to(path).as_posix()}": file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def mutable(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small repository with chunks of all kinds, uncompressed so that mutations go deep."""
    from numcodecs import zstd

    path = tmp_path_factory.mktemp("mutable") / "repo"
    repository = _created(path)
    session = repository.writable_session("main")
    _fill(session.store)
    session.commit("one")
    _virtual(repository, 20, 3)
    files = _files(path, "file:///repo")
    return {
        url: data[:38] + b"\0" + zstd.decompress(data[39:])
        if data[38:39] == b"\1" and "/chunks/" not in url
        else data
        for url, data in files.items()
    }


def _parse_files(files: Mapping[str, bytes]) -> ManifestGroup:
    def source(url: str) -> BytesSource:
        if url not in files and url != "file:///repo":
            raise SourceNotFoundError("there is no such file", url=url)
        return BytesSource(files.get(url, b""), url)

    return parse_with(IcechunkParser(), "file:///repo", Sources(source))


def test_uncompressed_files_are_read(mutable: dict[str, bytes]) -> None:
    assert set(_parse_files(mutable).arrays) >= {"a", "large", "small", "sparse"}


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damage_gives_our_errors_only(mutable: dict[str, bytes], data: st.DataObject) -> None:
    names = sorted(name for name in mutable if "/chunks/" not in name)
    name = data.draw(st.sampled_from(names))
    content = bytearray(mutable[name])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(content) - 1))
            size = data.draw(st.sampled_from([1, 2, 4]))
            value = data.draw(st.sampled_from([0, 1, 127, 128, 255, None]))
            new = data.draw(st.binary(min_size=size, max_size=size)) if value is None else None
            content[at : at + size] = new if new is not None else bytes([value or 0]) * size
    with suppress(VirtualizeError):
        _parse_files({**mutable, name: bytes(content)})


def test_a_bomb_is_refused(mutable: dict[str, bytes]) -> None:
    from numcodecs import zstd

    (name,) = (name for name in mutable if name.endswith("/repo"))
    bomb = mutable[name][:38] + b"\1" + zstd.compress(bytes(2**26), 19)
    with pytest.raises(CorruptFileError, match="decompress"):
        _parse_files({**mutable, name: bomb})


def test_names_of_ids() -> None:
    """Crockford's base 32, against Python's integers."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    rng = np.random.default_rng(3)
    for size in (8, 12):
        rows = rng.integers(0, 256, (5, size), dtype=np.uint8)
        width = -(-size * 8 // 5)
        for row, name in zip(rows, object_names(rows), strict=True):
            number = int.from_bytes(row.tobytes()) << (width * 5 - size * 8)
            expected = [alphabet[number >> 5 * (width - 1 - i) & 31] for i in range(width)]
            assert name == "".join(expected)


def test_recognised_by_its_listing() -> None:
    parser = IcechunkParser()
    assert parser.sniff_listing(["repo", "snapshots", "manifests"], "s3://b/r")
    assert parser.sniff_listing(["refs", "snapshots"], "s3://b/r")
    assert not parser.sniff_listing(["zarr.json", "repo"], "s3://b/r")
    assert not parser.sniff(b"ICE", "file:///x")
    assert parser.name == "icechunk"
    with pytest.raises(ValueError, match="one of"):
        IcechunkParser(branch="main", tag="v1")
    assert Location("x") == Location("x", unmodified_since=MODIFIED)
