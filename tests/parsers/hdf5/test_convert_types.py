"""Datatypes and fill values, against h5py."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

import virtualizarr
from parsers.hdf5.reading_files import parse, value
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.parsers.hdf5.convert.elements import element_of
from virtualizarr.parsers.hdf5.layout_datatype import Bitfield, ByteOrder
from virtualizarr.store import ManifestStore
from virtualizarr.testing import parse_file

NUMBERS = ["i1", "u1", *(f"{o}{k}{n}" for o in "<>" for k in "iu" for n in (2, 4, 8))]
FLOATS = [f"{o}f{n}" for o in "<>" for n in (2, 4, 8)]
COMPLEX = [f"{o}c{n}" for o in "<>" for n in (8, 16)]
PADDED = np.dtype(
    {"names": ["a", "b"], "formats": ["<i2", "<f8"], "offsets": [4, 16], "itemsize": 32}
)
MIXED = np.dtype([("little", "<i4"), ("big", ">f4"), ("inner", [("x", ">u2"), ("text", "S3")])])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.h5"


def plain(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values.astype(values.dtype.newbyteorder("="))


@pytest.mark.parametrize("dtype", [*NUMBERS, *FLOATS, *COMPLEX, "?", "S5", "V3"])
@pytest.mark.parametrize("options", [{}, {"chunks": (4,), "compression": "gzip", "shuffle": True}])
def test_values_of_a_type(path: Path, dtype: str, options: dict[str, Any]) -> None:
    raw = np.random.default_rng(7).integers(0, 256, 10 * np.dtype(dtype).itemsize, np.uint8)
    data = (raw > 99).view("?") if dtype == "?" else raw.view(dtype)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=data, **options)
    found = value(path, "x")
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert found.tobytes() == plain(data).tobytes()


def test_an_array_type_has_trailing_axes(path: Path) -> None:
    data = np.arange(24.0).reshape(4, 2, 3)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(4,), dtype=np.dtype(("<f8", (2, 3))), chunks=(3,))
        file["x"][...] = data
    np.testing.assert_array_equal(value(path, "x"), data)


@pytest.mark.parametrize("dtype", [PADDED, MIXED, np.dtype([("a", "<i4"), ("b", "<f4")])])
@pytest.mark.parametrize("options", [{}, {"chunks": (40,), "compression": "gzip"}])
def test_compounds(path: Path, dtype: np.dtype[Any], options: dict[str, Any]) -> None:
    data = np.zeros(100, dtype)
    for name in data.dtype.names or ():
        field = data[name]
        if field.dtype.fields is None:
            field[...] = np.arange(100) * 3
        else:
            field["x"], field["text"] = np.arange(100), b"ab"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=data, **options)
    assert value(path, "x").tolist() == data.tolist()


ARRAYS = np.dtype(
    [
        ("n", "<i4"),
        ("pair", "<f8", (2,)),
        ("grid", ">i2", (2, 3)),
        ("inner", [("z", "<c8"), ("texts", "S3", (2,))], (2,)),
    ]
)


@pytest.mark.parametrize("options", [{}, {"chunks": (40,), "compression": "gzip"}])
@pytest.mark.parametrize("names", [["n", "pair"], ["pair", "n", "grid"], list(ARRAYS.names or ())])
def test_arrays_in_compounds_are_a_member_an_element(
    path: Path, names: list[str], options: dict[str, Any]
) -> None:
    data = np.zeros(100, [(name, ARRAYS[name]) for name in names])
    data["n"] = np.arange(100)
    data["pair"] = np.arange(200).reshape(100, 2) / 7
    if "grid" in names:
        data["grid"] = np.arange(600).reshape(100, 2, 3)
    if "inner" in names:
        data["inner"]["z"] = np.arange(200).reshape(100, 2) * (1 + 2j)
        data["inner"]["texts"] = np.arange(400).reshape(100, 2, 2) % 999
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=data, **options)
    found = value(path, "x")
    with h5py.File(path) as file:
        expected = file["x"][...]
    assert found["pair_1"].tolist() == expected["pair"][:, 1].tolist()
    if "grid" in names:
        assert found["grid_1_2"].tolist() == expected["grid"][:, 1, 2].tolist()
    if "inner" in names:
        assert found["inner_1"]["z"].tolist() == expected["inner"]["z"][:, 1].tolist()
        assert found["inner_0"]["texts_1"].tolist() == expected["inner"]["texts"][:, 0, 1].tolist()


@pytest.mark.parametrize(
    "dtype, reason",
    [
        ([("a", "i4", (5000,))], "5000 numbers"),
        ([("a", "i4", (3000,)), ("b", "i4", (3000,))], "6000 numbers"),
        ([("a", [("b", "i1", (4000,))], (4000,))], "16000000 numbers"),
        ([("a", "i4", (2,)), ("a_1", "i4")], "names of members"),
    ],
)
def test_arrays_in_compounds_that_are_refused(path: Path, dtype: Any, reason: str) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.zeros(2, dtype))
    with pytest.raises(UnsupportedFeatureError, match=reason):
        parse(path)


def test_a_compound_with_wide_gaps_is_read_through_the_store(path: Path) -> None:
    data = np.zeros(50_000, PADDED)
    data["a"], data["b"] = np.arange(50_000) % 999, np.arange(50_000)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=data, chunks=(50_000,), compression="gzip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.open_group(ManifestStore(parse(path)), mode="r", zarr_format=3)
        found = np.asarray(group["x"][...])
    np.testing.assert_array_equal(found["a"], data["a"])
    np.testing.assert_array_equal(found["b"], data["b"])


def test_an_enumeration_keeps_its_names(path: Path) -> None:
    kind = h5py.enum_dtype({"clear": 0, "partly cloudy": 5}, basetype="i2")
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.array([0, 5, 0], "i2"), dtype=kind)
    array = parse(path).arrays["x"]
    assert array.dtype == np.dtype("i2")
    attributes = array.metadata.attributes
    assert attributes["flag_values"].tolist() == [0, 5]
    assert attributes["flag_meanings"] == "clear partly_cloudy"


@pytest.mark.parametrize(
    "padding, stored",
    [("NULLTERM", b"ab\0zz"), ("SPACEPAD", b"ab   "), ("NULLPAD", b"ab\0\0\0")],
)
def test_fixed_strings_lose_what_is_not_text(path: Path, padding: str, stored: bytes) -> None:
    with h5py.File(path, "w") as file:
        kind = h5py.h5t.C_S1.copy()
        kind.set_size(5)
        kind.set_strpad(getattr(h5py.h5t, f"STR_{padding}"))
        space = h5py.h5s.create_simple((2,))
        dataset = h5py.h5d.create(file.id, b"x", kind, space)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([stored, b"abcde"], "V5"), mtype=kind)
        expected = file["x"][...]
    assert value(path, "x").tolist() == expected.tolist() == [b"ab", b"abcde"]


@pytest.mark.parametrize("options", [{}, {"chunks": (2, 2), "compression": "gzip"}])
def test_references_to_objects_are_paths(path: Path, options: dict[str, Any]) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("#refs#")
        targets = [group.create_dataset(name, data=[1]) for name in "abc"]
        cells = file.create_dataset("cells", (2, 3), dtype=h5py.ref_dtype, **options)
        cells[0] = [target.ref for target in targets]
        cells[1, 1] = group.ref
        expected = [[file[each].name if each else "" for each in row] for row in cells[...]]
        file.create_dataset("never", (3,), dtype=h5py.ref_dtype, chunks=(2,))
    assert value(path, "cells").tolist() == expected
    assert value(path, "never").tolist() == [""] * 3


def test_what_is_refused_can_be_skipped(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["good"] = [1, 2]
        file.create_dataset("below/ragged", (2,), dtype=h5py.vlen_dtype("i4"))
        file["below/fine"] = 3.0
        file.create_dataset("region", (1,), dtype=h5py.regionref_dtype)
    with pytest.raises(UnsupportedFeatureError, match="drop_variables"):
        parse(path)
    with pytest.warns(
        UserWarning, match="2 left out: .*ragged.*region|2 left out: .*region.*ragged"
    ):
        group = parse_file(HDFParser(errors="skip"), path)
    assert [name for name, _ in group.walk_arrays()] == ["good", "below/fine"]


def test_integers_of_fewer_bits(path: Path) -> None:
    with h5py.File(path, "w") as file:
        kind = h5py.h5t.STD_I32BE.copy()
        kind.set_precision(20)
        kind.set_offset(3)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4,))
        plist.set_filter(h5py.h5z.FILTER_NBIT)
        dataset = h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple((6,)), plist)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([0, 1, -1, 70000, -70000, 5], "i4"))
        expected = file["x"][...]
    np.testing.assert_array_equal(value(path, "x"), expected)
    assert -70000 in expected


@pytest.mark.parametrize("size", [3, 5, 6, 7])
@pytest.mark.parametrize("order", ["LE", "BE"])
@pytest.mark.parametrize("kind", ["I", "U"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_integers_of_odd_sizes(
    path: Path, size: int, order: str, kind: str, is_chunked: bool
) -> None:
    wide = h5py.h5t.NATIVE_INT64 if kind == "I" else h5py.h5t.NATIVE_UINT64
    low = -(1 << 8 * size - 1) if kind == "I" else 0
    values = np.array([low, low + 1, 0, 1, 77, low + (1 << 8 * size) - 1], wide.dtype)
    with h5py.File(path, "w") as file:
        stored = getattr(h5py.h5t, f"STD_{kind}32{order}").copy()
        if size > 4:
            stored = getattr(h5py.h5t, f"STD_{kind}64{order}").copy()
        stored.set_precision(8 * size)
        stored.set_size(size)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        if is_chunked:
            plist.set_chunk((4,))
            plist.set_shuffle()
            plist.set_deflate(4)
        space = h5py.h5s.create_simple((6,))
        dataset = h5py.h5d.create(file.id, b"x", stored, space, plist)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values, mtype=wide)
        attribute = h5py.h5a.create(dataset, b"limits", stored, space)
        attribute.write(values, mtype=wide)
        expected = np.empty(6, wide.dtype)
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, expected, mtype=wide)
    np.testing.assert_array_equal(value(path, "x"), expected)
    np.testing.assert_array_equal(expected, values)
    limits = parse(path).arrays["x"].metadata.attributes["limits"]
    np.testing.assert_array_equal(limits, values)


def test_bitfields_of_fewer_bits_are_the_bits_shifted_down() -> None:
    element = element_of(Bitfield(4, ByteOrder.LITTLE, 7, 11))
    stored = np.array([0x00000080, 0x0003FF80, 0x00000100, 0xFFFC007F], "<u4")
    assert element.values(stored.tobytes()).tolist() == [1, 0x7FF, 2, 0]


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (3,), "compression": "gzip", "maxshape": (None,)}]
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_variable_length_strings(path: Path, options: dict[str, Any], encoding: str) -> None:
    texts = ["", "a", "été" if encoding == "utf-8" else "ete", "x" * 5000, "e"]
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=texts, dtype=h5py.string_dtype(encoding), **options)
        file.create_dataset("one", data="alone", dtype=h5py.string_dtype(encoding))
        file.create_dataset("never", shape=(4,), dtype=h5py.string_dtype(), chunks=(2,))
    assert value(path, "x").tolist() == texts
    assert value(path, "one").tolist() == "alone"
    assert value(path, "never").tolist() == [""] * 4


def test_text_that_is_not_utf8_is_read_as_latin1(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=[b"caf\xe9"], dtype=h5py.string_dtype())
    assert value(path, "x").tolist() == ["café"]


@pytest.mark.parametrize("dtype", ["<i4", ">f8", "S3", "<c8", MIXED])
def test_the_storage_fill_is_the_fill_value(path: Path, dtype: Any) -> None:
    fill = np.frombuffer(bytes(range(1, np.dtype(dtype).itemsize + 1)), dtype)[0]
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(6,), dtype=dtype, chunks=(4,), fillvalue=fill)
        expected = file["x"][...]
    array = parse(path).arrays["x"]
    assert "_FillValue" not in array.metadata.attributes
    assert array.manifest.all_missing
    assert value(path, "x").tolist() == expected.tolist()


@pytest.mark.parametrize(
    "dtype", [h5py.vlen_dtype("i4"), h5py.regionref_dtype, np.dtype("longdouble")]
)
def test_what_zarr_cannot_hold_is_refused_by_name(path: Path, dtype: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("group/odd", shape=(3,), dtype=dtype)
        file["group/even"] = [1, 2]
    with pytest.raises(UnsupportedFeatureError, match=r"drop_variables=\['odd'\]") as caught:
        parse(path)
    assert caught.value.node == "/group/odd"
    for drop in (["odd"], ["group/odd"], {"odd"}, "odd"):
        tree = parse(path, drop_variables=drop)
        assert list(tree.groups["group"].arrays) == ["even"]


def test_fill_values_of_compounds_mask_nothing(path: Path) -> None:
    """xarray's decoding fails at them, in its own netCDF engine too."""
    dtype = np.dtype([("day", "i1"), ("elev", "<i2")])
    with h5py.File(path, "w") as file:
        made = file.create_dataset("obs", data=np.array([(1, 2), (-99, -99)], dtype))
        made.attrs.create("_FillValue", np.array((-99, -99), dtype), dtype=dtype)
    dataset = virtualizarr.open_virtual_dataset(path).virtualize.open().load()
    assert dataset.obs.values.tolist() == [(1, 2), (-99, -99)]
    assert dataset.obs.attrs["_FillValue_of_members"] == {"day": -99, "elev": -99}
