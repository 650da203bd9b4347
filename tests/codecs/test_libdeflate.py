"""What libdeflate gives is what zlib gives, or is left to zlib."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from virtualizarr.codecs.base import octets
from virtualizarr.codecs.bounded import Bounded
from virtualizarr.codecs.libdeflate import WORTHWHILE, zlib_content
from virtualizarr.errors import CorruptFileError

pytest.importorskip("imagecodecs")

CONTENT = np.random.default_rng(1).integers(0, 50, 100_000).astype("u1").tobytes()
STREAM = zlib.compress(CONTENT)


def found(stream: bytes, limit: int) -> bytes | None:
    content = zlib_content(octets(stream), limit)
    return None if content is None else content.tobytes()


@pytest.mark.parametrize("room", [0, 1, 10_000_000])
@pytest.mark.parametrize("rest", [b"", b"what follows"])
def test_whole_streams(room: int, rest: bytes) -> None:
    assert len(STREAM) > WORTHWHILE
    assert found(STREAM + rest, len(CONTENT) + room) == CONTENT


def test_what_zlib_should_be_asked() -> None:
    flipped = bytearray(STREAM)
    flipped[-1] ^= 1
    assert found(STREAM, len(CONTENT) - 1) is None
    assert found(STREAM[:-1], len(CONTENT)) is None
    assert found(bytes(flipped), len(CONTENT)) is None
    assert found(zlib.compress(b"small"), 5) is None
    assert found(b"no stream" * 10_000, len(CONTENT)) is None


@pytest.mark.parametrize("cut", [1, 5, 1000, len(STREAM) - 10])
def test_errors_stay_those_of_zlib(cut: int) -> None:
    codec = Bounded("numcodecs.zlib")
    assert codec.decode(octets(STREAM), len(CONTENT)).tobytes() == CONTENT
    with pytest.raises(CorruptFileError, match="cut short"):
        codec.decode(octets(STREAM[:-cut]), len(CONTENT))
