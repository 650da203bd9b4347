"""Filter pipelines: one chain of Zarr codecs for chunks that may each have skipped some filters."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

from numcodecs.registry import get_codec

from virtualizarr.codecs.bounded import bound
from virtualizarr.codecs.hdf5_pipeline import Pipeline
from virtualizarr.codecs.names import CodecJSON, to_numcodecs
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.index import ChunkIndex
from virtualizarr.parsers.hdf5.layout import Filter


@lru_cache(maxsize=256)
def pipeline_of(filters: tuple[Filter, ...], element_size: int) -> Pipeline:
    """Return a filter pipeline's codecs; UnsupportedFeatureError names a filter without one."""
    return Pipeline.of(
        [(each.id, int(each.optional), each.name, each.client_data) for each in filters],
        element_size,
    )


def codecs_for(pipeline: Pipeline, index: ChunkIndex) -> tuple[CodecJSON, ...]:
    """Return the bytes-to-bytes codecs that read all chunks of an index; errors as `Pipeline`."""
    if not index.filters_skipped:
        return pipeline.whole
    return pipeline.codecs_for(index.filter_mask, index.size)


def decode_chunk(pipeline: Pipeline, mask: int, data: bytes, size: int) -> bytes:
    """Undo the filters of one chunk that holds `size` bytes; CorruptFileError if that fails."""
    return decode_bytes(pipeline.applied(mask), data, size)


def decode_bytes(codecs: Sequence[CodecJSON], data: bytes, size: int) -> bytes:
    """Undo bytes-to-bytes codecs of one chunk of `size` bytes; errors as `decode_chunk`."""
    for codec in reversed(bound(codecs)):
        try:
            data = bytes(get_codec(to_numcodecs(codec, nbytes=size)).decode(data))
        except (ValueError, RuntimeError, zlib.error) as error:
            if isinstance(error, CorruptFileError | UnsupportedFeatureError):
                raise
            raise CorruptFileError(f"a chunk does not decode: {error}") from error
    if len(data) != size:
        raise CorruptFileError(f"a chunk decodes to {len(data)} bytes, {size} are declared")
    return data


def encode_bytes(codecs: Sequence[CodecJSON], data: bytes) -> bytes:
    """Encode one chunk; UnsupportedFeatureError names a codec that only decodes."""
    for codec in codecs:
        data = bytes(get_codec(to_numcodecs(codec)).encode(data))
    return data
