"""nbit, scaleoffset and precision against libhdf5, over types, byte orders, fills and widths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t, h5z

from codec_witness import SHARED, assert_reads_like_hdf5, filters_of, raw_chunks
from virtualizarr.codecs.hdf5_filters import filter_codecs
from virtualizarr.codecs.nbit import Nbit
from virtualizarr.codecs.precision import Precision
from virtualizarr.errors import CorruptFileError

SHAPE, CHUNKS = (23, 11), (7, 5)
NBIT, SCALEOFFSET = 5, 6


@contextmanager
def written(
    path: Path,
    stored: h5t.TypeID,
    values: np.ndarray[Any, Any],
    filters: Sequence[tuple[int, tuple[int, ...]]],
    fill: np.ndarray[Any, Any] | None = None,
) -> Iterator[h5py.Dataset]:
    """Write `values` as type `stored`; open the file anew, past libhdf5's cache, to read."""
    create = h5p.create(h5p.DATASET_CREATE)
    create.set_chunk(CHUNKS)
    if fill is not None:
        create.set_fill_value(fill)
    for number, client_data in filters:
        create.set_filter(number, h5z.FLAG_MANDATORY, client_data)
    with h5py.File(path / "a.h5", "w") as file:
        dataset = h5d.create(file.id, b"a", stored, h5s.create_simple(SHAPE), create)
        dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(values), h5t.py_create(values.dtype))
    with h5py.File(path / "a.h5") as file:
        yield file["a"]


@pytest.mark.parametrize("content", ["small", "constant", "full range", "fill only"])
@pytest.mark.parametrize("fill", [None, 0, 7])
@pytest.mark.parametrize(
    "dtype, bits",
    [("<i1", 0), (">i2", 0), ("<u2", 5), ("<i4", 0), (">u4", 32), ("<i8", 0), (">u8", 9)],
)
def test_scaleoffset_integers(
    tmp_path: Path, dtype: str, bits: int, fill: int | None, content: str
) -> None:
    rng = np.random.default_rng(1)
    native = np.dtype(dtype).newbyteorder("=")
    limits = np.iinfo(native)
    some = fill if fill is not None else 0
    values = {
        "small": rng.integers(0, 20, SHAPE),
        "constant": np.full(SHAPE, 9),
        "full range": rng.integers(limits.min, limits.max, SHAPE, native, endpoint=True),
        "fill only": np.full(SHAPE, some),
    }[content].astype(dtype)
    if content == "small":
        values[3:9] = some
    value = None if fill is None else np.array(fill, dtype)
    stored = h5t.py_create(np.dtype(dtype))
    with written(tmp_path, stored, values, [(SCALEOFFSET, (2, bits))], value) as dataset:
        assert_reads_like_hdf5(tmp_path / "zarr", dataset)


@pytest.mark.parametrize("content", ["normal", "constant", "huge", "fill only"])
@pytest.mark.parametrize("fill", [None, -9999.0, np.nan])
@pytest.mark.parametrize("dtype, digits", list(product(["<f4", ">f4", "<f8", ">f8"], [0, 2, -1])))
def test_scaleoffset_floats(
    tmp_path: Path, dtype: str, digits: int, fill: float | None, content: str
) -> None:
    rng = np.random.default_rng(2)
    some = fill if fill is not None else 0.0
    values = {
        "normal": rng.normal(280, 20, SHAPE),
        "constant": np.full(SHAPE, 2.5),
        "huge": rng.normal(0, 1e30, SHAPE),
        "fill only": np.full(SHAPE, some),
    }[content].astype(dtype)
    if content == "normal" and fill == -9999.0:
        values[3:9] = fill
    if content == "fill only" and fill is not None and np.isnan(fill) and dtype[1:] == "f4":
        pytest.skip("libhdf5 2.0 writes 64 bits for each 32-bit NaN and then refuses to read them")
    value = None if fill is None else np.array(fill, dtype)
    stored = h5t.py_create(np.dtype(dtype))
    with written(
        tmp_path, stored, values, [(SCALEOFFSET, (0, digits & 0xFFFFFFFF))], value
    ) as dataset:
        assert_reads_like_hdf5(tmp_path / "zarr", dataset)


PRECISIONS = [
    ("i1", 5, 0), ("i1", 7, 1), ("u1", 8, 0), ("i2", 11, 3), ("u2", 9, 0), ("i4", 31, 0),
    ("i4", 17, 0), ("u4", 20, 12), ("i8", 40, 13), ("u8", 63, 1), ("i8", 64, 0),
]  # fmt: skip


@pytest.mark.parametrize("nbit", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind, precision, offset", PRECISIONS)
def test_integers_of_partial_precision(
    tmp_path: Path, kind: str, precision: int, offset: int, order: str, nbit: bool
) -> None:
    dtype = np.dtype(order + kind)
    stored = h5t.py_create(dtype).copy()
    stored.set_precision(precision)
    stored.set_offset(offset)
    signed = kind[0] == "i"
    low, high = (-(1 << precision - 1), 1 << precision - 1) if signed else (0, 1 << precision)
    values = np.random.default_rng(3).integers(low, high - 1, SHAPE, kind, endpoint=True)
    with written(tmp_path, stored, values, [(NBIT, ())] if nbit else []) as dataset:
        assert np.array_equal(dataset[...], values)
        endian = "little" if order == "<" else "big"
        codec = Precision(dtype.itemsize, endian, precision, offset, signed)
        before = {"name": Precision.name, "configuration": codec.configuration()}
        assert_reads_like_hdf5(tmp_path / "zarr", dataset, [before])


def test_nbit_of_a_compound_with_arrays_and_strings(tmp_path: Path) -> None:
    number = h5t.STD_I32LE.copy()
    number.set_precision(19)
    number.set_offset(3)
    cell = h5t.STD_U16BE.copy()
    cell.set_precision(9)
    cell.set_offset(0)
    text = h5t.C_S1.copy()
    text.set_size(5)
    stored = h5t.create(h5t.COMPOUND, 32)
    stored.insert(b"number", 1, number)
    stored.insert(b"cells", 8, h5t.array_create(cell, (2, 2)))
    stored.insert(b"text", 20, text)
    rng = np.random.default_rng(4)
    values = np.zeros(SHAPE, [("number", "<i4"), ("cells", "<u2", (2, 2)), ("text", "S5")])
    values["number"] = rng.integers(-(1 << 18), 1 << 18, SHAPE)
    values["cells"] = rng.integers(0, 511, (*SHAPE, 2, 2))
    values["text"] = rng.integers(0, 9999, SHAPE).astype("S5")
    with written(tmp_path, stored, values, [(NBIT, ())]) as dataset:
        (codec,) = filter_codecs(filters_of(dataset), 32)
        chunk = np.frombuffer(raw_chunks(dataset)[0, 0][1], np.uint8)
        elements = (
            Nbit.from_configuration(codec["configuration"]).decode(chunk, 35 * 32).reshape(35, 32)
        )
        first = values[:7, :5].reshape(-1)
        packed = np.ascontiguousarray(elements[:, 1:5]).reshape(-1)
        numbers = Precision(4, "little", 19, 3, True).decode(packed, 35 * 4).view("<i4")
        assert np.array_equal(numbers, first["number"])
        cells = np.ascontiguousarray(elements[:, 8:16]).view(">u2").reshape(35, 2, 2)
        assert np.array_equal(cells, first["cells"])
        texts = np.ascontiguousarray(elements[:, 20:25]).view("S5").reshape(35)
        assert np.array_equal(texts, first["text"])


def test_nbit_of_floats_is_a_copy(tmp_path: Path) -> None:
    values = np.random.default_rng(5).normal(size=SHAPE).astype(">f8")
    with written(tmp_path, h5t.py_create(values.dtype), values, [(NBIT, ())]) as dataset:
        assert_reads_like_hdf5(tmp_path / "zarr", dataset)


@pytest.mark.parametrize(
    "path, name, precision, offset",
    [
        ("hdf5/tools/test/h5repack/testfiles/h5repack_nbit.h5", "dset_nbit", 31, 0),
        ("hdf5json/data/hdf5/h5ex_d_nbit.h5", "DS1", 16, 5),
    ],
)
def test_nbit_files_of_others(
    path: str, name: str, precision: int, offset: int, tmp_path: Path
) -> None:
    place = SHARED / "hdf5-corpus" / path
    if not place.exists():
        pytest.skip("the shared data are not here")
    codec = Precision(4, "little", precision, offset, True)
    before = {"name": Precision.name, "configuration": codec.configuration()}
    with h5py.File(place) as corpus:
        assert_reads_like_hdf5(tmp_path / "zarr", corpus[name], [before])


@pytest.mark.parametrize(
    "element",
    [
        [],
        [1],
        [9, 4],
        [1, 4, 0, 33, 0],
        [1, 4, 0, 16, 20],
        [1, 4, 2, 16, 0],
        [1, 4, 0, 0, 0],
        [1, 0, 0, 8, 0],
        [2, 8, 1, 3, 0, 8, 0],
        [2, 8],
        [3, 4, 2, 0, 1, 4, 0, 31, 0, 0, 1, 4, 0, 31, 0],
        [3, 4, 1, 2, 1, 4, 0, 31, 0],
        [3, 4, 1 << 30, 0, 4, 1],
        [3, 4, 1, 0] * 40,
        [4, 1 << 31],
    ],
)
def test_nbit_descriptions_that_no_file_has(element: list[int]) -> None:
    with pytest.raises(CorruptFileError, match="nbit"):
        Nbit.from_configuration({"element": element})
