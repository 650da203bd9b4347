"""Zarr v3 codecs over a `ForeignCodec`, for both of zarr's pipelines, on zarr's public names."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.codec import BytesBytesCodec
from zarr.dtype import RawBytes

from virtualizarr.codecs.base import ForeignCodec, octets
from virtualizarr.errors import CorruptFileError


class DType(Protocol):
    """What we use of a zarr data type."""

    def to_native_dtype(self) -> np.dtype[Any]: ...


class ChunkSpec(Protocol):
    """What we use of zarr's description of a chunk."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> DType: ...
    @property
    def prototype(self) -> BufferPrototype: ...


def chunk_nbytes(spec: ChunkSpec) -> int | None:
    """Return the size in bytes of a decoded chunk; None where elements vary in size."""
    dtype = spec.dtype.to_native_dtype()
    if dtype.hasobject or dtype.kind == "T":
        return None
    size = dtype.itemsize
    for length in spec.shape:
        size *= int(length)
    return size


def as_stored(spec: Any, stored: int, decoded: int) -> Any:
    """Return the chunk that codecs behind one that converts elements work on, stored ones.

    `stored` and `decoded` are the bytes of an element. A chunk of elements that vary in size is
    returned as it is.
    """
    nbytes = chunk_nbytes(spec)
    if nbytes is None:
        return spec
    dtype = RawBytes(length=stored)
    return replace(spec, shape=(nbytes // decoded,), dtype=dtype, fill_value=dtype.default_scalar())


@dataclass(frozen=True)
class ZarrTwin(BytesBytesCodec):
    """The Zarr v3 form of the bytes-to-bytes `ForeignCodec` named by `class X(ZarrTwin, of=Y)`."""

    kind: ClassVar[type[ForeignCodec]]
    is_fixed_size = False
    foreign: ForeignCodec

    def __init_subclass__(cls, *, of: type[ForeignCodec], **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.kind = of

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls(cls.kind.from_configuration(configuration_of(data, cls.kind.name)))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.kind.name, "configuration": self.foreign.configuration()}

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ChunkSpec) -> Buffer:
        encoded = octets(chunk_data.as_numpy_array())
        decoded = self.foreign.decode(encoded, chunk_nbytes(chunk_spec))
        return chunk_spec.prototype.buffer.from_bytes(decoded.data)

    def _encode_sync(self, chunk_data: Buffer, chunk_spec: ChunkSpec) -> Buffer:
        encoded = self.foreign.encode(octets(chunk_data.as_numpy_array()))
        return chunk_spec.prototype.buffer.from_bytes(encoded.data)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ChunkSpec) -> Buffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)

    async def _encode_single(self, chunk_data: Buffer, chunk_spec: ChunkSpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ChunkSpec) -> int:
        raise NotImplementedError


def configuration_of(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the configuration in codec metadata; `CorruptFileError` unless it is of `name`."""
    configuration = data.get("configuration", {})
    if data.get("name") != name or not isinstance(configuration, dict):
        raise CorruptFileError(f"codec {name}: not its metadata: {data!r}")
    return configuration
