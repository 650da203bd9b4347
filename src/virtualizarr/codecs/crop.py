"""Stored chunks that are larger than the chunks they stand for.

HDF5 and Zarr store the last chunk of an axis whole, padded. Once another array is joined behind it,
that chunk lies in the middle of a rectilinear grid, and its padding must go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from zarr.abc.buffer import NDBuffer
from zarr.abc.codec import ArrayArrayCodec

from virtualizarr.codecs.zarr_base import ChunkSpec, configuration_of
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class ReplaceableSpec(ChunkSpec, DataclassInstance, Protocol):
        """zarr's description of a chunk, a frozen dataclass."""


NAME = "virtualizarr.crop"


@dataclass(frozen=True)
class CropCodec(ArrayArrayCodec):
    """Zarr v3 codec `virtualizarr.crop`.

    `stored_shape` is the shape of every stored chunk, in elements; the chunk of the array is the
    part of it from `offset` on. Raises `CorruptFileError` for a chunk that reaches further.
    """

    is_fixed_size = True
    stored_shape: tuple[int, ...]
    offset: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths: tuple[object, ...] = (*self.stored_shape, *self.offset)
        known = all(isinstance(length, int) and length >= 0 for length in lengths)
        if not known or len(self.offset) != len(self.stored_shape):
            raise CorruptFileError(
                f"codec {NAME}: stored_shape {self.stored_shape}, offset {self.offset}"
            )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        configuration = configuration_of(data, NAME)
        shape: Any = configuration.get("stored_shape")
        offset: Any = configuration.get("offset")
        known = isinstance(shape, list | tuple) and isinstance(offset, list | tuple | None)
        if not known or configuration.keys() - {"stored_shape", "offset"}:
            raise CorruptFileError(f"codec {NAME}: configuration {dict(configuration)!r}")
        start = (0,) * len(shape) if offset is None else tuple(offset)
        return cls(tuple(shape), start)

    def to_dict(self) -> dict[str, Any]:
        offset = {"offset": list(self.offset)} if any(self.offset) else {}
        return {"name": NAME, "configuration": {"stored_shape": list(self.stored_shape), **offset}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        if len(shape) != len(self.stored_shape):
            raise CorruptFileError(
                f"codec {NAME}: stored_shape {self.stored_shape} for an array of shape {shape},"
                f" data type {dtype}, chunk grid {chunk_grid}"
            )

    def resolve_metadata[S: ReplaceableSpec](self, chunk_spec: S) -> S:
        return replace(chunk_spec, shape=self.stored_shape)

    def _decode_sync(self, chunk_data: NDBuffer, chunk_spec: ChunkSpec) -> NDBuffer:
        stops = [start + n for start, n in zip(self.offset, chunk_spec.shape, strict=True)]
        if any(stop > n for stop, n in zip(stops, self.stored_shape, strict=True)):
            raise CorruptFileError(
                f"codec {NAME}: a chunk of shape {chunk_spec.shape} from {self.offset} does not"
                f" lie within the stored shape {self.stored_shape}"
            )
        if chunk_spec.shape == self.stored_shape:
            return chunk_data
        selection = tuple(map(slice, self.offset, stops))
        return chunk_data[selection]

    def _encode_sync(self, chunk_data: NDBuffer, chunk_spec: ChunkSpec) -> NDBuffer:
        raise UnsupportedFeatureError(
            f"codec {NAME} reads but does not write: a chunk of shape {chunk_spec.shape} within"
            f" {chunk_data.shape}"
        )

    async def _decode_single(self, chunk_data: NDBuffer, chunk_spec: ChunkSpec) -> NDBuffer:
        return self._decode_sync(chunk_data, chunk_spec)

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ChunkSpec) -> NDBuffer:
        return self._encode_sync(chunk_data, chunk_spec)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ChunkSpec) -> int:
        raise NotImplementedError
