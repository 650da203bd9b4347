"""Reading Parquet references: what kerchunk writes, what the specification says, bad input."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import kerchunk.df
import kerchunk.netCDF3
import netCDF4
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialize import values_of
from servers.ranges import RangeServer
from strategies import assert_same_tree
from virtualizarr.errors import (
    CorruptFileError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import INLINE, MISSING
from virtualizarr.parsers import KerchunkParquetParser
from virtualizarr.parsers.driver import Sources, parse_with
from virtualizarr.parsers.kerchunk import group_from_refs
from virtualizarr.parsing import settled
from virtualizarr.source.open import open_source
from virtualizarr.source.urls import normalize_url

ZARRAY = {
    "zarr_format": 2,
    "shape": [20],
    "chunks": [2],
    "dtype": "<i4",
    "fill_value": None,
    "order": "C",
    "filters": None,
    "compressor": None,
}
URL = "s3://bucket/file"


def parsed(path, **options):
    """Return what is at a path, all of it read."""
    sources = Sources(open_source)
    return settled(parse_with(KerchunkParquetParser(**options), normalize_url(path), sources))


def references(array):
    manifest = array.manifest
    return [
        None
        if code == MISSING
        else manifest.inline[int(offset) : int(offset) + int(length)]
        if code == INLINE
        else (manifest.locations[code].url, int(offset), int(length))
        for code, offset, length in zip(
            manifest.location.ravel(), manifest.offset.ravel(), manifest.length.ravel(), strict=True
        )
    ]


def store(root: Path, parts, record_size=4, documents=None, **zarray) -> Path:
    """Write a store of one array "v" by hand; `parts` maps numbers to columns or bytes."""
    held = {".zgroup": {"zarr_format": 2}, "v/.zarray": {**ZARRAY, **zarray}, "v/.zattrs": {}}
    metadata = {"metadata": documents or held, "record_size": record_size}
    (root / "v").mkdir(parents=True)
    (root / ".zmetadata").write_text(json.dumps(metadata))
    for number, part in parts.items():
        path = root / "v" / f"refs.{number}.parq"
        if isinstance(part, bytes):
            path.write_bytes(part)
        else:
            pq.write_table(pa.table(part), path)
    return root


def kerchunk_store(root: Path, refs, **options) -> Path:
    root.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kerchunk.df.refs_to_dataframe({"version": 1, "refs": refs}, str(root), **options)
    return root


@pytest.mark.parametrize("threshold", [1, 10])
def test_what_kerchunk_writes(tmp_path, threshold):
    data = tmp_path / "data.bin"
    data.write_bytes(bytes(range(80)))
    url = str(data)
    refs = {
        ".zgroup": '{"zarr_format":2}',
        "v/.zarray": json.dumps(ZARRAY),
        "v/.zattrs": '{"_ARRAY_DIMENSIONS":["x"]}',
        **{f"v/{i}": [url, 8 * i, 8] for i in (0, 1, 4)},
        "v/5": [url],
        "v/6": "base64:AQAAAAIAAAA=",
        "v/8": "12345678",
    }
    root = kerchunk_store(
        tmp_path / "refs.parq", refs, record_size=4, categorical_threshold=threshold
    )
    found = parsed(root)
    uri = normalize_url(data)
    assert references(found["v"]) == [
        *((uri, 0, 8), (uri, 8, 8), None, None, (uri, 32, 8)),
        *((uri, 0, 80), b"\1\0\0\0\2\0\0\0", None, b"12345678", None),
    ]
    assert_same_tree(found, group_from_refs(refs, sizes={uri: 80}))


def test_values_that_kerchunk_refers_to(tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as dataset:
        dataset.createDimension("time", None)
        dataset.createDimension("x", 3)
        for name, kind in (("values", "f4"), ("packed", "i2")):
            variable = dataset.createVariable(name, kind, ("time", "x"), fill_value=-1)
            variable[:] = np.ma.masked_equal(np.arange(12).reshape(4, 3), 5)
    refs = kerchunk.netCDF3.NetCDF3ToZarr(str(path)).translate()["refs"]
    found = parsed(kerchunk_store(tmp_path / "refs.parq", refs, record_size=3))
    for name in ("values", "packed"):
        wanted = [[0, 1, 2], [3, 4, -1], [6, 7, 8], [9, 10, 11]]
        assert values_of(found[name]).tolist() == wanted
        assert found[name].metadata.attributes["_FillValue"] == -1
        assert found[name].metadata.dimension_names == ("time", "x")


@pytest.mark.parametrize("path_type", [pa.string(), pa.large_string(), "dictionary"])
@pytest.mark.parametrize("number_type", [pa.int64(), pa.uint64(), pa.int32()])
def test_columns_of_many_types_in_any_order(tmp_path, path_type, number_type):
    paths = pa.array([URL, None, f"{URL}2", URL])
    paths = paths.dictionary_encode() if path_type == "dictionary" else paths.cast(path_type)
    part = {
        "raw": pa.array([None, b"ab", None, None]),
        "size": pa.array([5, 0, 6, 7], number_type),
        "path": paths,
        "offset": pa.array([1, 0, 2, 3], number_type),
        "more": pa.array([1.0, 2.0, 3.0, 4.0]),
    }
    found = references(parsed(store(tmp_path / "r", {0: part}, shape=[8]))["v"])
    assert found == [(URL, 1, 5), b"ab", (f"{URL}2", 2, 6), (URL, 3, 7)]


def test_absent_columns_files_and_rows_are_missing_chunks(tmp_path):
    ranges = {"path": [URL, URL], "offset": [1, 2], "size": [3, 4]}
    inline = {"raw": pa.array([b"x", None, b"base64:AQI=", b""])}
    found = references(parsed(store(tmp_path / "r", {0: ranges, 2: inline}, shape=[24]))["v"])
    middle = [None] * 4
    assert found == [(URL, 1, 3), (URL, 2, 4), None, None, *middle, b"x", None, b"\1\2", b""]


def test_a_store_of_missing_chunks_alone(tmp_path):
    assert parsed(store(tmp_path / "r", {}, shape=[10**15]))["v"].manifest.all_missing


def test_files_after_the_last_and_padding_are_not_read(tmp_path):
    padded = {"path": [URL, None, None, None], "offset": [1, 0, 0, 0], "size": [3, 0, 0, 0]}
    root = store(tmp_path / "r", {0: padded, 1: b"left over"}, shape=[2])
    assert references(parsed(root)["v"]) == [(URL, 1, 3)]


def test_relative_paths_groups_and_dropped_variables(tmp_path):
    documents = {
        ".zgroup": {"zarr_format": 2},
        "g/.zgroup": {"zarr_format": 2},
        **{f"g/{name}/.zarray": {**ZARRAY, "shape": [2]} for name in "ab"},
    }
    root = store(tmp_path / "r", {}, documents=documents)
    for name in "ab":
        (root / "g" / name).mkdir(parents=True)
        part = pa.table({"path": [f"{name}.nc"], "offset": [1], "size": [2]})
        pq.write_table(part, root / "g" / name / "refs.0.parq")
    found = parsed(root, group="g", skip_variables=["b"])
    assert list(found.arrays) == ["a"]
    assert references(found["a"]) == [(normalize_url(tmp_path / "a.nc"), 1, 2)]
    found = parsed(root, fs_root="s3://bucket/dir", drop_variables=["a"])
    assert list(found.groups["g"].arrays) == ["b"]
    assert references(found.groups["g"]["b"]) == [("s3://bucket/dir/b.nc", 1, 2)]


GOOD = {"path": [URL] * 4, "offset": [1, 2, 3, 4], "size": [5] * 4}
BAD = {
    "negative offset": ({**GOOD, "offset": [1, -2, 3, 4]}, "offset of row 1 is -2"),
    "negative size": ({**GOOD, "size": [5, 5, 5, -1]}, "size of row 3 is -1"),
    "beyond any file": ({**GOOD, "offset": [1, 2, 3, 2**63 - 2]}, "row 3 lies beyond"),
    "too large": ({**GOOD, "offset": pa.array([2**63] * 4, pa.uint64())}, "broken"),
    "float offsets": ({**GOOD, "offset": [1.0, 2.0, 3.0, 4.0]}, "'offset' is of type double"),
    "text sizes": ({**GOOD, "size": ["5"] * 4}, "'size' is of type string"),
    "number paths": ({**GOOD, "path": [1, 2, 3, 4]}, "'path'"),
    "number raws": ({**GOOD, "raw": [1, 2, 3, 4]}, "'raw' is of type int64"),
    "no columns": ({"offset": [1], "size": [1]}, "none of them"),
    "base64": ({"raw": [b"base64:###"]}, "not base64"),
    "too many rows": ({"raw": [None] * 4 + [b"x"]}, "5 rows"),
    "empty path": ({**GOOD, "path": [""] * 4}, "names no file"),
    "not Parquet": (b"not Parquet at all", "not Parquet"),
    "empty": (b"", "not Parquet"),
}


@pytest.mark.parametrize("name", BAD)
def test_broken_files_are_named(tmp_path, name):
    part, reason = BAD[name]
    root = store(tmp_path / "r", {0: GOOD, 1: part})
    with pytest.raises(CorruptFileError, match=reason) as caught:
        parsed(root)
    assert caught.value.node == "v/refs.1.parq"
    assert str(root) in str(caught.value)


def test_references_outside_the_grid_are_refused(tmp_path):
    root = store(tmp_path / "r", {0: GOOD}, shape=[6])
    with pytest.raises(CorruptFileError, match="after the last"):
        parsed(root)


def test_a_whole_file_that_is_not_there_is_named(tmp_path):
    part = {"path": ["gone.nc"], "offset": [0], "size": [0]}
    with pytest.raises(SourceNotFoundError, match=r"gone\.nc"):
        parsed(store(tmp_path / "r", {0: part}))


METADATA = {
    "no json": ("{", CorruptFileError, "not JSON"),
    "no record size": ('{"metadata":{}}', UnknownFormatError, "record_size"),
    "a record size of 0": ('{"metadata":{},"record_size":0}', CorruptFileError, "record_size is 0"),
    "text": ('{"metadata":{},"record_size":"4"}', CorruptFileError, "record_size is '4'"),
    "true": ('{"metadata":{},"record_size":true}', CorruptFileError, "record_size is True"),
    "a list": ('{"metadata":[],"record_size":4}', CorruptFileError, "no JSON object"),
    "v3": ('{"metadata":{"zarr.json":{}},"record_size":4}', UnsupportedFeatureError, "v3"),
    "number": ('{"metadata":{".zgroup":3},"record_size":4}', CorruptFileError, "JSON object"),
}


@pytest.mark.parametrize("name", METADATA)
def test_broken_metadata_are_named(tmp_path, name):
    text, kind, reason = METADATA[name]
    root = store(tmp_path / "r", {0: GOOD})
    (root / ".zmetadata").write_text(text)
    with pytest.raises(kind, match=reason):
        parsed(root)


def test_a_half_written_directory_says_so(tmp_path):
    root = store(tmp_path / "r", {0: GOOD})
    (root / ".zmetadata").unlink()
    with pytest.raises(CorruptFileError, match="not written to its end"):
        parsed(root)
    (root / "v" / "refs.0.parq").unlink()
    with pytest.raises(UnknownFormatError, match="zmetadata"):
        parsed(root)
    with pytest.raises(SourceNotFoundError):
        parsed(tmp_path / "nothing")


def test_a_grid_that_is_nearly_empty_is_refused(tmp_path):
    root = store(tmp_path / "r", {0: GOOD}, shape=[10**14])
    with pytest.raises(UnsupportedFeatureError, match="too sparse"):
        parsed(root)


def test_a_small_file_that_claims_much_is_refused(tmp_path):
    rows = 4_000_000
    part = {"raw": pa.nulls(rows, pa.binary())}
    root = store(tmp_path / "r", {0: part}, record_size=rows, shape=[2 * rows])
    assert (root / "v" / "refs.0.parq").stat().st_size < 10_000
    with pytest.raises(CorruptFileError, match="says that it holds"):
        parsed(root)


def served(root: Path) -> dict[str, bytes]:
    return {
        f"r/{path.relative_to(root)}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_web_server_that_cannot_list_is_asked_for_every_file(tmp_path):
    root = store(tmp_path / "r", {0: GOOD, 2: GOOD}, shape=[24])
    with RangeServer() as server:
        server.files.update(served(root))
        found = parsed(f"{server.url}/r")
        assert_same_tree(found, parsed(root))
        (root / ".zmetadata").write_text(
            json.dumps({"metadata": {"v/.zarray": {**ZARRAY, "shape": [10**8]}}, "record_size": 4})
        )
        server.files.update(served(root))
        with pytest.raises(UnsupportedFeatureError, match="too many"):
            parsed(f"{server.url}/r")


def test_a_directory_is_recognised_by_what_is_in_it():
    parser = KerchunkParquetParser()
    assert parser.sniff_listing([".zmetadata", "v"], "s3://b/refs")
    assert not parser.sniff_listing([".zmetadata", ".zgroup", "v"], "s3://b/store")
    assert not parser.sniff_listing(["zarr.json"], "s3://b/store")
    assert not parser.sniff(b"PAR1", "file:///x.parquet")


@pytest.fixture(scope="module")
def good_store(tmp_path_factory):
    part = {
        "path": [URL, None, f"{URL}2", URL] * 5,
        "offset": list(range(20)),
        "size": [7] * 20,
        "raw": pa.array([None, b"inline", None, None] * 5),
    }
    root = tmp_path_factory.mktemp("mutants") / "r"
    return store(root, {0: part}, record_size=20, shape=[40])


@settings(max_examples=300, deadline=2000)
@given(data=st.data())
def test_mutants_raise_errors_of_ours(good_store, data):
    path = good_store / "v" / "refs.0.parq"
    good = path.read_bytes()
    mutant = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        mutant[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([None, None, *range(0, len(good), 97)]))
    try:
        path.write_bytes(bytes(mutant[:cut]))
        try:
            found = parsed(good_store)
        except VirtualizeError:
            return
        assert found["v"].manifest.shape_chunk_grid == (20,)
    finally:
        path.write_bytes(good)
