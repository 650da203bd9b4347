"""The codec of table columns, against numpy's structured dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numcodecs.registry import get_codec

from virtualizarr.codecs.field import Field, FieldNumcodec
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

ROW = np.dtype(
    [("n", ">i4"), ("text", "S5"), ("pair", ">u2", (2,)), ("z", ">c8"), ("bits", "u1", (2,))]
)


def rows(count: int) -> Any:
    values = np.zeros(count, ROW)
    values["n"] = np.arange(count) * 1000 - 5
    values["text"] = [f"t{i % 7}" for i in range(count)]
    values["pair"] = np.arange(2 * count).reshape(count, 2)
    values["z"] = np.arange(count) * (1 + 2j)
    values["bits"] = np.arange(2 * count).reshape(count, 2)
    return values


def field(name: str, kind: str = "copy", size: int = 1, **options: Any) -> Field:
    dtype, offset = ROW.fields[name][:2]  # type: ignore[index]
    return Field(ROW.itemsize, offset, dtype.itemsize, kind, size, **options)


def decode(codec: Field, values: Any, nbytes: int | None = None) -> Any:
    return codec.decode(values.reshape(-1).view(np.uint8), nbytes)


def test_bytes_are_copied() -> None:
    values = rows(9)
    assert decode(field("n"), values).tobytes() == values["n"].tobytes()
    assert decode(field("pair"), values).tobytes() == values["pair"].tobytes()


def test_missing_rows_are_filled() -> None:
    found = decode(field("n", pad=True), rows(3), 20).view(">i4")
    assert found.tolist() == [-5, 995, 1995, 0, 0]
    with pytest.raises(CorruptFileError, match="12 bytes for a chunk of 20"):
        decode(field("n"), rows(3), 20)


def test_first_bits_are_turned_over() -> None:
    values = rows(4)
    found = decode(field("n", "flip", 4), values).view(">u4").astype("i8")
    assert found.tolist() == (values["n"].astype("i8") + 2**31).tolist()
    codec = Field(2, 0, 2, "flip", 2)
    stored = np.arange(-3, 3, dtype=">i2").view(np.uint8)
    assert (codec.encode(codec.decode(stored, 12)) == stored).all()


@pytest.mark.parametrize(
    "raw, expected",
    [
        (b"ab\0cd", b"ab"),
        (b"a b  ", b"a b"),
        (b"     ", b""),
        (b" x   ", b" x"),
        (b"abcde", b"abcde"),
    ],
)
def test_texts(raw: bytes, expected: bytes) -> None:
    found = Field(5, 0, 5, "text", 5).decode(np.frombuffer(raw * 2, np.uint8), 10)
    assert found.view("S5").tolist() == [expected] * 2


def test_logicals_and_bits() -> None:
    raw = np.frombuffer(b"TF\0T", np.uint8)
    assert Field(1, 0, 1, "logical").decode(raw, 4).tolist() == [1, 0, 0, 1]
    values = rows(5)
    expected = np.unpackbits(values["bits"], axis=1)[:, :11]
    assert (decode(field("bits", "bits", 11), values).reshape(5, 11) == expected).all()


def test_decimal_numbers() -> None:
    raw = np.frombuffer(b"   12   -7       ---7\0\0\0\0", np.uint8)
    codec = Field(5, 0, 5, "integer", 4, null="---")
    assert codec.decode(raw, 20).view(">i4").tolist() == [12, -7, 0, 0, 7]
    raw = np.frombuffer(b"1.5D3 -2e-1   NULL         0.5", np.uint8)
    codec = Field(6, 0, 6, "real", 8, null="NULL")
    expected = [1500.0, -0.2, np.nan, np.nan, 0.5]
    np.testing.assert_array_equal(codec.decode(raw, 40).view(">f8"), expected)


@pytest.mark.parametrize("kind", ["integer", "real"])
def test_words_are_no_numbers(kind: str) -> None:
    with pytest.raises(CorruptFileError, match="field holds no"):
        Field(4, 0, 4, kind, 8).decode(np.frombuffer(b"word", np.uint8), None)


def test_complex_numbers_are_scaled() -> None:
    values = rows(4)
    found = decode(field("z", "complex", 8, scale=0.5, zero=3.0), values).view(">c8")
    np.testing.assert_array_equal(found, values["z"] * 0.5 + 3)


@pytest.mark.parametrize(
    "configuration",
    [
        {"row_bytes": 0, "offset": 0, "width": 1},
        {"row_bytes": 4, "offset": 2, "width": 3},
        {"row_bytes": 4, "offset": -1, "width": 3},
        {"row_bytes": 4, "offset": 0, "width": 3, "kind": "flip", "size": 2},
        {"row_bytes": 4, "offset": 0, "width": 2, "kind": "bits", "size": 17},
        {"row_bytes": 4, "offset": 0, "width": 2, "kind": "bits", "size": 8},
        {"row_bytes": 4, "offset": 0, "width": 4, "kind": "integer", "size": 3},
        {"row_bytes": 4, "offset": 0, "width": 4, "kind": "complex", "size": 4},
        {"row_bytes": 4, "offset": 0, "width": 4, "kind": "other"},
        {"row_bytes": 4, "offset": 0, "width": 4, "null": 5},
        {"row_bytes": 4, "offset": 0, "width": 4, "scale": "x"},
    ],
)
def test_broken_configurations(configuration: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError):
        Field.from_configuration(configuration)


def test_chunks_of_another_size_are_refused() -> None:
    with pytest.raises(CorruptFileError, match="whole rows"):
        field("n").decode(np.zeros(ROW.itemsize + 1, np.uint8), None)
    with pytest.raises(CorruptFileError, match="for a chunk"):
        decode(field("n"), rows(3), 8)


def test_the_numcodecs_twin() -> None:
    codec = get_codec({"id": "virtualizarr.field", **field("n").configuration(), "nbytes": 12})
    assert isinstance(codec, FieldNumcodec)
    assert bytes(codec.decode(rows(3).tobytes())) == rows(3)["n"].tobytes()
    with pytest.raises(UnsupportedFeatureError):
        codec.encode(b"abcd")
