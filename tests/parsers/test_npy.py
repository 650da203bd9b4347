"""NPY files, against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import virtualizarr
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers import NPYParser
from virtualizarr.testing import read_values

INNER = np.dtype([("x", "u1"), ("y", "<c8")])
RECORD = np.dtype([("a", "<i4"), ("b", ">f8"), ("c", "S3"), ("d", INNER), ("e", "<U2")])
GAPS = np.dtype({"names": ["a", "b"], "formats": ["<i2", ">f4"], "offsets": [1, 4], "itemsize": 12})


def records(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    values = np.zeros(shape, dtype)
    flat = values.reshape(-1)
    for name in dtype.names or ():
        kind = dtype[name].kind
        if kind in "iuf":
            flat[name] = np.arange(values.size) - 3 if kind != "u" else np.arange(values.size)
        elif kind in "SU":
            flat[name] = "ab"
        elif kind == "V":
            flat[name]["x"] = np.arange(values.size)
            flat[name]["y"] = 1j
    return values


ARRAYS: dict[str, Any] = {
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "bool": np.array([True, False]),
    "half": np.arange(6, dtype=">f2"),
    "complex": np.arange(6, dtype=">c16").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(24, dtype=">i4").reshape(2, 3, 4)),
    "text": np.array(["a", "bcd", "é"], ">U5"),
    "bytes": np.array([b"x", b"yz"]),
    "void": np.array([b"\0\1", b"ab"], "V2"),
    "time": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "delta": np.array([1, 2], ">m8[us]"),
    "record": records(RECORD, (2, 3)),
    "record fortran": np.asfortranarray(records(RECORD, (2, 3))),
    "gaps": records(GAPS, (5,)),
}


def write(path: Path, array: Any, version: int = 1) -> Path:
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version=(version, 0))
    return path


def same(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype.newbyteorder("=") or found.dtype.fields is not None
    assert found.tolist() == expected.tolist() or np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(tmp_path: Path, name: str, version: int) -> None:
    path = write(tmp_path / "a.npy", ARRAYS[name], version)
    for chunk_bytes in (16, None):
        group = virtualizarr.parse(path, parser=NPYParser(chunk_bytes=chunk_bytes))
        same(read_values(group)["data"], np.load(path))
    assert virtualizarr.parse(path) == virtualizarr.parse(path, parser="npy")


def test_members_that_are_arrays_become_arrays(tmp_path: Path) -> None:
    values = np.zeros((2, 3), [("a", "<f4", (2, 2)), ("b", ">i2")])
    values["a"] = np.arange(24).reshape(2, 3, 2, 2)
    values["b"] = np.arange(6).reshape(2, 3)
    group = virtualizarr.parse(write(tmp_path / "a.npy", values))
    found = read_values(group)
    for name in ("a", "b"):
        np.testing.assert_array_equal(found[name], values[name])
    dims = ("dim_0", "dim_1", "a_dim_0", "a_dim_1")
    assert group.arrays["a"].metadata.dimension_names == dims


def test_names_of_the_array_and_its_dimensions(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    parser = NPYParser(variable="depth", dims=("y", "x"))
    dataset = virtualizarr.open_virtual_dataset(path, parser=parser)
    assert dataset["depth"].dims == ("y", "x")
    with pytest.raises(UnsupportedFeatureError, match="3 dims for an array of 2 axes"):
        virtualizarr.parse(path, parser=NPYParser(dims=("a", "b", "c")))


def raw(text: str, version: int = 1) -> bytes:
    length = len(text).to_bytes(2, "little")
    return b"\x93NUMPY" + bytes((version, 0)) + length + text.encode()


def header(descr: str = "<i2", order: object = False, shape: tuple[int, ...] = (1,)) -> bytes:
    return raw(str({"descr": descr, "fortran_order": order, "shape": shape}))


@pytest.mark.parametrize(
    "content, error, said",
    [
        (header("|O"), UnsupportedFeatureError, "pickled"),
        (header("<f16", shape=(0,)), UnsupportedFeatureError, "float"),
        (header("<U0"), UnsupportedFeatureError, "no bytes"),
        (header(shape=(9,)), CorruptFileError, "truncated"),
        (header(shape=(-1,)), CorruptFileError, "shape is"),
        (header(order=1), CorruptFileError, "fortran_order"),
        (header("no"), CorruptFileError, "understood"),
        (raw("__import__('os')"), CorruptFileError, "understood"),
        (raw("(" * 3000), CorruptFileError, "understood|nests"),
        (raw("......", version=9), UnsupportedFeatureError, "version 9"),
        (b"\x93NUMPY\1\0\xff\xff{}", CorruptFileError, "ends inside"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff{", UnsupportedFeatureError, "a header of"),
    ],
)
def test_refusals(tmp_path: Path, content: bytes, error: type[Exception], said: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(error, match=said):
        virtualizarr.parse(path)
