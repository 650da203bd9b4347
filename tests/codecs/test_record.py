"""The codec of compound elements and fixed strings, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numcodecs.registry import get_codec

from virtualizarr.codecs.record import Record, RecordNumcodec
from virtualizarr.errors import CorruptFileError

STORED = np.dtype(
    {
        "names": ["big", "text", "pair"],
        "formats": [">i4", "S6", ("<u2", (2,))],
        "offsets": [2, 8, 14],
        "itemsize": 24,
    }
)
PACKED = np.dtype([("big", "<i4"), ("text", "S6"), ("pair", "<u2", (2,))])
PIECES = ((2, 4, 1, "swap"), (8, 6, 1, "cut"), (14, 1, 4, "copy"))


def stored(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.void]]:
    values = np.full(count * STORED.itemsize, 0xAA, np.uint8).view(STORED)
    values["big"] = np.arange(count) - 3
    values["text"] = b"word"
    values["pair"] = np.arange(2 * count).reshape(count, 2)
    return values


def test_members_are_packed() -> None:
    values = stored(10)
    found = Record(24, PIECES).decode(values.view(np.uint8), 10 * PACKED.itemsize).view(PACKED)
    for name in ("big", "text", "pair"):
        np.testing.assert_array_equal(found[name], values[name])


@pytest.mark.parametrize(
    "kind, raw, expected",
    [
        ("cut", b"ab\0cd", b"ab"),
        ("cut", b"\0bcde", b""),
        ("cut", b"abcde", b"abcde"),
        ("strip", b"a b  ", b"a b"),
        ("strip", b"     ", b""),
        ("strip", b"ab\0  ", b"ab"),
        ("copy", b"ab\0cd", b"ab\0cd"),
        ("swap", b"abcde", b"edcba"),
    ],
)
def test_kinds(kind: str, raw: bytes, expected: bytes) -> None:
    codec = Record(5, ((0, 5, 1, kind),))
    found = codec.decode(np.frombuffer(raw * 3, np.uint8), 15)
    assert found.view("S5").tolist() == [expected] * 3


@pytest.mark.parametrize(
    "itemsize, pieces",
    [
        (0, ((0, 1, 1, "copy"),)),
        (4, ()),
        (4, ((0, 1),)),
        (4, ((1, 2, 2, "copy"),)),
        (4, ((-1, 1, 1, "copy"),)),
        (4, ((0, 0, 1, "copy"),)),
        (4, ((0, -2, -2, "copy"),)),
        (4, ((0, 4, 1, "other"),)),
    ],
)
def test_broken_configurations(itemsize: int, pieces: object) -> None:
    with pytest.raises(CorruptFileError):
        Record.from_configuration({"itemsize": itemsize, "pieces": pieces})


def test_a_chunk_of_another_size_is_refused() -> None:
    codec = Record(24, PIECES)
    with pytest.raises(CorruptFileError, match="whole elements"):
        codec.decode(np.zeros(25, np.uint8), None)
    with pytest.raises(CorruptFileError, match="for a chunk"):
        codec.decode(np.zeros(48, np.uint8), PACKED.itemsize)


def test_the_numcodecs_twin() -> None:
    config = {"id": "virtualizarr.record", **Record(24, PIECES).configuration()}
    codec = get_codec(config)
    assert isinstance(codec, RecordNumcodec)
    assert (
        bytes(codec.decode(stored(3)))
        == Record(24, PIECES).decode(stored(3).view(np.uint8), None).tobytes()
    )
