"""zarr's own codecs with a limit: a chunk never grows beyond what its array declares.

Written stores name `numcodecs.zlib`, `zstd` and so on, as every reader knows them. Those decode
whatever a stream holds, so a few kB may fill gigabytes; a reader of ours that serves the metadata
itself (and only such a reader) passes the codecs through `bound` first.

The limited form remembers the codec it stands for: it encodes with it and calls itself by its name
in metadata, so an array written with the encoding of one that was read names the usual codec.
"""

from __future__ import annotations

import bz2
import json
import lzma
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numcodecs
import numpy as np
from numcodecs import blosc as numcodecs_blosc
from numcodecs import lz4 as numcodecs_lz4
from numcodecs import zstd as numcodecs_zstd

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, octets
from virtualizarr.codecs.checked import CHECKED
from virtualizarr.codecs.libdeflate import zlib_content
from virtualizarr.codecs.names import CodecJSON, to_numcodecs
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ChunkSpec, ZarrTwin
from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError

NAME = "virtualizarr.bounded"
OPTIONAL_FILTERS = "virtualizarr.optional_filters"
SHARDING = "sharding_indexed"
CHAINS = ("codecs", "index_codecs")
UNKNOWN_SIZE_LIMIT = 1 << 31
LZMA_MEMORY = 80 << 20  # what the largest preset of xz needs, whose dictionary is 64 MiB, and some
GZIP_WINDOW = 31  # zlib's code for a gzip header and the largest window
BLOSC_HEADER = struct.Struct("<4xIII")  # nbytes, blocksize, cbytes
LZ4_HEADER = struct.Struct("<I")
DECODING_ERRORS = (
    *(zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError),
    *(TypeError, ValueError),  # also for settings that numcodecs does not take
)
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Decompressor(Protocol):
    """The incremental decompressors of the standard library, as far as they agree."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: Any, max_length: int, /) -> bytes: ...


def bound(codecs: Sequence[Mapping[str, Any] | str]) -> list[CodecJSON]:
    """Return the codecs with every unlimited decompressor replaced by its limited form.

    So are the codecs whose own errors on broken chunks say nothing of a file: checksums, and what
    turns bytes into arrays. The result decodes the same bytes to the same values; it is for
    reading, not to be written.
    """
    return [_bound_one(codec) for codec in codecs]


def _bound_one(codec: Mapping[str, Any] | str) -> CodecJSON:
    """Replace one codec; what is no description of a codec is left for zarr to refuse."""
    known: CodecJSON = {"name": codec} if isinstance(codec, str) else dict(codec)
    name, settings = known.get("name"), known.get("configuration", {})
    if not isinstance(name, str) or not isinstance(settings, Mapping):
        return known
    raw = name == "numcodecs.lzma" and settings.get("format") == lzma.FORMAT_RAW
    if name in DECODERS and not raw:
        configuration = {"codec": name, "settings": json.dumps(settings, sort_keys=True)}
        return {"name": NAME, "configuration": configuration}
    if name in CHECKED:
        known["name"] = CHECKED[name]
    if name in (OPTIONAL_FILTERS, SHARDING):
        chains = {key: settings[key] for key in CHAINS if isinstance(settings.get(key), list)}
        inner = {key: bound(chain) for key, chain in chains.items() if all(map(_is_codec, chain))}
        known["configuration"] = {**settings, **inner}
    return known


def _is_codec(value: object) -> bool:
    return isinstance(value, str | Mapping)


@dataclass(frozen=True)
class Bounded(ForeignCodec):
    """`codec`: the Zarr v3 name of the codec that is limited, `settings`: its configuration, JSON.

    The settings matter to the encoder only.
    """

    name: ClassVar[str] = NAME
    codec: str
    settings: str = "{}"

    def __post_init__(self) -> None:
        if self.codec not in DECODERS:
            raise UnsupportedFeatureError(f"codec {self.codec!r} has no limited form here")

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        limit = UNKNOWN_SIZE_LIMIT if nbytes is None else capacity(nbytes)
        try:
            return DECODERS[self.codec](self, data, limit)
        except VirtualizeError:
            raise
        except DECODING_ERRORS as error:
            raise self.corrupt(f"{self.codec} cannot decode the chunk: {error}") from error

    def encode(self, data: Octets) -> Octets:
        codec = numcodecs.get_codec(to_numcodecs(self.written()))
        return octets(bytes(codec.encode(data)))

    def written(self) -> CodecJSON:
        """Return the metadata of the codec that this one stands for."""
        return {"name": self.codec, "configuration": json.loads(self.settings)}

    def declared(self, size: int, limit: int) -> None:
        """Raise `CorruptFileError` if a stream declares more bytes than the chunk may have."""
        self.require(size <= limit, f"{self.codec} declares {size} bytes, at most {limit} fit")


def _from_members(
    codec: Bounded, data: Octets, limit: int, member: Callable[[], Decompressor], several: bool
) -> Octets:
    """Decode one compressed member, or `several` one after the other; ignore what follows."""
    rest: Any = data.data
    magic = bytes(rest[:2])
    parts: list[bytes] = []
    total = 0
    while not parts or (several and bytes(rest[:2]) == magic):
        decompressor = member()
        parts.append(decompressor.decompress(rest, limit - total + 1))
        total += len(parts[-1])
        codec.require(total <= limit, f"{codec.codec} holds more than {limit} bytes")
        codec.require(decompressor.eof, f"{codec.codec} stream is cut short")
        rest = decompressor.unused_data
    return octets(parts[0] if len(parts) == 1 else b"".join(parts))


def _zlib(codec: Bounded, data: Octets, limit: int) -> Octets:
    found = zlib_content(data, limit)
    if found is not None:
        return found
    return _from_members(codec, data, limit, zlib.decompressobj, several=False)


def _gzip(codec: Bounded, data: Octets, limit: int) -> Octets:
    return _from_members(codec, data, limit, lambda: zlib.decompressobj(GZIP_WINDOW), several=True)


def _bz2(codec: Bounded, data: Octets, limit: int) -> Octets:
    return _from_members(codec, data, limit, bz2.BZ2Decompressor, several=True)


def _lzma(codec: Bounded, data: Octets, limit: int) -> Octets:
    def member() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=LZMA_MEMORY)

    return _from_members(codec, data, limit, member, several=True)


def _lz4(codec: Bounded, data: Octets, limit: int) -> Octets:
    codec.require(data.size >= LZ4_HEADER.size, "lz4 stream is cut short")
    codec.declared(LZ4_HEADER.unpack_from(data)[0], limit)
    return octets(numcodecs_lz4.decompress(data))


def _blosc(codec: Bounded, data: Octets, limit: int) -> Octets:
    codec.require(data.size >= 16, "blosc frame is cut short")
    size, _, stored = BLOSC_HEADER.unpack_from(data)
    codec.require(stored <= data.size, f"blosc frame declares {stored} bytes of itself")
    codec.declared(size, limit)
    return octets(numcodecs_blosc.decompress(data))


def _zstd(codec: Bounded, data: Octets, limit: int) -> Octets:
    size = zstd_content_size(data[:18].tobytes())
    if size is not None:
        codec.declared(size, limit)
        return octets(numcodecs_zstd.decompress(data))
    out = np.empty(limit, np.uint8)
    return octets(codec.imagecodecs("zstd_decode", data, out=out.data))


def _checksummed(codec: Bounded, data: Octets, limit: int) -> Octets:
    codec.require(data.size >= CHECKSUM_BYTES, f"{codec.codec}: the checksum is cut off")
    codec.declared(data.size, limit + CHECKSUM_BYTES)
    return octets(numcodecs.get_codec(to_numcodecs(codec.written())).decode(data))


def _as_long(codec: Bounded, data: Octets, limit: int) -> Octets:
    """Decode what is as long as its encoding."""
    codec.declared(data.size, limit)
    return octets(numcodecs.get_codec(to_numcodecs(codec.written())).decode(data))


def zstd_content_size(head: bytes) -> int | None:
    """Return the content size in a Zstandard frame header (RFC 8878, 3.1.1.1), None if absent."""
    if head[:4] != ZSTD_MAGIC or len(head) < 5:
        return None
    descriptor = head[4]
    single_segment = descriptor >> 5 & 1
    at = 5 + (1 - single_segment) + (0, 1, 2, 4)[descriptor & 3]
    width = (single_segment, 2, 4, 8)[descriptor >> 6]
    if width == 0 or len(head) < at + width:
        return None
    size = int.from_bytes(head[at : at + width], "little")
    return size + 256 if width == 2 else size


CHECKSUM_BYTES = 4
CHECKSUMS = (
    *("crc32c", "numcodecs.adler32", "numcodecs.crc32", "numcodecs.crc32c"),
    *("numcodecs.fletcher32", "numcodecs.jenkins_lookup3"),
)

DECODERS: dict[str, Callable[[Bounded, Octets, int], Octets]] = {
    **dict.fromkeys(CHECKSUMS, _checksummed),
    "blosc": _blosc,
    "gzip": _gzip,
    "numcodecs.blosc": _blosc,
    "numcodecs.bz2": _bz2,
    "numcodecs.gzip": _gzip,
    "numcodecs.lz4": _lz4,
    "numcodecs.lzma": _lzma,
    "numcodecs.shuffle": _as_long,
    "numcodecs.zlib": _zlib,
    "numcodecs.zstd": _zstd,
    "zstd": _zstd,
}


class BoundedCodec(ZarrTwin, of=Bounded):
    """Zarr v3 codec `virtualizarr.bounded`; in metadata it is the codec that it stands for."""

    foreign: Bounded

    def to_dict(self) -> dict[str, Any]:
        return self.foreign.written()

    @property
    def is_fixed_size(self) -> bool:  # type: ignore[override]
        """Whether the encoded size follows from the decoded one, as it must in a shard's index."""
        return self.foreign.codec in CHECKSUMS

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ChunkSpec) -> int:
        if self.is_fixed_size:
            return input_byte_length + CHECKSUM_BYTES
        return super().compute_encoded_size(input_byte_length, chunk_spec)


class BoundedNumcodec(NumcodecsTwin, of=Bounded):
    """numcodecs codec `virtualizarr.bounded`."""
