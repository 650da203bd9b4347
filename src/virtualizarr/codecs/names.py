"""Codec metadata in both Zarr formats: v3 codec JSON <-> v2 (numcodecs) configuration.

Pure functions over JSON; no codec is imported or made. Byte order and array order are not codecs
in Zarr v2 (they live in `dtype` and `order`), so `bytes` and `transpose` do not pass through here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

type CodecJSON = dict[str, Any]  # {"name": ..., "configuration": {...}}
type CodecConfig = dict[str, Any]  # {"id": ..., ...}

OWN_PREFIX = "virtualizarr."
NUMCODECS_PREFIX = "numcodecs."
IMAGECODECS_PREFIX = "imagecodecs_"
IMAGECODECS_NAME = "virtualizarr.imagecodecs"

DECODED_SIZE_KEY = "nbytes"
"""In the v2 form of our own codecs: the size of a decoded chunk in bytes, which v3 gives itself."""

ARRAY_ARRAY = frozenset({"astype", "bitround", "delta", "fixedscaleoffset", "packbits", "quantize"})
"""The numcodecs ids that work on arrays: in Zarr v3 they precede the array-to-bytes codec."""

ARRAY_BYTES = frozenset({"pcodec", "vlen-bytes", "vlen-utf8", "zfpy"})
"""The numcodecs ids that take the place of the array-to-bytes codec."""

BYTES_BYTES = frozenset(
    {
        *("adler32", "blosc", "bz2", "crc32", "crc32c", "fletcher32", "gzip"),
        *("jenkins_lookup3", "lz4", "lzma", "shuffle", "zlib", "zstd"),
    }
)
"""The numcodecs ids that work on bytes and that zarr can name in Zarr v3."""

REFUSED = {
    "base64": "turns bytes into text and has no Zarr v3 name",
    "categorize": "has no Zarr v3 name",
    "json2": "stores Python objects as JSON and has no Zarr v3 name",
    "msgpack2": "stores Python objects and has no Zarr v3 name",
    "pickle": "runs code found in the data when it is read",
    "vlen-array": "has no Zarr v3 name",
}

BLOSC_SHUFFLE = ("noshuffle", "shuffle", "bitshuffle")
BLOSC_AUTOSHUFFLE = -1

NUMCODECS_SHUFFLE_ELEMENTSIZE = 4  # what numcodecs takes where none is given


def from_numcodecs(config: Mapping[str, Any], *, itemsize: int = 1) -> CodecJSON:
    """Return the Zarr v3 codec JSON of a numcodecs configuration (a v2 filter or compressor).

    `itemsize` is the array's element size in bytes, which blosc takes where the configuration
    leaves `typesize` out. Whether the result works on arrays or on bytes is told by
    `ARRAY_ARRAY`, `ARRAY_BYTES` and, for the rest, bytes. Raises `UnsupportedFeatureError` naming
    a codec that Zarr v3 has no name for, `CorruptFileError` for what is not a configuration.
    """
    identifier = config.get("id")
    if not isinstance(identifier, str):
        raise CorruptFileError(f"a codec configuration has no 'id': {dict(config)!r}")
    settings = {key: value for key, value in config.items() if key != "id"}
    if identifier in REFUSED:
        raise UnsupportedFeatureError(f"codec {identifier!r} {REFUSED[identifier]}")
    if identifier in _FROM_NUMCODECS:
        return _FROM_NUMCODECS[identifier](settings, itemsize)
    if identifier.startswith(OWN_PREFIX):
        settings.pop(DECODED_SIZE_KEY, None)
        return {"name": identifier, "configuration": settings}
    if identifier.startswith(IMAGECODECS_PREFIX):
        name = identifier.removeprefix(IMAGECODECS_PREFIX)
        return {"name": IMAGECODECS_NAME, "configuration": {"codec": name, "options": settings}}
    if identifier in ARRAY_ARRAY or identifier in ARRAY_BYTES or identifier in BYTES_BYTES:
        return {"name": NUMCODECS_PREFIX + identifier, "configuration": settings}
    raise UnsupportedFeatureError(f"codec {identifier!r} has no Zarr v3 name that is known here")


def to_numcodecs(
    codec: Mapping[str, Any] | str, *, itemsize: int | None = None, nbytes: int | None = None
) -> CodecConfig:
    """Return the numcodecs configuration of one Zarr v3 codec that is not `bytes` or `transpose`.

    `itemsize` (bytes of an element) lets blosc's `typesize` be left out where it says the same.
    `nbytes` (bytes of a decoded chunk, where all chunks have one shape) is recorded for our own
    codecs, which Zarr v2 does not tell how large a chunk is. Raises `UnsupportedFeatureError`
    naming a codec that Zarr v2 cannot hold.
    """
    name, settings = _named(codec)
    if name in _TO_NUMCODECS:
        return _TO_NUMCODECS[name](settings, itemsize)
    if name in _V3_ONLY:
        raise UnsupportedFeatureError(
            f"codec {name!r} cannot be written as Zarr v2: {_V3_ONLY[name]}"
        )
    if name.startswith(OWN_PREFIX):
        size = {} if nbytes is None else {DECODED_SIZE_KEY: nbytes}
        return {"id": name, **settings, **size}
    identifier = name.removeprefix(NUMCODECS_PREFIX)
    known = ARRAY_ARRAY | ARRAY_BYTES | BYTES_BYTES
    if name.startswith(NUMCODECS_PREFIX) and identifier in known:
        return {"id": identifier, **settings}
    raise UnsupportedFeatureError(f"codec {name!r} has no numcodecs id, so Zarr v2 cannot hold it")


def _named(codec: Mapping[str, Any] | str) -> tuple[str, dict[str, Any]]:
    if isinstance(codec, str):
        return codec, {}
    name = codec.get("name")
    settings = codec.get("configuration")
    if not isinstance(name, str) or not (settings is None or isinstance(settings, Mapping)):
        raise CorruptFileError(f"not a Zarr v3 codec: {dict(codec)!r}")
    return name, {} if settings is None else dict(settings)


def _gzip_from(settings: dict[str, Any], _itemsize: int) -> CodecJSON:
    return {"name": "gzip", "configuration": {"level": settings.get("level", 1)}}


def _zstd_from(settings: dict[str, Any], _itemsize: int) -> CodecJSON:
    level, checksum = settings.get("level", 0), settings.get("checksum", False)
    return {"name": "zstd", "configuration": {"level": level, "checksum": checksum}}


def _blosc_from(settings: dict[str, Any], itemsize: int) -> CodecJSON:
    shuffle = settings.get("shuffle", 1)
    if shuffle == BLOSC_AUTOSHUFFLE:
        shuffle = 2 if itemsize == 1 else 1
    if shuffle not in (0, 1, 2):
        raise CorruptFileError(f"codec 'blosc': shuffle is {shuffle!r}, not -1, 0, 1 or 2")
    typesize = settings.get("typesize")
    configuration = {
        "typesize": typesize if typesize is not None else itemsize,
        "cname": settings.get("cname", "lz4"),
        "clevel": settings.get("clevel", 5),
        "shuffle": BLOSC_SHUFFLE[shuffle],
        "blocksize": settings.get("blocksize", 0),
    }
    return {"name": "blosc", "configuration": configuration}


def _shuffle_from(settings: dict[str, Any], _itemsize: int) -> CodecJSON:
    elementsize = settings.get("elementsize", NUMCODECS_SHUFFLE_ELEMENTSIZE)
    return {"name": "numcodecs.shuffle", "configuration": {"elementsize": elementsize}}


def _crc32c_from(settings: dict[str, Any], _itemsize: int) -> CodecJSON:
    if settings.get("location", "end") == "end":
        return {"name": "crc32c"}
    return {"name": "numcodecs.crc32c", "configuration": settings}


def _blosc_to(settings: dict[str, Any], itemsize: int | None) -> CodecConfig:
    shuffle = settings.get("shuffle", "noshuffle")
    if shuffle not in BLOSC_SHUFFLE:
        raise CorruptFileError(f"codec 'blosc': shuffle is {shuffle!r}")
    config = {**settings, "id": "blosc", "shuffle": BLOSC_SHUFFLE.index(shuffle)}
    if config.get("typesize") in (None, itemsize):
        config.pop("typesize", None)
    return config


_FROM_NUMCODECS: dict[str, Callable[[dict[str, Any], int], CodecJSON]] = {
    "blosc": _blosc_from,
    "crc32c": _crc32c_from,
    "gzip": _gzip_from,
    "shuffle": _shuffle_from,
    "vlen-bytes": lambda _settings, _itemsize: {"name": "vlen-bytes"},
    "vlen-utf8": lambda _settings, _itemsize: {"name": "vlen-utf8"},
    "zstd": _zstd_from,
}

_TO_NUMCODECS: dict[str, Callable[[dict[str, Any], int | None], CodecConfig]] = {
    "blosc": _blosc_to,
    "crc32c": lambda _settings, _itemsize: {"id": "crc32c"},
    "gzip": lambda settings, _itemsize: {"id": "gzip", **settings},
    "vlen-bytes": lambda _settings, _itemsize: {"id": "vlen-bytes"},
    "vlen-utf8": lambda _settings, _itemsize: {"id": "vlen-utf8"},
    "zstd": lambda settings, _itemsize: {"id": "zstd", **settings},
}

_V3_ONLY = {
    "cast_value": "no numcodecs codec does the same",
    "scale_offset": "no numcodecs codec does the same",
    "sharding_indexed": "a v2 chunk cannot hold inner chunks",
    "virtualizarr.crop": "a numcodecs codec is not told the shape of its chunk",
}
