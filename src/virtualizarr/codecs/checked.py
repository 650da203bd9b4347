"""zarr's own array-to-bytes codecs with errors of ours where a chunk is broken.

Like `bounded`, they are named only in documents that a reader of ours serves itself; in metadata
that are written, they call themselves by the names of the codecs that they stand for. The classes
have the names of zarr's, by which zarr tells which codec may serve which data type.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, ClassVar, Self

from zarr import codecs

from virtualizarr.codecs.names import OWN_PREFIX
from virtualizarr.codecs.zarr_base import chunk_nbytes
from virtualizarr.errors import CorruptFileError, VirtualizeError

PREFIX = f"{OWN_PREFIX}checked_"
CHECKED = {
    "bytes": f"{PREFIX}bytes",
    "sharding_indexed": f"{PREFIX}sharding_indexed",
    "vlen-bytes": f"{PREFIX}vlen_bytes",
    "vlen-utf8": f"{PREFIX}vlen_utf8",
}
"""The names of the codecs of this module by those of the codecs that they stand for."""

COUNT_BYTES = 4


class _Checked:
    """Mixed in before a codec of zarr: its metadata are read under the name given here."""

    stands_for: ClassVar[str]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        made: Self = super().from_dict({**data, "name": cls.stands_for})  # type: ignore[misc]
        return made

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return self._decode_sync(chunk_bytes, chunk_spec)

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        raise NotImplementedError


class BytesCodec(_Checked, codecs.BytesCodec):
    """Zarr's `bytes` for chunks that must have the size that their array declares."""

    stands_for = "bytes"

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        size = chunk_nbytes(chunk_spec)
        if size is not None and len(chunk_bytes) != size:
            raise CorruptFileError(
                f"a chunk decodes to {len(chunk_bytes)} bytes; a chunk of shape "
                f"{tuple(chunk_spec.shape)} has {size}"
            )
        return codecs.BytesCodec._decode_sync(self, chunk_bytes, chunk_spec)


class VLenUTF8Codec(_Checked, codecs.VLenUTF8Codec):
    """Zarr's `vlen-utf8` with errors of ours."""

    stands_for = "vlen-utf8"

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check_count(chunk_bytes, chunk_spec)
        try:
            return codecs.VLenUTF8Codec._decode_sync(self, chunk_bytes, chunk_spec)
        except ValueError as error:
            raise _broken(error) from error


class VLenBytesCodec(_Checked, codecs.VLenBytesCodec):
    """Zarr's `vlen-bytes` with errors of ours."""

    stands_for = "vlen-bytes"

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        _check_count(chunk_bytes, chunk_spec)
        try:
            return codecs.VLenBytesCodec._decode_sync(self, chunk_bytes, chunk_spec)
        except ValueError as error:
            raise _broken(error) from error


class ShardingCodec(_Checked, codecs.ShardingCodec):
    """Zarr's `sharding_indexed` with errors of ours where a shard or its index is broken."""

    stands_for = "sharding_indexed"

    async def _decode_single(self, shard_bytes: Any, shard_spec: Any) -> Any:
        with _of_shard():
            return await codecs.ShardingCodec._decode_single(self, shard_bytes, shard_spec)

    async def _decode_partial_single(self, byte_getter: Any, selection: Any, spec: Any) -> Any:
        decode = codecs.ShardingCodec._decode_partial_single
        with _of_shard():
            return await decode(self, byte_getter, selection, spec)

    def _decode_sync(self, shard_bytes: Any, shard_spec: Any) -> Any:
        with _of_shard():
            return codecs.ShardingCodec._decode_sync(self, shard_bytes, shard_spec)

    def _decode_partial_sync(self, byte_getter: Any, selection: Any, spec: Any) -> Any:
        decode = codecs.ShardingCodec._decode_partial_sync
        with _of_shard():
            return decode(self, byte_getter, selection, spec)


@contextmanager
def _of_shard() -> Iterator[None]:
    """Turn what zarr raises for a broken shard into CorruptFileError; ours pass."""
    try:
        yield
    except VirtualizeError:
        raise
    except (ValueError, LookupError) as error:
        raise CorruptFileError(f"a shard is broken: {error}") from error


def _check_count(chunk_bytes: Any, chunk_spec: Any) -> None:
    """Raise CorruptFileError unless a chunk begins with the number of elements that it must have.

    Each element has its length before it.
    """
    count = prod(chunk_spec.shape)
    told = int.from_bytes(chunk_bytes[:COUNT_BYTES].to_bytes(), "little")
    if told != count or len(chunk_bytes) < COUNT_BYTES * (1 + count):
        raise CorruptFileError(
            f"a chunk of {len(chunk_bytes)} bytes declares {told} elements of varying length; "
            f"a chunk of shape {tuple(chunk_spec.shape)} has {count}"
        )


def _broken(error: ValueError) -> CorruptFileError:
    return CorruptFileError(f"elements of varying length are broken: {error}")
