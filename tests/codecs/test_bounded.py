"""Limited decompressors give what zarr's own give, or refuse."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import numcodecs
import numpy as np
import pytest
from zarr.registry import get_codec_class

from virtualizarr.codecs.base import octets
from virtualizarr.codecs.bounded import Bounded, bound, zstd_content_size
from virtualizarr.codecs.names import from_numcodecs
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

DATA = (np.arange(5000) // 19 % 90).astype("<i4").tobytes()
NUMCODECS: list[dict[str, Any]] = [
    {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1, "blocksize": 0},
    {"id": "bz2", "level": 9},
    {"id": "gzip", "level": 6},
    {"id": "lz4", "acceleration": 1},
    {"id": "lzma", "format": 1, "check": -1, "preset": None, "filters": None},
    {"id": "zlib", "level": 1},
    {"id": "zstd", "level": 3, "checksum": True},
]


@pytest.mark.parametrize("config", NUMCODECS, ids=lambda config: str(config["id"]))
def test_same_values(config: dict[str, Any]) -> None:
    encoded = octets(bytes(numcodecs.get_codec(config).encode(DATA)))
    written = from_numcodecs(config, itemsize=4)
    (limited,) = bound([written])
    assert limited["name"] == "virtualizarr.bounded"
    assert get_codec_class(limited["name"]).from_dict(limited).to_dict() == written
    codec = Bounded.from_configuration(limited["configuration"])
    for nbytes in (len(DATA), None):
        assert codec.decode(encoded, nbytes).tobytes() == DATA
    again = bytes(numcodecs.get_codec(config).decode(codec.encode(octets(DATA))))
    assert again == DATA
    with pytest.raises(CorruptFileError, match="bounded"):
        codec.decode(encoded, 100)
    with pytest.raises(CorruptFileError, match="bounded"):
        codec.decode(encoded[: encoded.size // 2], len(DATA))


def test_members_one_after_the_other() -> None:
    half = len(DATA) // 2
    members = gzip.compress(DATA[:half]) + gzip.compress(DATA[half:])
    assert bytes(numcodecs.GZip().decode(members)) == DATA
    assert Bounded("gzip").decode(octets(members), len(DATA)).tobytes() == DATA
    with pytest.raises(CorruptFileError, match="more than"):
        Bounded("gzip").decode(octets(members), half - 8192)


def test_bytes_behind_a_zlib_stream() -> None:
    stored = zlib.compress(DATA) + b"x\x9crest"
    assert Bounded("numcodecs.zlib").decode(octets(stored), len(DATA)).tobytes() == DATA


def test_zstd_frame_without_a_content_size() -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    frame = bytes(imagecodecs.zstd_encode(DATA))
    assert zstd_content_size(frame) == len(DATA)
    descriptor = frame[4]
    assert descriptor >> 6 == 1
    assert descriptor >> 5 & 1
    bare = frame[:4] + bytes([descriptor & 0x1F, 0x70]) + frame[7:]
    assert zstd_content_size(bare) is None
    assert Bounded("zstd").decode(octets(bare), len(DATA)).tobytes() == DATA
    with pytest.raises(CorruptFileError):
        Bounded("zstd").decode(octets(bare), 100)


def test_what_is_left_as_it_is() -> None:
    raw = {"name": "numcodecs.lzma", "configuration": {"format": 3, "filters": [{"id": 33}]}}
    others = [raw, {"name": "virtualizarr.lzf", "configuration": {}}, {"name": "numcodecs.delta"}]
    assert bound(others) == others
    with pytest.raises(UnsupportedFeatureError, match=r"numcodecs\.delta"):
        Bounded("numcodecs.delta")
