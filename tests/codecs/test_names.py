"""Codec metadata between Zarr v3 and v2, with zarr's and numcodecs' registries as witnesses."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import pytest
from zarr.abc.codec import ArrayArrayCodec, ArrayBytesCodec, BytesBytesCodec
from zarr.registry import get_codec_class

from virtualizarr.codecs.names import (
    ARRAY_ARRAY,
    ARRAY_BYTES,
    BYTES_BYTES,
    from_numcodecs,
    to_numcodecs,
)
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

CONFIGS: list[dict[str, Any]] = [
    {"id": "adler32"},
    {"id": "bitround", "keepbits": 5},
    {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2, "blocksize": 0},
    {"id": "blosc", "cname": "lz4", "clevel": 3, "shuffle": 0, "blocksize": 64, "typesize": 2},
    {"id": "bz2", "level": 4},
    {"id": "crc32"},
    {"id": "crc32c"},
    {"id": "crc32c", "location": "start"},
    {"id": "delta", "dtype": "<f4", "astype": "<f4"},
    {"id": "fixedscaleoffset", "scale": 10, "offset": 1, "dtype": "<f4", "astype": "<i2"},
    {"id": "fletcher32"},
    {"id": "gzip", "level": 6},
    {"id": "jenkins_lookup3", "initval": 0, "prefix": None},
    {"id": "lz4", "acceleration": 2},
    {"id": "lzma", "format": 1, "check": -1, "preset": None, "filters": None},
    {"id": "pcodec", "level": 8},
    {"id": "quantize", "digits": 2, "dtype": "<f4", "astype": "<f4"},
    {"id": "shuffle", "elementsize": 8},
    {"id": "vlen-bytes"},
    {"id": "vlen-utf8"},
    {"id": "zlib", "level": 1},
    {"id": "zstd", "level": 22, "checksum": True},
    {"id": "virtualizarr.lzf"},
    {"id": "virtualizarr.bitshuffle", "elementsize": 4, "blocksize": 0, "cname": "lz4"},
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: str(config["id"]))
def test_there_and_back(config: dict[str, Any]) -> None:
    codec = from_numcodecs(config, itemsize=4)
    assert to_numcodecs(codec, itemsize=4) == config
    made = get_codec_class(codec["name"]).from_dict(codec)
    kind = (
        ArrayArrayCodec if config["id"] in ARRAY_ARRAY
        else ArrayBytesCodec if config["id"] in ARRAY_BYTES
        else BytesBytesCodec
    )  # fmt: skip
    assert isinstance(made, kind)


def test_decoders_of_imagecodecs_get_an_id_that_any_process_knows() -> None:
    """imagecodecs registers its own ids in processes that ask it to, ours are entry points."""
    codec = from_numcodecs({"id": "imagecodecs_jpeg2k", "level": 3})
    config = to_numcodecs(codec)
    assert config["id"] == "virtualizarr.imagecodecs"
    assert from_numcodecs(config) == codec


def test_every_numcodecs_codec_is_converted_or_refused() -> None:
    known = ARRAY_ARRAY | ARRAY_BYTES | BYTES_BYTES
    own = {name for name in numcodecs.registry.codec_registry if name.startswith("virtualizarr.")}
    for name in set(numcodecs.registry.codec_registry) - known - own:
        if name.startswith("imagecodecs_"):
            continue
        with pytest.raises(UnsupportedFeatureError, match=name):
            from_numcodecs({"id": name})


def test_defaults_are_those_of_numcodecs() -> None:
    data = np.arange(64, dtype="<i4").tobytes()
    for name in ("gzip", "zstd", "blosc", "shuffle", "zlib", "bz2"):
        config = {"id": name}
        filled = to_numcodecs(from_numcodecs(config, itemsize=4), itemsize=4)
        encoded = numcodecs.get_codec(config).encode(data)
        assert bytes(numcodecs.get_codec(filled).decode(encoded)) == data
    assert to_numcodecs(from_numcodecs({"id": "shuffle"}, itemsize=8))["elementsize"] == 4


@pytest.mark.parametrize("itemsize, name", [(1, "bitshuffle"), (4, "shuffle")])
def test_blosc_autoshuffle(itemsize: int, name: str) -> None:
    codec = from_numcodecs({"id": "blosc", "shuffle": -1}, itemsize=itemsize)
    assert codec["configuration"]["shuffle"] == name
    assert codec["configuration"]["typesize"] == itemsize


def test_size_of_a_chunk_is_told_to_our_codecs_only() -> None:
    own = {"name": "virtualizarr.lzf", "configuration": {}}
    config = to_numcodecs(own, nbytes=80)
    assert config == {"id": "virtualizarr.lzf", "nbytes": 80}
    assert from_numcodecs(config) == own
    assert to_numcodecs({"name": "zstd", "configuration": {"level": 1}}, nbytes=80) == {
        "id": "zstd",
        "level": 1,
    }


@pytest.mark.parametrize("name", ["pickle", "json2", "msgpack2", "grib", "record_member", "mine"])
def test_unknown_ids_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=name):
        from_numcodecs({"id": name})


@pytest.mark.parametrize("name", ["sharding_indexed", "virtualizarr.crop", "cast_value", "mine"])
def test_unknown_names_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=name):
        to_numcodecs({"name": name, "configuration": {}})


@pytest.mark.parametrize("config", [{}, {"id": 3}, {"id": "blosc", "shuffle": 7}])
def test_what_is_no_configuration(config: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError):
        from_numcodecs(config)
    with pytest.raises(CorruptFileError):
        to_numcodecs({"name": 3})
