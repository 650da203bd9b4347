"""Chunks of one HDF5 dataset that were written with different filters.

HDF5 records for each chunk which filters were skipped; Zarr has one chain of codecs for all chunks.
Where the stored length of a chunk tells which filters it has, this codec chooses by the length.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from numcodecs.abc import Codec
from numcodecs.registry import get_codec
from zarr.abc.buffer import Buffer
from zarr.abc.codec import BytesBytesCodec
from zarr.registry import get_codec_class

from virtualizarr.codecs.names import DECODED_SIZE_KEY, CodecJSON, to_numcodecs
from virtualizarr.codecs.zarr_base import ChunkSpec, configuration_of
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

NAME = "virtualizarr.optional_filters"
MAX_CODECS = 32  # bits of a filter mask


@dataclass(frozen=True)
class Choice:
    """`codecs` is the whole chain, in encoding order; `by_length` maps the stored length of a chunk
    in bytes to the positions of the codecs that it was written with. Other chunks have them all.
    """

    codecs: tuple[CodecJSON, ...]
    by_length: tuple[tuple[int, tuple[int, ...]], ...]

    def __hash__(self) -> int:
        return hash((len(self.codecs), self.by_length))

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Self:
        """Return the choice a codec `configuration` describes; `CorruptFileError` if none."""
        codecs: Any = configuration.get("codecs")
        by_length: Any = configuration.get("by_length")
        known = isinstance(codecs, Sequence) and isinstance(by_length, Sequence)
        if not known or len(configuration) != 2:
            raise CorruptFileError(f"codec {NAME}: configuration {dict(configuration)!r}")
        if not 0 < len(codecs) <= MAX_CODECS:
            raise CorruptFileError(f"codec {NAME}: a chain of {len(codecs)} codecs")
        for codec in codecs:
            if not isinstance(codec, Mapping) or codec.get("name") == NAME:
                raise CorruptFileError(f"codec {NAME}: {codec!r} cannot be within it")
        return cls(tuple(dict(codec) for codec in codecs), _table(by_length, len(codecs)))

    def configuration(self) -> dict[str, Any]:
        """Return the choice as JSON values."""
        return {
            "codecs": [dict(codec) for codec in self.codecs],
            "by_length": [[length, list(applied)] for length, applied in self.by_length],
        }

    @cached_property
    def _applied(self) -> dict[int, tuple[int, ...]]:
        return dict(self.by_length)

    def applied(self, length: int) -> Sequence[int]:
        """Return the positions of the codecs that a stored chunk of `length` bytes has."""
        return self._applied.get(length, range(len(self.codecs)))


def _table(by_length: Iterable[Any], count: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    table: list[tuple[int, tuple[int, ...]]] = []
    for entry in by_length:
        try:
            length, applied = entry
            positions = tuple(applied)
        except (TypeError, ValueError) as error:
            raise CorruptFileError(f"codec {NAME}: by_length entry {entry!r}") from error
        numbers = all(isinstance(value, int) for value in (length, *positions))
        ordered = numbers and all(0 <= at < count for at in positions)
        if not ordered or list(positions) != sorted(set(positions)):
            raise CorruptFileError(f"codec {NAME}: by_length entry {entry!r}")
        table.append((length, positions))
    return tuple(table)


@dataclass(frozen=True)
class OptionalFiltersCodec(BytesBytesCodec):
    """Zarr v3 codec `virtualizarr.optional_filters`; see `Choice` for its configuration."""

    is_fixed_size = False
    choice: Choice

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls(Choice.from_configuration(configuration_of(data, NAME)))

    def to_dict(self) -> dict[str, Any]:
        return {"name": NAME, "configuration": self.choice.configuration()}

    @cached_property
    def _chain(self) -> tuple[Any, ...]:
        return tuple(_bytes_codec(codec) for codec in self.choice.codecs)

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ChunkSpec) -> Buffer:
        for position in reversed(self.choice.applied(len(chunk_data))):
            chunk_data = self._chain[position]._decode_sync(chunk_data, chunk_spec)
        return chunk_data

    def _encode_sync(self, chunk_data: Buffer, chunk_spec: ChunkSpec) -> Buffer:
        raise UnsupportedFeatureError(
            f"codec {NAME} reads but does not write: a chunk of shape {chunk_spec.shape},"
            f" {len(chunk_data)} bytes"
        )

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ChunkSpec) -> Buffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)

    async def _encode_single(self, chunk_data: Buffer, chunk_spec: ChunkSpec) -> Buffer:
        return self._encode_sync(chunk_data, chunk_spec)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ChunkSpec) -> int:
        raise NotImplementedError


def _bytes_codec(codec: CodecJSON) -> Any:
    """Return zarr's codec of a codec JSON, which must work on bytes and without an event loop."""
    made = get_codec_class(codec["name"]).from_dict(codec)
    if not isinstance(made, BytesBytesCodec) or not hasattr(made, "_decode_sync"):
        raise UnsupportedFeatureError(f"codec {NAME}: {codec['name']} cannot be within it")
    return made


class OptionalFiltersNumcodec(Codec):  # type: ignore[misc]  # numcodecs has no annotations
    """numcodecs codec `virtualizarr.optional_filters`; `nbytes` is what a decoded chunk has."""

    codec_id = NAME

    def __init__(self, nbytes: int | None = None, **configuration: Any) -> None:
        self.nbytes = nbytes
        self.choice = Choice.from_configuration(configuration)
        self.chain = [get_codec(to_numcodecs(c, nbytes=nbytes)) for c in self.choice.codecs]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**{key: value for key, value in config.items() if key != "id"})

    def get_config(self) -> dict[str, Any]:
        size = {} if self.nbytes is None else {DECODED_SIZE_KEY: self.nbytes}
        return {"id": NAME, **self.choice.configuration(), **size}

    def decode(self, buf: Any, out: Any = None) -> Any:
        positions = self.choice.applied(memoryview(buf).nbytes)
        for position in reversed(positions):
            buf = self.chain[position].decode(buf)
        if out is None:
            return buf
        memoryview(out).cast("B")[:] = memoryview(buf).cast("B")
        return out

    def encode(self, buf: Any) -> Any:
        size = memoryview(buf).nbytes
        raise UnsupportedFeatureError(f"codec {NAME} reads but does not write ({size} bytes)")
