"""Datatypes and values: every class as h5py writes it, through attributes, heaps and messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from parsers.hdf5.structures.h5py_view import plain
from parsers.hdf5.structures.our_view import opened
from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_datatype import decode_datatype
from virtualizarr.parsers.hdf5.layout import Attribute, Dataset, FillState, Undecoded
from virtualizarr.parsers.hdf5.layout_datatype import (
    ByteOrder,
    Compound,
    Datatype,
    Enumerated,
    FixedPoint,
    FloatingPoint,
    Opaque,
    Padding,
    String,
    VariableLength,
)
from virtualizarr.parsers.hdf5.read import read_values, read_vlen, resolve
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

NUMBERS = ["i1", "u1", "<i2", ">i2", "<u4", ">u4", "<i8", ">u8", "<f2", ">f2", "<f4", ">f8"]
RECORD = np.dtype([("a", "<i4"), ("b", ">f8", (2, 2)), ("c", [("d", "u1"), ("e", "S3")])])
PADDED = np.dtype(
    {"names": ["x", "y"], "formats": ["u1", "<f8"], "offsets": [3, 8], "itemsize": 24}
)


def written(tmp_path: Path, value: Any, dtype: Any = None, libver: Any = "latest") -> Attribute:
    """Write `value` as an attribute and return it as the walk finds it."""
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs.create("value", value, dtype=dtype)
    _, hierarchy, _ = opened(path.read_bytes())
    return hierarchy.root.attributes["value"]  # type: ignore[union-attr]


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("dtype", [*NUMBERS, "<c8", ">c16", "V5", RECORD, PADDED, "?"])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)])
def test_plain_values(tmp_path: Path, dtype: Any, shape: tuple[int, ...], libver: str) -> None:
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = (np.arange(size) % 31 + 1).astype("u1")
    value = np.frombuffer(raw.tobytes(), dtype).reshape(shape)
    if dtype.kind == "b":
        value = np.ones(shape, bool)
    found = written(tmp_path, value, libver=libver)
    assert plain(found.value) == plain(value)
    assert np.shape(found.value) == shape
    expected = np.dtype("i1") if dtype.kind == "b" else dtype
    if dtype.kind not in "cV":
        assert found.datatype.numpy_dtype() == expected
    elif dtype.names is not None:
        ours = found.datatype.numpy_dtype()
        assert ours is not None
        assert ours.fields == dtype.fields
        assert ours.itemsize == dtype.itemsize


def test_complex_of_hdf5_2(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver="latest") as file:
        if not hasattr(h5py.h5t, "COMPLEX_IEEE_F32LE"):
            pytest.skip("this h5py does not wrap the complex datatype class")
        space = h5py.h5s.create_simple((2,))
        h5py.h5d.create(file.id, b"data", h5py.h5t.COMPLEX_IEEE_F32LE, space)
    _, hierarchy, _ = opened(path.read_bytes())
    data = resolve(hierarchy, "data")
    assert isinstance(data, Dataset)
    assert data.datatype.numpy_dtype() == np.dtype("<c8")


TEXTS = ["", "plain", "naïve Δ 漢字", "with space "]


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("value", TEXTS)
def test_variable_string(tmp_path: Path, value: str, libver: str) -> None:
    assert written(tmp_path, value, libver=libver).value == value


def test_strings_in_arrays(tmp_path: Path) -> None:
    found = written(tmp_path, TEXTS, dtype=h5py.string_dtype())
    assert found.value.tolist() == TEXTS
    found = written(tmp_path, np.array([["a", "bcd"], ["", "e"]], dtype="S3"))
    assert found.value.tolist() == [["a", "bcd"], ["", "e"]]
    assert found.datatype == String(3, Padding.NULL_PAD, found.datatype.character_set)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "padding, stored, expected",
    [
        (h5py.h5t.STR_NULLTERM, b"ab\0cd", "ab"),
        (h5py.h5t.STR_NULLPAD, b"ab\0cd", "ab\0cd"),
        (h5py.h5t.STR_NULLPAD, b"ab \0\0", "ab "),
        (h5py.h5t.STR_SPACEPAD, b"ab   ", "ab"),
        (h5py.h5t.STR_NULLPAD, b"ab\xff\xfe", "ab\udcff\udcfe"),
    ],
)
def test_padding(tmp_path: Path, padding: int, stored: bytes, expected: str) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        datatype = h5py.h5t.C_S1.copy()
        datatype.set_size(len(stored))
        datatype.set_strpad(padding)
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        h5py.h5a.create(file.id, b"value", datatype, space).write(
            np.array(stored, f"S{len(stored)}"), mtype=datatype
        )
    _, hierarchy, _ = opened(path.read_bytes())
    assert hierarchy.root.attributes["value"].value == expected  # type: ignore[union-attr]


def test_sequences(tmp_path: Path) -> None:
    ragged = np.empty(3, object)
    ragged[:] = [np.arange(3, dtype="<i4"), np.array([], "<i4"), np.arange(1000, dtype="<i4")]
    found = written(tmp_path, ragged, dtype=h5py.vlen_dtype("<i4"))
    assert plain(found.value) == plain(ragged)
    assert all(each.dtype == np.dtype("<i4") for each in found.value)


def test_compound_with_strings(tmp_path: Path) -> None:
    dtype = np.dtype([("n", "<i2"), ("s", h5py.string_dtype()), ("f", "S4")])
    value = np.array([(1, "one", b"eins"), (2, "two", b"zw")], dtype)
    found = written(tmp_path, value, dtype=dtype)
    assert found.value["n"].tolist() == [1, 2]
    assert found.value["s"].tolist() == ["one", "two"]
    assert found.value["f"].tolist() == ["eins", "zw"]


def test_enumeration(tmp_path: Path) -> None:
    dtype = h5py.enum_dtype({"LOW": -3, "HIGH": 300}, basetype=">i2")
    found = written(tmp_path, np.array([-3, 300], ">i2"), dtype=dtype)
    assert isinstance(found.datatype, Enumerated)
    named = dict(zip(found.datatype.names, found.datatype.values, strict=True))
    assert named == {"LOW": -3, "HIGH": 300}
    assert not found.datatype.is_boolean
    assert found.value.tolist() == [-3, 300]
    boolean = written(tmp_path, True).datatype
    assert isinstance(boolean, Enumerated)
    assert boolean.is_boolean


def test_null(tmp_path: Path) -> None:
    assert written(tmp_path, h5py.Empty("f8")).value is None


@pytest.mark.parametrize("userblock", [0, 1024])
def test_references(tmp_path: Path, userblock: int) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", userblock_size=userblock) as file:
        scale = file.create_dataset("scale", data=np.arange(3))
        scale.make_scale("x")
        data = file.create_dataset("data", data=np.zeros((3, 2)))
        data.dims[0].attach_scale(scale)
        file.attrs["one"] = scale.ref
        file.attrs["none"] = h5py.Reference()
        file.attrs["region"] = data.regionref[0:2]
    _, hierarchy, _ = opened(path.read_bytes())
    places = hierarchy.paths
    attributes = hierarchy.root.attributes  # type: ignore[union-attr]
    assert attributes["one"].value == places["/scale"]
    assert attributes["none"].value == 0
    assert isinstance(attributes["region"].value, Undecoded)
    assert "region" in attributes["region"].value.reason
    data = hierarchy.objects[places["/data"]]
    scales = data.attributes["DIMENSION_LIST"].value
    assert [each.tolist() for each in scales] == [[places["/scale"]], []]
    back = hierarchy.objects[places["/scale"]].attributes["REFERENCE_LIST"].value
    assert back["dataset"].tolist() == [places["/data"]]
    assert back["dimension"].tolist() == [0]


def datatype_of(tmp_path: Path, made: h5py.h5t.TypeID) -> Datatype:
    """Return what a dataset of type `made` is decoded as."""
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver="latest") as file:
        h5py.h5d.create(file.id, b"data", made, h5py.h5s.create_simple((2,)))
    _, hierarchy, _ = opened(path.read_bytes())
    data = resolve(hierarchy, "data")
    assert isinstance(data, Dataset)
    return data.datatype


def test_odd_integers(tmp_path: Path) -> None:
    made = h5py.h5t.STD_I32BE.copy()
    made.set_precision(12)
    made.set_offset(5)
    assert datatype_of(tmp_path, made) == FixedPoint(4, ByteOrder.BIG, True, 5, 12)
    assert FixedPoint(4, ByteOrder.BIG, True, 5, 12).numpy_dtype() is None
    made = h5py.h5t.STD_U8LE.copy()
    made.set_size(16)
    made.set_precision(128)
    wide = datatype_of(tmp_path, made)
    assert wide == FixedPoint(16, ByteOrder.LITTLE, False, 0, 128)
    assert wide.numpy_dtype() is None


def test_odd_floats(tmp_path: Path) -> None:
    made = h5py.h5t.IEEE_F32LE.copy()
    made.set_fields(15, 7, 8, 0, 7)
    made.set_size(2)
    made.set_precision(16)
    made.set_ebias(127)
    brain = datatype_of(tmp_path, made)
    assert isinstance(brain, FloatingPoint)
    assert (brain.size, brain.exponent_size, brain.mantissa_size) == (2, 8, 7)
    assert brain.numpy_dtype() is None
    made = h5py.h5t.IEEE_F32LE.copy()
    made.set_order(h5py.h5t.ORDER_VAX)
    vax = datatype_of(tmp_path, made)
    assert isinstance(vax, FloatingPoint)
    assert vax.byte_order is ByteOrder.VAX
    assert vax.numpy_dtype() is None


def test_opaque_tag_and_time(tmp_path: Path) -> None:
    made = h5py.h5t.create(h5py.h5t.OPAQUE, 7)
    made.set_tag(b"some tag")
    assert datatype_of(tmp_path, made) == Opaque(7, "some tag")
    assert datatype_of(tmp_path, h5py.h5t.UNIX_D32LE).numpy_dtype() is None
    assert datatype_of(tmp_path, h5py.h5t.STD_B16BE).numpy_dtype() == np.dtype(">u2")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("fill", [None, 0, -7])
def test_fill_values(tmp_path: Path, fill: int | None, libver: str) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file.create_dataset("data", shape=(2,), dtype=">i4", fillvalue=fill, fill_time="never")
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        space = h5py.h5s.create_simple((2,))
        h5py.h5d.create(file.id, b"plain", h5py.h5t.STD_I32BE, space, created)
    _, hierarchy, _ = opened(path.read_bytes())
    data, bare = resolve(hierarchy, "data"), resolve(hierarchy, "plain")
    assert isinstance(data, Dataset)
    assert isinstance(bare, Dataset)
    assert bare.fill_value.state is FillState.DEFAULT
    assert data.fill_value.write_time == 1
    if fill is None:
        assert data.fill_value.state is FillState.DEFAULT
    else:
        assert data.fill_value.value == np.array(fill, ">i4").tobytes()


@pytest.mark.parametrize("userblock", [0, 512])
def test_variable_length_datasets(tmp_path: Path, userblock: int) -> None:
    path = tmp_path / "file.h5"
    texts = [f"text number {i} " * (i % 300) for i in range(500)]
    with h5py.File(path, "w", userblock_size=userblock) as file:
        file.create_dataset("texts", data=texts, dtype=h5py.string_dtype())
    data = path.read_bytes()
    superblock, hierarchy, _ = opened(data)
    found = resolve(hierarchy, "texts")
    assert isinstance(found, Dataset)
    assert isinstance(found.datatype, VariableLength)
    address = found.layout.address  # type: ignore[union-attr]
    assert address is not None
    raw = data[address : address + 16 * len(texts)]
    table = np.frombuffer(raw, found.datatype.descriptor_dtype())
    source = BytesSource(data)
    reading = read_vlen(superblock, table["length"], table["address"], table["index"])
    assert [each.decode() for each in run(reading, source)] == texts
    assert source.rounds <= 2
    values = run(read_values(superblock, found.datatype, (5, 100), raw), source)
    assert values.shape == (5, 100)
    assert values.ravel().tolist() == texts
    index = np.full_like(table["index"], 60000)
    reading = read_vlen(superblock, table["length"], table["address"], index)
    with pytest.raises(CorruptFileError, match="no object 60000"):
        run(reading, source)


def test_nested_too_deep() -> None:
    sequence = bytes([0x19, 0, 0, 0, 16, 0, 0, 0])
    with pytest.raises(CorruptFileError, match="deep"):
        decode_datatype(sequence * 40 + b"\x10\x08\0\0\4\0\0\0\0\0\x20\0")


def test_members_need_names() -> None:
    body = h5py.h5t.py_create(np.dtype([("a", "<i4"), ("b", "<i4")])).encode()[2:]
    for name in (b"\0", b"b"):
        with pytest.raises(CorruptFileError, match="name"):
            decode_datatype(body.replace(b"a\0", name + b"\0"))


def test_cut_off_everywhere() -> None:
    made = h5py.h5t.py_create(np.dtype([("a", "<i4"), ("b", "S5", (2, 3))]), logical=True)
    body = made.encode()[2:]
    whole = decode_datatype(body)
    assert isinstance(whole, Compound)
    assert whole.numpy_dtype() == np.dtype([("a", "<i4"), ("b", "S5", (2, 3))])
    for size in range(len(body)):
        with pytest.raises(CorruptFileError):
            decode_datatype(body[:size])
