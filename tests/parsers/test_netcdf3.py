"""netCDF classic: values and attributes against the netCDF C library; broken files are refused."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import netcdf_file

import virtualizarr
from materialize import tree_values
from netcdf_oracle import found_elsewhere, found_in
from shared_data import SHARED_DATA
from virtualizarr.errors import CorruptFileError, UnknownFormatError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers import netcdf3
from virtualizarr.parsers.netcdf3 import NetCDF3Parser
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.local import LocalSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

CORPUS = SHARED_DATA
FORMATS = ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]


def parse_file(path: Path | str, **options) -> ManifestGroup:
    source = LocalSource(path)
    return run(NetCDF3Parser(**options).parse(source.url), source)


def parse_bytes(data: bytes, **options) -> ManifestGroup:
    return run(NetCDF3Parser(**options).parse("memory://f.nc"), BytesSource(data, "memory://f.nc"))


def assert_same_value(found, wanted) -> None:
    if isinstance(wanted, str):
        if "\ufffd" not in wanted:  # where the library gives up, we read Latin-1
            assert found == wanted
        return
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert found.tobytes() == wanted.tobytes()


def assert_equal_to(group: ManifestGroup, wanted_tree) -> None:
    global_attributes, variables = wanted_tree
    assert list(group.attributes) == list(global_attributes)
    for key, value in global_attributes.items():
        assert_same_value(group.attributes[key], value)
    values = tree_values(group)
    assert list(values) == list(variables)
    for name, (dimensions, wanted, attributes) in variables.items():
        metadata = group.arrays[name].metadata
        assert metadata.dimension_names == dimensions
        assert_same_value(values[name], wanted.astype(wanted.dtype.newbyteorder("=")))
        assert list(metadata.attributes) == list(attributes)
        for key, value in attributes.items():
            assert_same_value(metadata.attributes[key], value)


@pytest.fixture(params=FORMATS)
def example(request, tmp_path) -> Path:
    path = tmp_path / "example.nc"
    with netCDF4.Dataset(path, "w", format=request.param) as dataset:
        dataset.title = "an example"
        dataset.createDimension("time", None)
        dataset.createDimension("x", 3)
        dataset.createDimension("strlen", 5)
        types = ["i1", "i2", "i4", "f4", "f8"]
        if request.param == "NETCDF3_64BIT_DATA":
            types += ["u1", "u2", "u4", "i8", "u8"]
        for code in types:
            variable = dataset.createVariable(f"fixed_{code}", code, ("x",))
            variable[:] = [1, 2, 3]
            variable = dataset.createVariable(f"record_{code}", code, ("time", "x"))
            variable[:] = np.arange(12).reshape(4, 3)
            variable.missing_value = np.dtype(code).type(7)
            variable.valid_range = np.array([1, 2], code)
        text = dataset.createVariable("text", "S1", ("x", "strlen"))
        text[:] = np.array([list("abcde"), list("fg   "), list("hijk ")], "S1")
        scalar = dataset.createVariable("scalar", "f8", ())
        scalar[...] = 2.5
        scalar.setncattr("empty", np.array([], "f8"))
        scalar.empty_text = ""
        scalar.units = "m s⁻¹"
        scalar.nan = np.float32("nan")
    return path


def test_every_type_reads_as_the_netcdf_library_reads_it(example):
    assert_equal_to(parse_file(example), found_in(example))


def test_global_attributes(example):
    assert parse_file(example).attributes == {"title": "an example"}


def test_one_round_and_the_header_alone(example):
    source = BytesSource(example.read_bytes())
    run(NetCDF3Parser().parse("memory://f.nc"), source)
    assert source.rounds == 1


def test_a_long_header_takes_two_rounds(tmp_path):
    path = tmp_path / "many.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as dataset:
        for i in range(2000):
            dataset.createVariable(f"v{i}", "i4", ()).units = "metres, more or less"
    source = BytesSource(path.read_bytes())
    group = run(NetCDF3Parser().parse("memory://f.nc"), source)
    assert len(group) == 2000
    assert source.rounds == 2


@pytest.mark.parametrize("first", [1, 3, 4, 6, 8, 13, 40, 41, 100, 163, 500])
@pytest.mark.parametrize("growth", [2, 32])
def test_a_header_read_in_pieces_is_the_same(tmp_path, monkeypatch, first, growth):
    path = tmp_path / "pieces.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_DATA") as dataset:
        dataset.title = "a file"
        dataset.createDimension("x", 3)
        for i in range(5):
            variable = dataset.createVariable(f"v{i}", "i4", ("x",))
            variable.units = f"metres {i}"
    data = path.read_bytes()
    whole = run(netcdf3.read_header(), BytesSource(data))
    monkeypatch.setattr(netcdf3, "GROWTH", growth)
    source = BytesSource(data)
    assert run(netcdf3.read_header(first), source) == whole
    assert source.rounds > 1


def test_records_of_several_variables_are_one_chunk_each(example):
    array = parse_file(example).arrays["record_f4"]
    assert array.metadata.chunk_grid.chunk_shape == (1, 3)
    assert array.manifest.shape_chunk_grid == (4, 1)


def lone_record_file(path: Path, code: str, records: int, shape: tuple[int, ...]) -> None:
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as dataset:
        dataset.createDimension("time", None)
        names = [f"d{i}" for i in range(len(shape))]
        for name, length in zip(names, shape, strict=True):
            dataset.createDimension(name, length)
        dataset.createVariable("fixed", "i2", names)[...] = 3
        variable = dataset.createVariable("only", code, ("time", *names))
        variable[:] = np.arange(records * int(np.prod(shape))).reshape(records, *shape) % 100


@pytest.mark.parametrize("code", ["i1", "i2", "i4"])
@pytest.mark.parametrize("chunk_bytes", [None, 1, 10, 40])
def test_a_lone_record_variable_has_no_padding_and_is_contiguous(tmp_path, code, chunk_bytes):
    path = tmp_path / "lone.nc"
    lone_record_file(path, code, 6, (3,))
    group = parse_file(path, chunk_bytes=chunk_bytes)
    assert_equal_to(group, found_in(path))
    if chunk_bytes is None:
        assert group.arrays["only"].manifest.shape_chunk_grid == (1, 1)


@pytest.mark.parametrize("chunk_bytes", [8, 64, 100, 1000, 5000])
def test_large_contiguous_variables_are_cut_into_equal_contiguous_chunks(tmp_path, chunk_bytes):
    path = tmp_path / "large.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as dataset:
        for name, length in {"z": 6, "y": 10, "x": 7}.items():
            dataset.createDimension(name, length)
        dataset.createVariable("v", "f8", ("z", "y", "x"))[:] = np.arange(420).reshape(6, 10, 7)
    group = parse_file(path, chunk_bytes=chunk_bytes)
    assert_equal_to(group, found_in(path))
    lengths = group.arrays["v"].manifest.length
    assert int(lengths.max()) <= max(chunk_bytes, 8)
    assert int(lengths.sum()) == 420 * 8


def test_no_records(tmp_path):
    path = tmp_path / "none.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as dataset:
        dataset.createDimension("time", None)
        dataset.createDimension("x", 3)
        dataset.createVariable("a", "f4", ("time", "x"))
        dataset.createVariable("b", "f4", ("time",))
    assert_equal_to(parse_file(path), found_in(path))


@pytest.mark.parametrize("width,kind", [(4, "NETCDF3_CLASSIC"), (8, "NETCDF3_64BIT_DATA")])
def test_the_records_of_a_streamed_file_are_counted_by_its_size(tmp_path, width, kind):
    path = tmp_path / "streamed.nc"
    with netCDF4.Dataset(path, "w", format=kind) as dataset:
        dataset.createDimension("time", None)
        dataset.createVariable("a", "f4", ("time",))[:] = np.arange(5)
        dataset.createVariable("b", "i2", ("time",))[:] = np.arange(5)
    wanted = found_in(path)
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\xff" * width + data[4 + width :])
    assert_equal_to(parse_file(path), wanted)


def test_drop_and_skip_variables_leave_out(example):
    group = parse_file(example, drop_variables={"text"}, skip_variables=["scalar"])
    assert "text" not in group
    assert "scalar" not in group
    assert "fixed_i1" in group


def test_a_truncated_file_is_refused_by_name_and_the_rest_opens(example):
    data = example.read_bytes()[:-3]
    with pytest.raises(CorruptFileError, match="truncated") as caught:
        parse_bytes(data)
    assert caught.value.node in ("record_f8", "record_u8")
    rest = parse_bytes(data, drop_variables=[caught.value.node])
    assert "fixed_f8" in rest


def test_truncation_is_seen_where_the_size_is_not_known(example):
    data = example.read_bytes()

    class Sizeless(BytesSource):
        def facts(self) -> FileFacts:
            return FileFacts()

    whole = Sizeless(data, "memory://f.nc")
    assert len(run(NetCDF3Parser().parse("memory://f.nc"), whole)) > 5
    with pytest.raises(CorruptFileError, match="truncated"):
        run(NetCDF3Parser().parse("memory://f.nc"), Sizeless(data[:-3]))


def test_groups_are_refused(example):
    with pytest.raises(VirtualizeError, match="no groups"):
        parse_file(example, group="forecast")


def test_sniff():
    parser = NetCDF3Parser()
    assert all(parser.sniff(b"CDF" + bytes([version]), "x") for version in (1, 2, 5))
    assert not parser.sniff(b"CDF\x04", "x")
    assert not parser.sniff(b"CDF", "x")
    assert not parser.sniff(b"\x89HDF\r\n\x1a\n", "x")


def test_another_format_is_named_so():
    with pytest.raises(UnknownFormatError):
        parse_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


def word(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def header(dims: bytes = word(0, 0), gatts: bytes = word(0, 0), variables: bytes = word(0, 0)):
    return b"CDF\x01" + word(0) + dims + gatts + variables


ONE_DIM = word(10, 1) + word(1) + b"x\0\0\0" + word(4)


@pytest.mark.parametrize(
    "data,reason",
    [
        (header(dims=word(11, 1)), "list dimensions"),
        (header(dims=word(0, 1)), "list dimensions"),
        (header(dims=word(10, 2**31)), "negative"),
        (header(dims=word(10, 2**30))[:16], "ends inside"),
        (header(dims=word(10, 1) + word(2**31 - 1)), "ends inside"),
        (header(dims=word(10, 2) + (word(1) + b"x\0\0\0" + word(0)) * 2), "unlimited"),
        (header(dims=word(10, 2) + (word(1) + b"x\0\0\0" + word(3)) * 2), "one name"),
        (
            header(
                dims=word(10, 2)
                + (word(1) + b"\xb5\0\0\0" + word(3))
                + (word(2) + b"\xc2\xb5\0\0" + word(3))
            ),
            "one name",
        ),
        (header(dims=word(10, 1) + word(3) + b"a/b\0" + word(3)), "cannot be a name"),
        (header(gatts=word(12, 1) + word(1) + b"a\0\0\0" + word(7, 1, 0)), "nc_type"),
        (header(ONE_DIM, variables=word(11, 1, 1) + b"v\0\0\0" + word(1, 1)), "dimension id"),
        (
            header(ONE_DIM, variables=word(11, 1, 1) + b"v\0\0\0" + word(1, 0, 0, 0, 4, 16, 8)),
            "belongs to",
        ),
        (header()[:20], "ends inside"),
        (b"CDF", "ends inside"),
    ],
)
def test_broken_headers_are_refused(data, reason):
    with pytest.raises(CorruptFileError, match=reason):
        parse_bytes(data)


def test_overlapping_variables_are_refused():
    entry = b"".join(
        word(1) + name + word(1, 0, 0, 0, 4, 16, 116) for name in (b"v\0\0\0", b"w\0\0\0")
    )
    with pytest.raises(CorruptFileError, match="belongs to"):
        parse_bytes(header(ONE_DIM, variables=word(11, 2) + entry) + bytes(200))


def test_declared_records_cost_no_memory():
    entry = word(1) + b"v\0\0\0" + word(1, 0, 0, 0, 1, 4, 96)
    dims = word(10, 1) + word(1) + b"t\0\0\0" + word(0)
    data = bytearray(header(dims, variables=word(11, 1) + entry) + bytes(64))
    data[4:8] = word(2**31 - 1)
    with pytest.raises(CorruptFileError, match="truncated"):
        parse_bytes(bytes(data))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutants_raise_only_our_errors(data):
    original = mutable_file()
    position = data.draw(st.integers(0, min(len(original), 400) - 1))
    replacement = data.draw(st.binary(min_size=1, max_size=8))
    mutant = original[:position] + replacement + original[position + len(replacement) :]
    with suppress(VirtualizeError):
        parse_bytes(mutant[: data.draw(st.integers(0, len(mutant)))])


def mutable_file() -> bytes:
    dataset = netCDF4.Dataset("memory.nc", "w", format="NETCDF3_CLASSIC", memory=1024)
    dataset.createDimension("time", None)
    dataset.createDimension("x", 3)
    dataset.createVariable("a", "f4", ("time", "x"))[:] = np.zeros((4, 3))
    dataset.createVariable("b", "i2", ("time",))[:] = np.zeros(4)
    dataset.createVariable("c", "f8", ("x",)).units = "metre"
    return bytes(dataset.close())


MAY_BE_REFUSED = {"test6645.nc"}
"""Valid files that end before their data do; the netCDF library reads zeros there."""

WITHOUT_VALUES = {"bad_large_rec_2_vars.nc2"}
"""Refused by the library for records too large for the format; there are none of them."""


def corpus_files(folder: str) -> list[Path]:
    return sorted(p for p in (CORPUS / folder).glob("**/*") if p.is_file())


FILES = [*corpus_files("netcdf3"), *corpus_files("netcdf3-invalid")]


@pytest.fixture(scope="module")
def netcdf_library():
    return found_elsewhere(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: os.fspath(path.relative_to(CORPUS)))
def test_the_corpus_reads_as_the_netcdf_library_reads_it(path, netcdf_library):
    wanted = netcdf_library[path]
    refusable = "netcdf3-invalid" in path.parts or path.name in MAY_BE_REFUSED
    if path.name in WITHOUT_VALUES:
        assert all(array.metadata.shape[0] == 0 for array in parse_file(path).arrays.values())
        return
    if wanted is None:
        with pytest.raises(VirtualizeError):
            parse_file(path)
        return
    try:
        group = parse_file(path)
    except VirtualizeError:
        if not refusable:
            raise
        return
    assert_equal_to(group, wanted)


RIGHT_AT_LEAST = 76


def test_how_much_of_the_corpus_is_right(netcdf_library, capsys):
    """What is not right is refused; which files may be is checked above, file by file."""
    right, refused, wrong = [], [], []
    for path in FILES:
        try:
            group = parse_file(path)
        except VirtualizeError:
            refused.append(path.name)
            continue
        if netcdf_library[path] is None:
            assert path.name in WITHOUT_VALUES
            continue
        try:
            assert_equal_to(group, netcdf_library[path])
        except AssertionError:
            wrong.append(path.name)
        else:
            right.append(path.name)
    with capsys.disabled():
        print(f"\nnetCDF-3: right {len(right)}, refused {len(refused)}, wrong {len(wrong)}")
    assert wrong == []
    assert len(right) >= (RIGHT_AT_LEAST if FILES else 0)


def test_texts_and_numbers_that_json_does_not_have(tmp_path):
    """Latin-1 text, and NaN as missing value of integers, as real files have them (ERA-Interim)."""
    path = tmp_path / "odd.nc"
    with netcdf_file(path, "w") as file:
        file.title, file.empty = b"caf\xe9 \xff", b""
        file.createDimension("time", None)
        file.createDimension("x", 3)
        variable = file.createVariable("v", "i2", ("time", "x"))
        variable[:] = np.arange(6).reshape(2, 3)
        variable.missing_value = np.float32("nan")
        variable.limits = np.array([1.5, np.nan, np.inf], "f4")
    group = parse_file(path)
    assert group.attributes == {"title": "caf\xe9 \xff", "empty": ""}
    assert np.isnan(group["v"].metadata.attributes["missing_value"])
    dataset = virtualizarr.open_virtual_dataset(path)
    dataset.virtualize.to_kerchunk(tmp_path / "odd.json", format="json")
    with xr.open_dataset(tmp_path / "odd.json", engine="virtualizarr") as found:
        assert found.attrs["title"] == "caf\xe9 \xff"
        assert found.v.values.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_names_that_are_not_utf_8_are_latin_1(tmp_path):
    path = tmp_path / "latin1.nc"
    with netcdf_file(path, "w") as file:
        file.createDimension("längd", 3)
        made = file.createVariable("höjd", "i4", ("längd",))
        made[:] = [1, 2, 3]
        setattr(made, "Bandwidth (µm)", 0.5)
    assert "höjd".encode("latin-1") in path.read_bytes()
    array = parse_file(path).arrays["höjd"]
    assert array.metadata.dimension_names == ("längd",)
    assert array.metadata.attributes["Bandwidth (µm)"] == 0.5


def test_zeros_at_the_end_of_names_are_padding(tmp_path):
    path = tmp_path / "padded.nc"
    with netcdf_file(path, "w") as file:
        file.createDimension("pp", 3)
        file.createVariable("vvv", "i4", ("pp",))[:] = [1, 2, 3]
    counted = path.read_bytes().replace(word(2) + b"pp\0\0", word(4) + b"pp\0\0")
    counted = counted.replace(word(3) + b"vvv\0", word(4) + b"vvv\0")
    assert counted != path.read_bytes()
    path.write_bytes(counted)
    group = parse_file(path)
    assert_equal_to(group, found_elsewhere([path])[path])
    assert group.arrays["vvv"].metadata.dimension_names == ("pp",)
