"""The Zarr parser against zarr-python: stores of others, generated ones, and broken ones."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import obstore
import pytest
import zarr
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)
from zarr.storage import ZipStore

from shared_data import SHARED_DATA
from virtualizarr import plugins
from virtualizarr.errors import (
    ChangedSourceError,
    CorruptFileError,
    SourceError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.driver import Sources, parse_with, parse_with_async
from virtualizarr.parsers.zarr import ZarrParser
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.open import open_source
from virtualizarr.source.reading import run
from virtualizarr.source.stores import memory_store
from virtualizarr.source.urls import normalize_url
from virtualizarr.store import ManifestStore
from virtualizarr.testing import mutant, same_values

pytestmark = pytest.mark.filterwarnings("ignore::Warning:zarr")
CORPUS = SHARED_DATA / "zarr"
NODE_DOCUMENTS = ("zarr.json", ".zgroup", ".zarray")
DRAFTS = {"byte_cf1.zr3", "test_deprecated_no_codecs.zr3"}
"""Stores of a draft of Zarr v3 whose arrays zarr-python leaves out."""

_numbers = count()


def parse(target: str | Path, **options: Any) -> ManifestGroup:
    storage_options = options.pop("storage_options", None)
    sources = Sources(lambda url: open_source(url, None, storage_options))
    return parse_with(ZarrParser(**options), normalize_url(target), sources)


def values(group: ManifestGroup, storage_options: dict[str, Any] | None = None) -> dict[str, Any]:
    store = ManifestStore(group, storage_options=storage_options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = zarr.open_group(store, mode="r", zarr_format=3)
        return {path: root[path][...] for path, _ in group.walk_arrays()}


def oracle(store: Any) -> dict[str, Any]:
    """Return all values that zarr-python reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = zarr.open(store, mode="r")
        if isinstance(node, zarr.Array):
            return {"data": node[...]}
        members = node.members(max_depth=None)
        return {path: a[...] for path, a in members if isinstance(a, zarr.Array)}


def assert_same_values(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert same_values(found[name], expected), name


def corpus() -> Iterator[Path]:
    documents = (path for name in NODE_DOCUMENTS for path in CORPUS.rglob(name))
    yield from sorted({path.parent for path in documents})


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("path", list(corpus()), ids=lambda p: str(p.relative_to(CORPUS)))
def test_stores_of_others_read_as_zarr_reads_them(path):
    try:
        wanted = oracle(str(path))
    except (ValueError, KeyError) as error:
        pytest.skip(f"zarr-python cannot read it: {error!r:.80}")
    found = values(parse(path))
    if DRAFTS & set(path.parts):
        found = {name: found[name] for name in wanted}
    assert_same_values(found, wanted)


STORES_RIGHT_AT_LEAST = 42


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared data are not here")
def test_how_much_of_the_corpus_is_right(capsys):
    """Every store is right or refused, drafts of Zarr v3 that zarr-python does not read apart."""
    right, refused, unknown, wrong = [], [], [], []
    for path in corpus():
        try:
            wanted = oracle(str(path))
        except (ValueError, KeyError):
            unknown.append(path.name)
            continue
        try:
            found = values(parse(path))
        except VirtualizeError:
            refused.append(path.name)
            continue
        draft = DRAFTS & set(path.parts)
        same = all(same_values(found[name], expected) for name, expected in wanted.items())
        (right if same and (draft or found.keys() == wanted.keys()) else wrong).append(path.name)
    with capsys.disabled():
        counts = f"right {len(right)}, refused {len(refused)}, wrong {len(wrong)}"
        print(f"\nZarr: {counts}, not read by zarr-python {len(unknown)}")
    assert wrong == []
    assert refused == []
    assert len(right) >= STORES_RIGHT_AT_LEAST


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared data are not here")
def test_arrays_of_a_draft_without_codecs():
    found = values(parse(CORPUS / "gdal/byte_cf1.zr3"))
    assert found["x"].tolist() == [440750.0 + 60 * i for i in range(20)]
    assert found["y"].tolist() == [3750150.0 + 60 * i for i in range(20)]
    assert found["Band1"].shape == (20, 20)


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared data are not here")
@pytest.mark.parametrize("name", ["ref_oldformat", "ref_oldkeys.file", "ref_quotes_orig"])
def test_archives_of_others_with_the_store_in_a_directory(name, tmp_path):
    path = CORPUS / f"netcdf-c/nczarr_test/{name}.zip"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    roots = [d for d in tmp_path.iterdir() if d.is_dir()]
    assert len(roots) == 1
    (group,) = parse(path).groups.values()
    assert_same_values(values(group), oracle(str(roots[0])))


SHAPE, CHUNKS = (7, 5), (3, 2)
NUMBERS = np.arange(35, dtype="f8").reshape(SHAPE)


def v2_arrays() -> dict[str, dict[str, Any]]:
    lz4 = numcodecs.LZ4()
    shuffle = numcodecs.Shuffle(4)
    offset = numcodecs.FixedScaleOffset(offset=1, scale=10, dtype="<f8", astype="<i4")
    return {
        "plain": {"data": NUMBERS, "compressor": None},
        "blosc": {"data": NUMBERS.astype("f4"), "compressor": numcodecs.Blosc()},
        "big": {"data": NUMBERS.astype(">i4"), "compressor": numcodecs.Zlib()},
        "f_order": {"data": NUMBERS, "order": "F", "compressor": lz4},
        "f_cube": {"data": np.arange(24, dtype="i2").reshape(2, 3, 4), "order": "F"},
        "slashes": {"data": NUMBERS, "separator": "/"},
        "filters": {"data": NUMBERS.astype("f4"), "filters": [shuffle]},
        "packed": {"data": NUMBERS, "filters": [offset], "compressor": numcodecs.Zstd()},
        "delta": {"data": np.arange(9, dtype="<i8"), "filters": [numcodecs.Delta("<i8")]},
        "bools": {"data": NUMBERS > 7},
        "complex": {"data": NUMBERS * 1j},
        "times": {"data": np.arange(5).astype("<M8[s]"), "compressor": None},
        "spans": {"data": np.arange(5).astype("<m8[ns]")},
        "letters": {"data": np.array([b"a", b"bc", b""], "S3")},
        "unicode": {"data": np.array(["é", "日本", ""], "<U4")},
        "scalar": {"data": np.array(42, "i8")},
        "empty": {"data": np.zeros((0, 3), "i2")},
        "records": {"data": np.array([(1, 2.5), (3, 4.5)], [("a", "<i4"), ("b", "<f8")])},
    }


@pytest.mark.parametrize("consolidate", [False, True])
def test_zarr_v2(tmp_path, consolidate):
    root = zarr.open_group(tmp_path / "s.zarr", mode="w", zarr_format=2)
    root.attrs["title"] = "a store"
    deep = root.create_group("deep/er")
    for name, settings in v2_arrays().items():
        data = settings.pop("data")
        separator = settings.pop("separator", ".")
        chunks = tuple(max(1, (n + 1) // 2) for n in data.shape)
        array = deep.create_array(
            name,
            shape=data.shape,
            dtype=data.dtype,
            chunks=chunks,
            compressors=settings.pop("compressor", "auto"),
            chunk_key_encoding={"name": "v2", "separator": separator},
            **settings,
        )
        array.attrs["units"] = name
        array[...] = data
    holes = root.create_array(
        "holes", shape=(9,), dtype="i2", chunks=(2,), fill_value=-5, attributes={"long": [1, 2]}
    )
    holes[4:6] = 3
    if consolidate:
        zarr.consolidate_metadata(tmp_path / "s.zarr", zarr_format=2)
    group = parse(tmp_path / "s.zarr")
    assert_same_values(values(group), oracle(tmp_path / "s.zarr"))
    assert group["holes"].manifest.nrefs == 1
    assert group.attributes == {"title": "a store"}
    assert group["deep"]["er"]["blosc"].metadata.attributes["units"] == "blosc"


def v3_arrays() -> dict[str, dict[str, Any]]:
    sharded = {"shards": (4, 4), "chunks": (2, 2)}
    return {
        "plain": {"data": NUMBERS, "compressors": None},
        "zstd": {"data": NUMBERS.astype("f4"), "compressors": ZstdCodec()},
        "blosc": {"data": NUMBERS.astype("i2"), "compressors": [BloscCodec(), GzipCodec()]},
        "big": {"data": NUMBERS.astype("i4"), "serializer": BytesCodec(endian="big")},
        "turned": {"data": NUMBERS, "filters": TransposeCodec(order=(1, 0))},
        "checked": {"data": NUMBERS, "compressors": Crc32cCodec()},
        "sharded": {"data": NUMBERS, **sharded},
        "sharded_plain": {"data": NUMBERS, **sharded, "compressors": None},
        "dots": {"data": NUMBERS, "chunk_key_encoding": {"name": "default", "separator": "."}},
        "v2_keys": {"data": NUMBERS, "chunk_key_encoding": {"name": "v2", "separator": "."}},
        "bools": {"data": NUMBERS > 7},
        "text": {"data": np.array(["é", "a longer one", ""], "T")},
        "times": {"data": np.arange(5).astype("M8[s]")},
        "scalar": {"data": np.array(42, "i8")},
        "scalar_v2": {"data": np.array(7, "i8"), "chunk_key_encoding": {"name": "v2"}},
        "empty": {"data": np.zeros((0, 3), "i2")},
    }


def write_v3(path: Path | str | Any, names: set[str] | None = None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = zarr.open_group(path, mode="w", zarr_format=3)
        root.attrs["title"] = "a store"
        deep = root.create_group("deep/er")
        for name, settings in v3_arrays().items():
            if names is not None and name not in names:
                continue
            data = settings.pop("data")
            chunks = tuple(max(1, (n + 1) // 2) for n in data.shape)
            array = deep.create_array(
                name,
                shape=data.shape,
                dtype=data.dtype,
                dimension_names=[f"d{n}" for n in range(data.ndim)],
                **{"chunks": chunks, **settings},
            )
            array[...] = data
        holes = root.create_array("holes", shape=(9,), dtype="f4", chunks=(2,), fill_value=-5)
        holes[4:6] = 3
    return root


@pytest.mark.parametrize("consolidate", [False, True])
def test_zarr_v3(tmp_path, consolidate):
    write_v3(tmp_path / "s.zarr")
    if consolidate:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(tmp_path / "s.zarr")
    group = parse(tmp_path / "s.zarr")
    assert_same_values(values(group), oracle(tmp_path / "s.zarr"))
    assert group["holes"].manifest.nrefs == 1
    assert group.attributes == {"title": "a store"}
    assert group["deep"]["er"]["zstd"].metadata.dimension_names == ("d0", "d1")


def test_parts_of_a_store(tmp_path):
    write_v3(tmp_path / "s.zarr", {"plain", "zstd"})
    whole = parse(tmp_path / "s.zarr")
    for consolidated in (False, True):
        assert parse(tmp_path / "s.zarr", group="/deep/") == whole["deep"]
        one = parse(tmp_path / "s.zarr", group="deep/er/zstd")
        assert one == ManifestGroup({"zstd": whole["deep"]["er"]["zstd"]})
        less = parse(tmp_path / "s.zarr", skip_variables=["holes", "zstd"])
        assert sorted(path for path, _ in less.walk_arrays()) == ["deep/er/plain"]
        with pytest.raises(SourceNotFoundError, match="nope"):
            parse(tmp_path / "s.zarr", group="nope")
        if not consolidated:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                zarr.consolidate_metadata(tmp_path / "s.zarr")


def test_a_root_array_is_one_variable(tmp_path):
    array = zarr.create_array(tmp_path / "r.zarr", shape=(4,), chunks=(2,), dtype="i4")
    array[:] = [1, 2, 3, 4]
    group = parse(tmp_path / "r.zarr")
    assert values(group)["data"].tolist() == [1, 2, 3, 4]


def test_stray_files_and_chunks_outside_the_array_are_left_out(tmp_path):
    array = zarr.create_array(
        tmp_path / "r.zarr", shape=(8, 4), chunks=(2, 2), dtype="i4", zarr_format=2
    )
    array[:] = 5
    array.resize((3, 4))
    for name in ("9.9", "0.0.tmp", "00.1", "1", "0.0.0", "1.x", "1.é", "99999999999999999999.0"):
        (tmp_path / "r.zarr" / name).write_bytes(b"junk")
    group = parse(tmp_path / "r.zarr")
    assert group["data"].manifest.nrefs == 4
    assert_same_values(values(group), oracle(tmp_path / "r.zarr"))


@pytest.mark.parametrize("index_location", ["start", "end"])
@pytest.mark.parametrize("shape", [(7, 5), (4, 4), (9, 1)])
def test_shards_taken_apart(tmp_path, shape, index_location):
    data = np.random.default_rng(1).random(shape)
    data[2:4] = 0
    array = zarr.create_array(
        tmp_path / "s.zarr",
        shape=shape,
        dtype="f8",
        chunks=(4, 4),
        compressors=None,
        fill_value=0.0,
        serializer=ShardingCodec(
            chunk_shape=(2, 1),
            codecs=[BytesCodec(), ZstdCodec()],
            index_location=index_location,
        ),
    )
    array[:] = data
    whole = parse(tmp_path / "s.zarr")["data"]
    assert whole.chunks == (4, 4)
    group = parse(tmp_path / "s.zarr", split_shards=True)
    assert group["data"].chunks == (2, 1)
    assert [codec["name"] for codec in group["data"].metadata.codecs] == ["bytes", "zstd"]
    assert same_values(values(group)["data"], data)
    assert group["data"].manifest.nrefs < np.prod(group["data"].manifest.shape_chunk_grid)


def test_a_shard_with_a_broken_index(tmp_path):
    array = zarr.create_array(tmp_path / "s.zarr", shape=(8,), chunks=(2,), shards=(4,), dtype="i4")
    array[:] = 1
    shard = tmp_path / "s.zarr/c/0"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-10] + b"x" + whole[-9:])
    with pytest.raises(CorruptFileError, match="checksum"):
        parse(tmp_path / "s.zarr", split_shards=True)
    shard.write_bytes(whole[-8:])
    with pytest.raises(CorruptFileError, match="shorter"):
        parse(tmp_path / "s.zarr", split_shards=True)


def zipped(folder: Path, target: Path, method: int | None) -> Path:
    """Zip a directory; method None alternates between stored and deflated members."""
    with zipfile.ZipFile(target, "w") as archive:
        for number, path in enumerate(sorted(folder.rglob("*"))):
            if path.is_file():
                one = method if method is not None else (0, 8)[number % 2]
                archive.write(path, str(path.relative_to(folder)), compress_type=one)
    return target


@pytest.mark.parametrize("consolidate", [False, True])
@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, None], ids=["stored", "deflated", "mixed"]
)
def test_zip_archives(tmp_path, method, consolidate):
    write_v3(tmp_path / "s.zarr")
    if consolidate:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(tmp_path / "s.zarr")
    archive = zipped(tmp_path / "s.zarr", tmp_path / "s.zip", method)
    group = parse(archive)
    assert_same_values(values(group), oracle(tmp_path / "s.zarr"))
    if method == zipfile.ZIP_STORED:
        assert "zip_member" not in str([a.metadata.codecs for _, a in group.walk_arrays()])
    assert parse(archive, group="deep") == group["deep"]
    shifted = tmp_path / "shifted.zip"
    shifted.write_bytes(b"#!/bin/sh\n" + archive.read_bytes())
    found = run(ZarrParser().parse("file:///x"), _Prefixed(shifted, archive))
    assert found["holes"].manifest.nrefs == 1


class _Prefixed(BytesSource):
    """An archive behind other bytes, as self-extracting ones are; its first bytes are a zip's."""

    def __init__(self, path: Path, archive: Path) -> None:
        content = path.read_bytes()
        super().__init__(archive.read_bytes()[:10] + content[10:], "file:///x")


def test_zip_archive_written_by_zarr_with_overwritten_members(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = ZipStore(tmp_path / "s.zip", mode="w")
        array = zarr.create_array(store, shape=(4,), chunks=(2,), dtype="i4", name="a")
        array[:] = 1
        array[:] = 2
        array.attrs["x"] = 1
        store.close()
    group = parse(tmp_path / "s.zip")
    assert values(group)["a"].tolist() == [2, 2, 2, 2]
    assert group["a"].metadata.attributes == {"x": 1}


def test_zip64(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for name, data in {
            "zarr.json": json.dumps(ROOT_ARRAY).encode(),
            "c/0": b"\1\2",
            "c/1": b"\3\4",
        }.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(data)
    assert values(parse(tmp_path / "s.zip"))["data"].tolist() == [1, 2, 3, 4]


def test_a_zip_archive_is_recognised_by_its_content(tmp_path):
    write_v3(tmp_path / "s.zarr", {"plain"})
    archive = zipped(tmp_path / "s.zarr", tmp_path / "s.zip", zipfile.ZIP_STORED)
    head = archive.read_bytes()[:4096]
    first_is_metadata = zipfile.ZipFile(archive).namelist()[0].endswith("zarr.json")
    assert ZarrParser().sniff(head, "file:///data.bin") == first_is_metadata
    assert ZarrParser().sniff(head, "file:///data.zarr.zip")
    assert plugins.detect(head, "file:///data.zarr.zip").name == "zarr"
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as nested:
        for name, data in (("x/", b""), ("x/y/", b""), ("x/y/zarr.json", b"{}"), ("x/a", b"")):
            nested.writestr(name, data)
    nested_head = (tmp_path / "nested.zip").read_bytes()
    assert ZarrParser().sniff(nested_head, "file:///nested.zip")
    assert not ZarrParser().sniff(nested_head.replace(b"zarr.json", b"zarr.txt_"), "file:///n.zip")
    assert not ZarrParser().sniff(nested_head[:40], "file:///nested.zip")
    assert not ZarrParser().sniff(b"\x89HDF\r\n\x1a\n", "file:///data.zarr")
    assert ZarrParser().sniff_listing({"zarr.json", "a"}, "file:///x")
    assert not ZarrParser().sniff_listing({"readme.txt"}, "file:///x")


@pytest.mark.parametrize("cut", [1, 10, 21, 40, 100, 400])
def test_a_zip_archive_that_was_cut(tmp_path, cut):
    write_v3(tmp_path / "s.zarr", {"plain"})
    whole = zipped(tmp_path / "s.zarr", tmp_path / "s.zip", zipfile.ZIP_DEFLATED).read_bytes()
    with pytest.raises(CorruptFileError):
        run(ZarrParser().parse("memory://zip"), BytesSource(whole[:-cut], "memory://zip"))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_mutants_of_zip_archives(tmp_path, method):
    write_v3(tmp_path / "s.zarr", {"plain", "sharded", "text"})
    whole = zipped(tmp_path / "s.zarr", tmp_path / "s.zip", method).read_bytes()
    survivors = 0
    urls: set[str | None] = set()
    for seed in range(300):
        chance = random.Random(seed)
        damaged = bytearray(mutant(whole, seed))
        at = len(damaged) - 1 - chance.randrange(min(900, len(damaged)))
        damaged[at] = chance.randrange(256)
        tracemalloc.start()
        try:
            run(
                ZarrParser(split_shards=seed % 2 == 0).parse("memory://m"),
                BytesSource(bytes(damaged), "memory://m"),
            )
            survivors += 1
        except VirtualizeError as error:
            urls.add(error.url)
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 64 * 1024 * 1024 + 20 * len(whole)
    assert survivors < 300
    assert urls == {"memory://m"}


ROOT_ARRAY: dict[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4],
    "data_type": "uint8",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
    "chunk_key_encoding": {"name": "default"},
    "fill_value": 0,
    "codecs": [{"name": "bytes"}],
}


def array_store(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "zarr.json").write_text(json.dumps({**ROOT_ARRAY, **changes}))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [-4]},
        {"shape": "four"},
        {"shape": [4, 4]},
        {"data_type": "uint9"},
        {"data_type": {"name": "numpy.datetime64", "configuration": {"unit": "x"}}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0]}}},
        {"chunk_grid": {"name": "hexagonal", "configuration": {}}},
        {"chunk_grid": None},
        {"chunk_key_encoding": {"name": "n6"}},
        {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "-"}}},
        {"chunk_key_encoding": 7},
        {"fill_value": "red"},
        {"codecs": []},
        {"codecs": [{"configuration": {}}]},
        {"codecs": 5},
        {"codecs": [{"name": "bytes", "configuration": 5}]},
        {"attributes": [1]},
        {"dimension_names": ["a", "b"]},
        {"dimension_names": 5},
        {"node_type": "leaf"},
        {"zarr_format": 4},
        {"must_be_known": {"name": "x"}},
        {"storage_transformers": [{"name": "compress-everything"}]},
        {"storage_transformers": "none"},
        {"shape": [10**30]},
        {"consolidated_metadata": {"metadata": []}},
    ],
    ids=str,
)
def test_metadata_that_are_wrong(tmp_path, changes):
    store = array_store(tmp_path / "s.zarr", **changes)
    with pytest.raises((CorruptFileError, UnsupportedFeatureError)) as raised:
        values(parse(store))
    assert raised.value.url is not None


def test_documents_cut_in_the_middle(tmp_path):
    write_v3(tmp_path / "s.zarr", {"plain"})
    path = tmp_path / "s.zarr/deep/er/plain/zarr.json"
    whole = path.read_bytes()
    for cut in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:cut])
        with pytest.raises(CorruptFileError, match="plain"):
            parse(tmp_path / "s.zarr")


def test_a_huge_grid_costs_nothing(tmp_path):
    store = array_store(tmp_path / "s.zarr", shape=[10**14])
    tracemalloc.start()
    assert parse(store)["data"].manifest.nrefs == 0
    (store / "c").mkdir()
    (store / "c/5").write_bytes(b"ab")
    with pytest.raises(UnsupportedFeatureError, match="sparse"):
        parse(store)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def manifest_store(tmp_path: Path, entries: Any, **configuration: Any) -> Path:
    """A store as VirtualiZarr 1 wrote them; `entries` as text are written as they stand."""
    settings = {"manifest": "./manifest.json", **configuration}
    store = array_store(
        tmp_path / "s.zarr",
        storage_transformers=[{"name": "chunk-manifest-json", "configuration": settings}],
    )
    text = entries if isinstance(entries, str) else json.dumps(entries)
    (store / "manifest.json").write_text(text)
    return store


def test_stores_of_virtualizarr_1(tmp_path):
    (tmp_path / "some data.bin").write_bytes(bytes(range(100)))
    entries = {
        "0": {"path": str(tmp_path / "some data.bin"), "offset": 10, "length": 2},
        "1": {"path": "some data.bin", "offset": 50, "length": 2},
    }
    group = parse(manifest_store(tmp_path, entries))
    assert values(group)["data"].tolist() == [10, 11, 50, 51]
    assert len(group["data"].locations) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "s3://b/k", "offset": -1, "length": 2},
        {"path": "s3://b/k", "offset": 1, "length": -2},
        {"path": "s3://b/k", "offset": 10**30, "length": 2},
        {"path": "s3://b/k", "offset": 2**63 - 1, "length": 2},
        {"path": "s3://b/k", "offset": 1.5, "length": 2},
        {"path": "s3://b/k", "offset": True, "length": 2},
        {"path": "s3://b/k", "offset": "1", "length": 2},
        {"path": "s3://b/k", "offset": 1},
        {"path": None, "offset": 1, "length": 2},
        {"path": "", "offset": 1, "length": 2},
        {"path": "../../etc/passwd", "offset": 1, "length": 2},
        {"path": "./../../x", "offset": 1, "length": 2},
        {"path": "./../x", "offset": 1, "length": 2},
        {"path": "a/../../../x", "offset": 1, "length": 2},
        {"path": "~root/x", "offset": 1, "length": 2},
        {"path": "a\\..\\x", "offset": 1, "length": 2},
        {"path": "s3://user:password@b/k", "offset": 1, "length": 2},
        {"path": "https://h/k?X-Amz-Signature=1", "offset": 1, "length": 2},
        [1, 2, 3],
        7,
        None,
    ],
    ids=str,
)
def test_references_that_are_wrong(tmp_path, entry):
    good = {"path": "s3://b/k", "offset": 0, "length": 2}
    with pytest.raises((CorruptFileError, UnsupportedFeatureError)):
        parse(manifest_store(tmp_path, {"0": good, "1": entry}))


@pytest.mark.parametrize("key", ["2", "-1", "0.0", "c/0", "", "1e3", "00", " 0", "0\n", "１"])
def test_keys_that_are_wrong(tmp_path, key):
    good = {"path": "s3://b/k", "offset": 0, "length": 2}
    with pytest.raises(CorruptFileError):
        parse(manifest_store(tmp_path, {"0": good, key: good}))


@pytest.mark.parametrize(
    "text", ["", "[]", "5", '{"0": {"path": "s3://b/k", "offset": 0, "len', "{" * 100_000, "nul"]
)
def test_manifests_that_are_no_manifests(tmp_path, text):
    with pytest.raises(CorruptFileError):
        parse(manifest_store(tmp_path, text))


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../manifest.json", "./../m.json", "file:///m.json", "a/../../m", "", "."],
)
def test_manifests_outside_the_store_are_refused(tmp_path, path):
    with pytest.raises(CorruptFileError, match="below"):
        parse(manifest_store(tmp_path, {}, manifest=path))


def test_a_manifest_that_is_missing(tmp_path):
    store = manifest_store(tmp_path, {})
    (store / "manifest.json").unlink()
    with pytest.raises(SourceNotFoundError, match="manifest"):
        parse(store)


def test_evidence_that_is_wrong(tmp_path):
    good = {"0": {"path": "s3://b/k", "offset": 0, "length": 2}}
    store = manifest_store(tmp_path, good, locations="./locations.json")
    for facts in ({"size": -1}, {"etag": 5}, {"last_modified": "today"}, 5, {"size": True}):
        (store / "locations.json").write_text(json.dumps({"s3://b/k": facts}))
        with pytest.raises(CorruptFileError):
            parse(store)


def test_parquet_manifests_that_are_wrong(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    store = array_store(
        tmp_path / "s.zarr",
        storage_transformers=[
            {
                "name": "chunk-manifest-parquet",
                "configuration": {"manifest": "./manifest.parquet"},
            }
        ],
    )
    path = store / "manifest.parquet"
    good: dict[str, list[Any]] = {
        "chunk": [0, 1],
        "path": ["s3://b/k", "s3://b/k"],
        "offset": [0, 2],
        "length": [2, 2],
    }
    pq.write_table(pa.table(good), path)
    assert parse(store)["data"].manifest.nrefs == 2
    whole = path.read_bytes()
    for cut in (0, 3, 50, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(CorruptFileError):
            parse(store)
    for change in (
        {"chunk": [0, 0]},
        {"chunk": [0, 2]},
        {"chunk": [0, -1]},
        {"chunk": [0, None]},
        {"chunk": ["0", "1"]},
        {"offset": [0, -1]},
        {"length": [2**63 - 1, 2**63 - 1]},
        {"path": ["s3://b/k", None]},
        {"path": [1, 2]},
        {"path": ["../x", "s3://b/k"]},
        {"size": [-1, -1]},
        {"size": ["a", "b"]},
        {"last_modified": ["a", "b"]},
    ):
        pq.write_table(pa.table({**good, **change}), path)
        with pytest.raises(CorruptFileError):
            parse(store)
    pq.write_table(pa.table({"chunk": [0], "path": ["x"]}), path)
    with pytest.raises(CorruptFileError, match="columns"):
        parse(store)
    for seed in range(150):
        path.write_bytes(mutant(whole, seed))
        try:
            parse(store)
        except VirtualizeError:
            continue


def test_what_is_no_store(tmp_path, range_server):
    with pytest.raises(UnknownFormatError):
        parse(tmp_path)
    with pytest.raises(VirtualizeError):
        parse(tmp_path / "nowhere")
    (tmp_path / "file.nc").write_bytes(b"CDF\x01")
    with pytest.raises(VirtualizeError):
        parse(tmp_path / "file.nc")
    with pytest.raises(UnknownFormatError):
        parse(f"{range_server.url}/nothing")
    with pytest.raises(UnknownFormatError):
        run(ZarrParser().parse("memory://stranger"), BytesSource(b"", "memory://stranger"))


def served(server: Any, folder: Path) -> str:
    """Serve a directory without a listing."""
    for path in folder.rglob("*"):
        if path.is_file():
            server.files[f"s.zarr/{path.relative_to(folder)}"] = path.read_bytes()
    server.reset()
    return f"{server.url}/s.zarr"


def test_a_web_server_that_cannot_list(tmp_path, range_server):
    write_v3(tmp_path / "s.zarr", {"plain", "zstd", "scalar"})
    wanted = oracle(tmp_path / "s.zarr")
    url = served(range_server, tmp_path / "s.zarr")
    with pytest.raises(UnsupportedFeatureError, match="nodes="):
        parse(url)
    names = ["holes", "deep/er/plain", "deep/er/zstd", "deep/er/scalar"]
    group = parse(url, nodes=names)
    assert_same_values(values(group), wanted)
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        parse(url, nodes=["nowhere"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(tmp_path / "s.zarr")
    url = served(range_server, tmp_path / "s.zarr")
    assert_same_values(values(parse(url)), wanted)
    assert parse(url) == group
    part = parse(url, group="deep/er", skip_variables=["plain"])
    assert part == ManifestGroup(
        {k: v for k, v in group["deep"]["er"].arrays.items() if k != "plain"}
    )


def test_too_many_chunks_to_be_probed(tmp_path, range_server):
    store = array_store(tmp_path / "s.zarr", shape=[10**6])
    with pytest.raises(UnsupportedFeatureError, match="one by one"):
        parse(served(range_server, store))


def test_an_object_store(tmp_path, s3_server):
    write_v3(tmp_path / "s.zarr", {"plain", "zstd", "sharded"})
    store = s3_server.store("zarr-parser")
    for path in (tmp_path / "s.zarr").rglob("*"):
        if path.is_file():
            key = f"a b/s.zarr/{path.relative_to(tmp_path / 's.zarr')}"
            obstore.put(store, key, path.read_bytes())
    url = "s3://zarr-parser/a b/s.zarr"
    group = parse(url, storage_options=s3_server.options)
    found = values(group, s3_server.options)
    assert_same_values(found, oracle(tmp_path / "s.zarr"))
    location = group["holes"].locations[0]
    assert location.size == group["holes"].manifest.length.max()
    assert location.etag is not None
    assert location.last_modified is not None
    split = parse(url, storage_options=s3_server.options, split_shards=True)
    assert_same_values(values(split, s3_server.options), found)


def in_memory(folder: Path) -> str:
    name = f"zarr-parser-{next(_numbers)}"
    for path in folder.rglob("*"):
        if path.is_file():
            obstore.put(memory_store(name), f"s.zarr/{path.relative_to(folder)}", path.read_bytes())
    return f"memory://{name}/s.zarr"


def test_blocking_and_async_give_the_same(tmp_path):
    write_v3(tmp_path / "s.zarr", {"plain", "zstd", "sharded"})
    for target in (normalize_url(tmp_path / "s.zarr"), in_memory(tmp_path / "s.zarr")):
        for parser in (ZarrParser(), ZarrParser(split_shards=True)):
            again = asyncio.run(parse_with_async(parser, target, Sources(open_source)))
            assert again == parse_with(parser, target, Sources(open_source))


def test_a_chunk_that_changed_is_not_read(tmp_path):
    write_v3(tmp_path / "s.zarr", {"plain"})
    for target in (str(tmp_path / "s.zarr"), in_memory(tmp_path / "s.zarr")):
        group = parse(target)
        before = values(group)
        if target.startswith("memory"):
            name = target.split("/")[2]
            obstore.put(memory_store(name), "s.zarr/deep/er/plain/c/0/0", bytes(96))
        else:
            (tmp_path / "s.zarr/deep/er/plain/c/0/0").write_bytes(bytes(96))
        with pytest.raises(ChangedSourceError):
            values(group)
        after = values(parse(target))["deep/er/plain"]
        assert not same_values(after, before["deep/er/plain"])


def test_names_that_need_encoding(tmp_path):
    root = zarr.open_group(tmp_path / "a #b?%20é.zarr", mode="w")
    array = root.create_array("température %", shape=(4,), chunks=(2,), dtype="i4")
    array[:] = [1, 2, 3, 4]
    group = parse(tmp_path / "a #b?%20é.zarr")
    assert values(group)["température %"].tolist() == [1, 2, 3, 4]


def test_links_in_a_circle(tmp_path):
    store = array_store(tmp_path / "s.zarr")
    (store / "loop").symlink_to(store, target_is_directory=True)
    with pytest.raises((SourceError, CorruptFileError)):
        parse(store)


def test_a_store_with_unreadable_parts_says_so(tmp_path):
    store = array_store(tmp_path / "s.zarr")
    shutil.rmtree(store)
    store.mkdir()
    (store / "zarr.json").mkdir()
    with pytest.raises(VirtualizeError):
        parse(store)


def test_the_parser_is_callable_as_in_2_x(tmp_path):
    write_v3(tmp_path / "s.zarr", {"plain"})
    store = ZarrParser(skip_variables=["holes"])(normalize_url(tmp_path / "s.zarr"))
    assert same_values(zarr.open_group(store, mode="r")["deep/er/plain"][...], NUMBERS)


def stores_to_damage(tmp_path: Path) -> list[Path]:
    """Stores small enough that most of their bytes matter, and the documents to damage in them."""
    write_v3(tmp_path / "v3.zarr", {"zstd", "sharded", "text"})
    shutil.copytree(tmp_path / "v3.zarr", tmp_path / "c3.zarr")
    v2 = zarr.open_group(tmp_path / "v2.zarr", mode="w", zarr_format=2)
    records = np.zeros(4, [("a", "<i4"), ("b", ">f8")])
    v2.create_array("r", data=records, chunks=(2,), attributes={"_ARRAY_DIMENSIONS": ["x"]})
    shuffle = [numcodecs.Shuffle(4)]
    v2.create_array("f", data=NUMBERS.astype("f4"), chunks=(4, 3), order="F", filters=shuffle)
    shutil.copytree(tmp_path / "v2.zarr", tmp_path / "c2.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(tmp_path / "c3.zarr")
        zarr.consolidate_metadata(tmp_path / "c2.zarr", zarr_format=2)
    (tmp_path / "m").mkdir()
    entries = {str(n): {"path": f"s3://b/{n}.nc", "offset": 10 * n, "length": 2} for n in (0, 1)}
    manifest = manifest_store(tmp_path / "m", entries, locations="./locations.json")
    facts = {"size": 5, "etag": '"x"', "last_modified": "2024-01-01T00:00:00+00:00"}
    (manifest / "locations.json").write_text(json.dumps({"s3://b/0.nc": facts}))
    return [
        tmp_path / "v3.zarr/deep/er/zstd/zarr.json",
        tmp_path / "v3.zarr/deep/er/sharded/zarr.json",
        tmp_path / "v3.zarr/zarr.json",
        tmp_path / "c3.zarr/zarr.json",
        tmp_path / "v2.zarr/r/.zarray",
        tmp_path / "v2.zarr/f/.zarray",
        tmp_path / "v2.zarr/r/.zattrs",
        tmp_path / "c2.zarr/.zmetadata",
        manifest / "zarr.json",
        manifest / "manifest.json",
        manifest / "locations.json",
    ]


def mutated_json(document: Any, chance: random.Random) -> Any:
    """Return a document with one value anywhere in it replaced or left out."""
    strange = [None, -1, 0, 10**30, 1.5, "", "x", "../..", [], [[]], {}, True, [1, 2, 3], {"a": 1}]
    if isinstance(document, dict) and document and chance.random() < 0.9:
        key = chance.choice(sorted(document))
        if chance.random() < 0.1:
            return {name: value for name, value in document.items() if name != key}
        return {**document, key: mutated_json(document[key], chance)}
    if isinstance(document, list) and document and chance.random() < 0.8:
        at = chance.randrange(len(document))
        return [*document[:at], mutated_json(document[at], chance), *document[at + 1 :]]
    return chance.choice(strange)


@pytest.mark.parametrize("tries", [50, pytest.param(3000, marks=pytest.mark.long)])
def test_mutants_of_documents(tmp_path, tries):
    for path in stores_to_damage(tmp_path):
        whole = path.read_bytes()
        store = next(p for p in path.parents if p.suffix == ".zarr")
        refused = 0
        for seed in range(tries):
            chance = random.Random(seed)
            if seed % 2:
                path.write_bytes(mutant(whole, seed))
            else:
                path.write_text(json.dumps(mutated_json(json.loads(whole), chance)))
            try:
                group = parse(store, split_shards=seed % 3 == 0)
            except VirtualizeError:
                refused += 1
                continue
            assert isinstance(group, ManifestGroup)
        path.write_bytes(whole)
        assert refused
