"""Filter pipelines: one chain of Zarr codecs for chunks that may each have skipped some filters."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numcodecs.registry import get_codec

from virtualizarr.codecs.bounded import bound
from virtualizarr.codecs.hdf5_filters import codecs_by_filter
from virtualizarr.codecs.names import CodecJSON, to_numcodecs
from virtualizarr.codecs.optional import NAME as OPTIONAL_FILTERS
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.json import Json
from virtualizarr.parsers.hdf5.index import ChunkIndex
from virtualizarr.parsers.hdf5.layout import Filter


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """The codecs of each filter, in the order of writing; none for one that changes nothing."""

    by_filter: tuple[tuple[CodecJSON, ...], ...]
    whole: tuple[CodecJSON, ...]

    def applied(self, mask: int) -> tuple[CodecJSON, ...]:
        """Return the codecs of a chunk with this filter mask."""
        return tuple(self.whole[at] for at in self.positions(mask))

    def positions(self, mask: int) -> list[int]:
        """Return which of `whole` a chunk with this filter mask was written with."""
        owners = [at for at, codecs in enumerate(self.by_filter) for _ in codecs]
        return [position for position, at in enumerate(owners) if not mask >> at & 1]

    def meaningful(self) -> int:
        """Return the bits of a filter mask that stand for a filter that changes something."""
        return sum(1 << at for at, codecs in enumerate(self.by_filter) if codecs)


@lru_cache(maxsize=256)
def pipeline_of(filters: tuple[Filter, ...], element_size: int) -> Pipeline:
    """Return a filter pipeline's codecs; UnsupportedFeatureError names a filter without one."""
    by_filter = codecs_by_filter(
        [(each.id, int(each.optional), each.name, each.client_data) for each in filters],
        element_size,
    )
    return Pipeline(by_filter, tuple(codec for codecs in by_filter for codec in codecs))


def codecs_for(pipeline: Pipeline, index: ChunkIndex) -> tuple[CodecJSON, ...]:
    """Return the bytes-to-bytes codecs, in encoding order, that read all chunks of an index.

    Where chunks differ in the filters they skipped, the length of a stored chunk must tell which;
    raises UnsupportedFeatureError if two chunks of one length differ.
    """
    if not pipeline.whole or not index.filters_skipped:
        return pipeline.whole
    skipped = index.filter_mask & np.uint32(pipeline.meaningful())
    if bool((skipped == skipped[0]).all()):
        return pipeline.applied(int(skipped[0]))
    lengths, first = np.unique(index.size, return_index=True)
    rows = np.searchsorted(lengths, index.size)
    if bool((skipped[first][rows] != skipped).any()):
        raise UnsupportedFeatureError(
            "chunks of one stored length that skipped different filters cannot be told apart"
        )
    by_length: list[Json] = [
        [int(length), list(pipeline.positions(int(mask)))]
        for length, mask in zip(lengths, skipped[first], strict=True)
        if mask
    ]
    configuration: dict[str, Json] = {"codecs": list(pipeline.whole), "by_length": by_length}
    return ({"name": OPTIONAL_FILTERS, "configuration": configuration},)


def decode_chunk(pipeline: Pipeline, mask: int, data: bytes, size: int) -> bytes:
    """Undo the filters of one chunk that holds `size` bytes; CorruptFileError if that fails."""
    for codec in reversed(bound(pipeline.applied(mask))):
        try:
            data = bytes(get_codec(to_numcodecs(codec, nbytes=size)).decode(data))
        except (ValueError, RuntimeError, zlib.error) as error:
            if isinstance(error, CorruptFileError | UnsupportedFeatureError):
                raise
            raise CorruptFileError(f"a chunk does not decode: {error}") from error
    if len(data) != size:
        raise CorruptFileError(f"a chunk decodes to {len(data)} bytes, {size} are declared")
    return data
