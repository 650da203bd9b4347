"""Deflate applied to some chunks more often than to others; the witness is zlib."""

from __future__ import annotations

import zlib

import numcodecs
import numpy as np
import pytest

from virtualizarr.codecs.base import Octets, octets
from virtualizarr.codecs.inflate import Inflate
from virtualizarr.errors import CorruptFileError

VALUES = np.arange(5000, dtype="<i4").tobytes()


def decoded(data: bytes, times: int, nbytes: int | None) -> bytes:
    found: Octets = Inflate(times).decode(octets(data), nbytes)
    return found.tobytes()


@pytest.mark.parametrize("nbytes", [len(VALUES), None])
@pytest.mark.parametrize("applied", [1, 2, 3])
def test_as_often_as_the_bytes_tell(applied: int, nbytes: int | None) -> None:
    data = VALUES
    for _ in range(applied):
        data = zlib.compress(data)
    assert decoded(data, 3, nbytes) == VALUES


def test_no_more_often_than_the_codec_allows() -> None:
    inner = zlib.compress(VALUES)
    assert decoded(zlib.compress(inner), 1, len(inner)) == inner


def test_bytes_that_only_begin_like_a_stream_stay() -> None:
    for lookalike in (b"\x78\x9c" + VALUES, zlib.compress(VALUES)[:-1], b"x", b""):
        assert decoded(zlib.compress(lookalike), 2, len(lookalike)) == lookalike


def test_broken_and_exploding_streams_are_refused() -> None:
    data = zlib.compress(VALUES)
    bomb = zlib.compress(bytes(50_000_000))
    for wrong in (data[:-5], data[1:], b"", bomb):
        with pytest.raises(CorruptFileError):
            decoded(wrong, 2, len(VALUES))
    assert decoded(zlib.compress(bomb), 2, len(bomb)) == bomb


def test_encoding_and_the_numcodecs_twin() -> None:
    codec = numcodecs.get_codec({"id": "virtualizarr.inflate", "times": 2, "nbytes": len(VALUES)})
    assert bytes(codec.decode(codec.encode(VALUES))) == VALUES
    for times in (0, 33, True, "2"):
        with pytest.raises(CorruptFileError):
            Inflate(times)  # type: ignore[arg-type]
