"""Reading kerchunk references: what kerchunk writes, what the specification says, bad input."""

from __future__ import annotations

import base64
import json

import kerchunk.hdf
import kerchunk.netCDF3
import netCDF4
import numpy as np
import orjson
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from materialize import reader_of, values_of
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import INLINE, MISSING
from virtualizarr.parsers.kerchunk import KerchunkJSONParser, group_from_refs
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

BASE = "file:///base/refs.json"


def zarray(**changes):
    document = {
        "zarr_format": 2,
        "shape": [4],
        "chunks": [2],
        "dtype": "<i4",
        "fill_value": None,
        "order": "C",
        "filters": None,
        "compressor": None,
    }
    return json.dumps({**document, **changes})


def refs_of(entries, attributes=None, **changes):
    return {
        ".zgroup": '{"zarr_format":2}',
        "v/.zarray": zarray(**changes),
        "v/.zattrs": json.dumps(attributes or {"_ARRAY_DIMENSIONS": ["x"]}),
        **{f"v/{key}": value for key, value in entries.items()},
    }


def parse_text(text: bytes, files=None, **options):
    sources = {url: BytesSource(data, url) for url, data in (files or {}).items()}
    source = BytesSource(text, BASE)
    return run(KerchunkJSONParser(**options).parse(BASE), source, sources.__getitem__)


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


@pytest.fixture
def netcdf3_file(tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as dataset:
        fill_example(dataset)
    return path


@pytest.fixture
def netcdf4_file(tmp_path):
    path = tmp_path / "a.nc4"
    with netCDF4.Dataset(path, "w") as dataset:
        fill_example(dataset, zlib=True, shuffle=True)
    return path


def fill_example(dataset, **options):
    dataset.createDimension("time", None)
    dataset.createDimension("x", 3)
    values = dataset.createVariable("values", "f4", ("time", "x"), fill_value=-9.0, **options)
    values[:] = np.ma.masked_equal(np.arange(12).reshape(4, 3), 5)
    packed = dataset.createVariable("packed", "i2", ("time", "x"), fill_value=-1, **options)
    packed.scale_factor = 0.5
    packed[:] = np.arange(12).reshape(4, 3)


def assert_as_xarray_reads_it(refs):
    group = group_from_refs(refs)
    with xr.open_dataset(refs, engine="kerchunk", mask_and_scale=False) as dataset:
        assert {"values", "packed"} <= group.arrays.keys()
        for name, array in group.arrays.items():
            wanted = dataset[name]
            assert values_of(array).tolist() == wanted.values.tolist()
            assert array.metadata.dimension_names == wanted.dims
            if "_FillValue" in wanted.attrs:
                assert array.metadata.attributes["_FillValue"] == wanted.attrs["_FillValue"]


def test_what_kerchunk_writes_for_netcdf3(netcdf3_file):
    assert_as_xarray_reads_it(kerchunk.netCDF3.NetCDF3ToZarr(str(netcdf3_file)).translate())


def test_what_kerchunk_writes_for_hdf5(netcdf4_file):
    refs = kerchunk.hdf.SingleHdf5ToZarr(str(netcdf4_file)).translate()
    assert_as_xarray_reads_it(refs)


def test_version_0_and_version_1_say_the_same():
    refs = refs_of({"0": ["s3://b/f", 0, 8], "1": ["s3://b/f", 8, 8]})
    wanted = [("s3://b/f", 0, 8), ("s3://b/f", 8, 8)]
    for document in (refs, {"version": 1, "refs": refs}, {"refs": refs}):
        assert references(group_from_refs(document)["v"]) == wanted
        assert references(parse_text(orjson.dumps(document))["v"]) == wanted


def test_metadata_may_be_objects_or_base64_and_hold_nan():
    text = zarray(dtype="<f4", fill_value=None)
    for value in (json.loads(text), text, "base64:" + base64.b64encode(text.encode()).decode()):
        refs = {"v/.zarray": value, "v/.zattrs": '{"missing_value": NaN}', "v/0": "base64:AAAA"}
        array = group_from_refs(refs)["v"]
        assert np.isnan(array.metadata.attributes["missing_value"])


def test_values_of_every_kind():
    refs = refs_of(
        {"0": "base64:AQI=", "1": "text", "3": ["s3://b/f", 5, 6]}, shape=[8], chunks=[2]
    )
    found = references(group_from_refs(refs)["v"])
    assert found == [b"\x01\x02", b"text", None, ("s3://b/f", 5, 6)]


def test_whole_files_take_their_sizes_from_the_files():
    refs = {"version": 1, "refs": refs_of({"0": ["data/f"], "1": ["s3://b/f"]})}
    files = {"file:///base/data/f": b"12345678", "s3://b/f": b"123"}
    group = parse_text(orjson.dumps(refs), files)
    assert references(group["v"]) == [("file:///base/data/f", 0, 8), ("s3://b/f", 0, 3)]
    with pytest.raises(UnsupportedFeatureError, match="size is not known"):
        group_from_refs(refs, BASE)
    sizes = {"file:///base/data/f": 8, "s3://b/f": 3}
    assert references(group_from_refs(refs, BASE, sizes=sizes)["v"]) == references(group["v"])


@pytest.mark.parametrize(
    "text,fs_root,wanted",
    [
        ("data/f.nc", None, "file:///base/data/f.nc"),
        ("../up.nc", None, "file:///up.nc"),
        ("f 1%.nc", None, "file:///base/f%201%25.nc"),
        ("f.nc", "/archive", "file:///archive/f.nc"),
        ("f.nc", "s3://bucket/dir/", "s3://bucket/dir/f.nc"),
        ("/abs/f.nc", "/archive", "file:///abs/f.nc"),
        ("file:///abs/a b.nc", None, "file:///abs/a%20b.nc"),
        ("s3://b/per%20cent", None, "s3://b/per%2520cent"),
        ("https://h/per%20cent", None, "https://h/per%20cent"),
    ],
)
def test_where_references_point(text, fs_root, wanted):
    refs = refs_of({"0": [text, 0, 1]})
    found = references(group_from_refs(refs, BASE, fs_root)["v"])
    assert found[0] == (wanted, 0, 1)
    assert references(parse_text(orjson.dumps(refs), fs_root=fs_root)["v"]) == found


def test_relative_paths_without_an_origin_are_refused():
    with pytest.raises(UnsupportedFeatureError, match="fs_root"):
        group_from_refs(refs_of({"0": ["f.nc", 0, 1]}))


def test_relative_paths_may_not_climb_out_of_a_store():
    with pytest.raises(CorruptFileError, match="climbs out"):
        group_from_refs(refs_of({"0": ["../../f.nc", 0, 1]}), fs_root="s3://bucket/dir")


def test_templates_are_text():
    document = {
        "version": 1,
        "templates": {"u": "s3://bucket/dir", "f": "s3://{{c}}/{{ d }}.nc"},
        "refs": refs_of({"0": ["{{u}}/a", 0, 8], "1": ["{{ f(c='b', d=12) }}", 8, 8]}),
    }
    found = references(group_from_refs(document)["v"])
    assert found == [("s3://bucket/dir/a", 0, 8), ("s3://b/12.nc", 8, 8)]


def test_gen_entries_are_written_out():
    document = {
        "version": 1,
        "templates": {"u": "s3://bucket"},
        "gen": [
            {
                "key": "v/{{i}}.{{j}}",
                "url": "{{u}}/f_{{ j * 10 }}",
                "offset": "{{(i + 1) * 1000 + j % 2}}",
                "length": "1000",
                "dimensions": {"i": {"stop": 3}, "j": [0, 1]},
            }
        ],
        "refs": {"v/.zarray": zarray(shape=[3, 2], chunks=[1, 1])},
    }
    found = references(group_from_refs(document)["v"])
    assert found[:3] == [
        ("s3://bucket/f_0", 1000, 1000),
        ("s3://bucket/f_10", 1001, 1000),
        ("s3://bucket/f_0", 2000, 1000),
    ]
    assert len(found) == 6


HOSTILE = [
    "{{ ().__class__ }}",
    "{{u.__class__.__mro__}}",
    "{{ u|attr('x') }}",
    "{{ f(c=open('/etc/passwd')) }}",
    "{% for i in range(10) %}x{% endfor %}",
    "{{ 'a' * 10**9 }}",
    "{{ absent }}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_templates_are_refused(text):
    for templates in ({"u": "x", "f": "{{c}}"}, {"u": text}):
        document = {
            "version": 1,
            "templates": templates,
            "refs": refs_of({"0": [text if templates["u"] == "x" else "{{u}}", 0, 8]}),
        }
        with pytest.raises(VirtualizeError):
            group_from_refs(document, BASE)


@pytest.mark.parametrize(
    "change",
    [
        {"offset": "{{ __import__('os') }}"},
        {"offset": "{{ i ** 99999 }}"},
        {"offset": "{{ i.real }}"},
        {"offset": "{{ 1 // i }}"},
        {"offset": "{{ 4611686018427387903 * 3 }}"},
        {"offset": "{{ " + "(" * 120 + "i" + ")" * 120 + " }}"},
        {"offset": "x{{i}}"},
        {"offset": None},
        {"dimensions": {"i": {"stop": 10**12}}},
        {"dimensions": {"i": {"stop": 0}, "j": {"stop": 10**15}}, "key": 5.0},
        {"dimensions": {"i": {"stop": 4, "step": 0}}},
        {"dimensions": {}},
        {"key": "{% raw %}"},
    ],
)
def test_hostile_gen_entries_are_refused(change):
    entry = {
        "key": "v/{{i}}",
        "url": "s3://b/f",
        "offset": "{{i}}",
        "length": "4",
        "dimensions": {"i": {"stop": 2}},
        **change,
    }
    with pytest.raises(VirtualizeError):
        group_from_refs({"version": 1, "gen": [entry], "refs": {"v/.zarray": zarray()}})


def test_separator_order_and_nested_groups():
    data = np.arange(6, dtype=">i2").reshape(2, 3)
    refs = {
        ".zgroup": {"zarr_format": 2},
        ".zattrs": {"title": "root"},
        "a/.zgroup": {"zarr_format": 2},
        "a/.zattrs": {"title": "below"},
        "a/b/v/.zarray": zarray(
            shape=[2, 3], chunks=[2, 3], dtype=">i2", order="F", dimension_separator="/"
        ),
        "a/b/v/0/0": "base64:" + base64.b64encode(data.tobytes("F")).decode(),
    }
    group = group_from_refs(refs)
    assert group.attributes == {"title": "root"}
    assert group["a"].attributes == {"title": "below"}
    array = group["a"]["b"]["v"]
    assert values_of(array).tolist() == data.tolist()
    assert group_from_refs(refs, group="/a/b")["v"].metadata == array.metadata
    with pytest.raises(UnsupportedFeatureError, match="no group"):
        group_from_refs(refs, group="absent")


@pytest.mark.parametrize("key", ["0", ""])
def test_scalars_under_either_key(key):
    refs = refs_of({key: ["s3://b/f", 3, 4]}, {"a": 1}, shape=[], chunks=[])
    assert references(group_from_refs(refs)["v"]) == [("s3://b/f", 3, 4)]


def test_interleaved_keys_and_many_arrays():
    refs = {}
    for name in ("a", "bb", "c1"):
        refs[f"{name}/.zarray"] = zarray(shape=[40], chunks=[2])
    for i in reversed(range(20)):
        for name in ("a", "bb", "c1"):
            refs[f"{name}/{i}"] = [f"s3://b/{name}", i, 1]
    group = group_from_refs(refs)
    for name in ("a", "bb", "c1"):
        assert references(group[name]) == [(f"s3://b/{name}", i, 1) for i in range(20)]


def test_skipped_variables_are_not_read():
    refs = refs_of({"0": ["s3://b/f", -1, 8]})
    assert len(group_from_refs(refs, drop_variables=["v"])) == 0
    assert len(parse_text(orjson.dumps(refs), skip_variables={"v"})) == 0


def test_consolidated_metadata_may_stand_alone():
    metadata = {"v/.zarray": json.loads(zarray()), ".zgroup": {"zarr_format": 2}}
    refs = {".zmetadata": json.dumps({"metadata": metadata}), "v/0": ["s3://b/f", 0, 8]}
    assert references(group_from_refs(refs)["v"])[0] == ("s3://b/f", 0, 8)
    refs["v/.zarray"] = zarray(shape=[2])
    with pytest.raises(CorruptFileError, match="contradict"):
        group_from_refs(refs)


@pytest.mark.parametrize(
    "dtype,fill,wanted",
    [
        ("<f4", "NaN", np.float32("nan")),
        ("<f8", "-Infinity", -np.inf),
        ("<f4", 9.96921e36, np.float32(9.96921e36)),
        ("<i2", -999.0, np.int16(-999)),
        ("|S2", base64.b64encode(b"ab").decode(), np.bytes_(b"ab")),
        ("|b1", False, np.False_),
    ],
)
def test_fill_values_are_the_mask_and_the_fill(dtype, fill, wanted):
    array = group_from_refs(refs_of({}, dtype=dtype, fill_value=fill))["v"]
    found = array.metadata.attributes["_FillValue"]
    assert np.asarray(found).tobytes() == np.asarray(wanted).astype(dtype).tobytes()
    values = values_of(array, reader_of({}))
    assert values.tobytes() == np.full(4, wanted, dtype).tobytes()


@pytest.mark.parametrize(
    "entries,changes,reason",
    [
        ({"0": ["s3://b/f", -1, 8]}, {}, "offset"),
        ({"0": ["s3://b/f", 0, -8]}, {}, "length"),
        ({"0": ["s3://b/f", 2**70, 8]}, {}, "offset"),
        ({"0": ["s3://b/f", 2**63 - 1, 8]}, {}, "beyond any file"),
        ({"0": ["s3://b/f", 1.5, 8]}, {}, "offset"),
        ({"0": ["s3://b/f", True, 8]}, {}, "offset"),
        ({"0": [None, 0, 8]}, {}, "names no file"),
        ({"0": ["s3://b/f", 0]}, {}, "the reference is"),
        ({"0": 5}, {}, "the reference is"),
        ({"0": "base64:%%%"}, {}, "base64"),
        ({"7": ["s3://b/f", 0, 8]}, {}, "outside the grid"),
        ({"00": ["s3://b/f", 0, 8]}, {}, "no chunk key"),
        ({"0.0": ["s3://b/f", 0, 8]}, {}, "no chunk key"),
        ({"1" * 30: ["s3://b/f", 0, 8]}, {}, "no chunk key"),
        ({"0": ["s3://user:pw@b/f", 0, 8]}, {}, "password"),
        ({"0": ["simplecache::s3://b/f", 0, 8]}, {}, "chained"),
        ({}, {"dtype": "|O"}, "vlen"),
        ({}, {"dtype": "|O", "filters": [{"id": "pickle"}]}, "pickle"),
        ({}, {"dtype": "<q9"}, "no dtype"),
        ({}, {"dtype": [["a", "<i4", [2]]]}, "compound"),
        ({}, {"filters": [{"id": "absent"}]}, "absent"),
        ({}, {"filters": ["zlib"]}, "no codec"),
        ({}, {"compressor": {"level": 1}}, "id"),
        ({}, {"shape": [-1]}, "shape"),
        ({}, {"shape": [4, 4]}, "do not fit"),
        ({}, {"chunks": [0]}, "no length"),
        ({}, {"order": "K"}, "order"),
        ({}, {"dimension_separator": ","}, "dimension_separator"),
        ({}, {"fill_value": "x"}, "fill"),
        ({}, {"zarr_format": 1}, "zarr_format"),
        ({"0": ["s3://b/f", 0, 8]}, {"shape": [10**12], "chunks": [1]}, "sparse"),
        ({"0": ["s3://b/f", 0, 8]}, {"shape": [2**61], "chunks": [1]}, "sparse"),
    ],
)
def test_bad_input_is_refused_naming_the_variable(entries, changes, reason):
    with pytest.raises(VirtualizeError, match=reason) as caught:
        group_from_refs(refs_of(entries, **changes))
    assert caught.value.node is not None
    assert caught.value.node.startswith("v")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'"text"',
        b'{"version":1,"refs":{"v/.zarray":',
        b'{"version":2,"refs":{}}',
        b'{"version":1,"refs":[]}',
        b'{"version":1,"templates":{"u":5},"refs":{}}',
        b'{"version":1,"gen":[5],"refs":{}}',
        b'{"v/0":["s3://b/f",0,8]}',
        b'{"v/.zarray":"{"}',
        b'{"v/.zarray":[]}',
        b'{"v/.zarray":["s3://b/f",0,8]}',
        b'{"v/zarr.json":{"node_type":"file"}}',
        b'{"v\\n/0":["s3://b/f",0,8]}',
        b"[" * 100_000,
    ],
)
def test_bad_documents_are_refused(text):
    with pytest.raises(VirtualizeError) as caught:
        parse_text(text)
    assert caught.value.url == BASE


def test_a_huge_empty_grid_costs_nothing():
    refs = refs_of({}, shape=[2**40], chunks=[1])
    assert group_from_refs(refs)["v"].manifest.shape_chunk_grid == (2**40,)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_mutants_raise_only_our_errors(data):
    document = {
        "version": 1,
        "templates": {"u": "s3://b", "f": "{{c}}"},
        "gen": [
            {
                "key": "w/{{i}}",
                "url": "{{u}}/f",
                "offset": "{{i*4}}",
                "length": "4",
                "dimensions": {"i": {"stop": 2}},
            }
        ],
        "refs": {
            **refs_of({"0": ["{{u}}/f", 0, 8], "1": "base64:AAAA"}),
            "w/.zarray": zarray(filters=[{"id": "shuffle", "elementsize": 4}]),
        },
    }
    text = orjson.dumps(document)
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.binary(min_size=1, max_size=3) | st.sampled_from([b"9", b"-", b"[", b'"']))
    mutant = text[:at] + new + text[at + len(new) :]
    try:
        group = parse_text(mutant)
    except VirtualizeError:
        return
    assert group is not None


def test_sniff():
    parser = KerchunkJSONParser()
    for text in (
        b'{"version": 1, "refs": {".zgroup": "{}"}}',
        b' \n{"refs":{}, "version":1}',
        b'{".zgroup": "{}"}',
        b'{"v/.zarray": "{}"}',
        b'{"zarr.json": "{}"}',
        b'\xef\xbb\xbf{"version":1,"templates":{"u":"x"}',
    ):
        assert parser.sniff(text, "x"), text
    for text in (
        b"",
        b"[]",
        b'{"type": "FeatureCollection"}',
        b'{"version": "1.0", "name": "x"}',
        b'{"metadata": {".zgroup": {}}, "zarr_consolidated_format": 1}',
        b'{"zarr_format": 3, "node_type": "group"}',
        b"\x89HDF\r\n\x1a\n",
    ):
        assert not parser.sniff(text, "x"), text
