"""Filter pipelines: one chain of Zarr codecs for chunks that may each have skipped some filters."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numcodecs.registry import get_codec

from virtualizarr.codecs.bounded import bound
from virtualizarr.codecs.hdf5_filters import codecs_by_filter
from virtualizarr.codecs.names import CodecJSON, to_numcodecs
from virtualizarr.codecs.optional import NAME as OPTIONAL_FILTERS
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.index import ChunkIndex
from virtualizarr.parsers.hdf5.layout import Filter

type Pipeline = tuple[tuple[CodecJSON, ...], ...]
"""The codecs of each filter, in the order of writing; none for a filter that changes nothing."""


def pipeline_of(filters: Sequence[Filter], element_size: int) -> Pipeline:
    """Return a filter pipeline's codecs; UnsupportedFeatureError names a filter without one."""
    return codecs_by_filter(
        [(each.id, int(each.optional), each.name, each.client_data) for each in filters],
        element_size,
    )


def codecs_for(pipeline: Pipeline, index: ChunkIndex) -> tuple[CodecJSON, ...]:
    """Return the bytes-to-bytes codecs, in encoding order, that read all chunks of an index.

    Where chunks differ in the filters they skipped, the length of a stored chunk must tell which;
    raises UnsupportedFeatureError if two chunks of one length differ.
    """
    skipped = _effective_masks(pipeline, index.filter_mask)
    if skipped is None:
        return _flat(pipeline, 0)
    if len(skipped) == 0 or bool((skipped == skipped[0]).all()):
        return _flat(pipeline, int(skipped[0]) if len(skipped) else 0)
    lengths, first = np.unique(index.size, return_index=True)
    rows = np.searchsorted(lengths, index.size)
    if bool((skipped[first][rows] != skipped).any()):
        raise UnsupportedFeatureError(
            "chunks of one stored length that skipped different filters cannot be told apart"
        )
    return (
        {
            "name": OPTIONAL_FILTERS,
            "configuration": {
                "codecs": list(_flat(pipeline, 0)),
                "by_length": [
                    [int(length), _positions(pipeline, int(mask))]
                    for length, mask in zip(lengths, skipped[first], strict=True)
                    if mask
                ],
            },
        },
    )


def _effective_masks(
    pipeline: Pipeline, mask: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint32] | None:
    """Return the masks without bits that mean nothing; None if no chunk skipped any filter."""
    if not any(mask.strides) and (len(mask) == 0 or mask[0] == 0):
        return None
    meaning = sum(1 << at for at, codecs in enumerate(pipeline) if codecs)
    effective = mask & np.uint32(meaning)
    return effective if bool(effective.any()) else None


def _flat(pipeline: Pipeline, mask: int) -> tuple[CodecJSON, ...]:
    return tuple(
        codec for at, codecs in enumerate(pipeline) if not mask >> at & 1 for codec in codecs
    )


def _positions(pipeline: Pipeline, mask: int) -> list[int]:
    owners = [at for at, codecs in enumerate(pipeline) for _ in codecs]
    return [position for position, at in enumerate(owners) if not mask >> at & 1]


def decode_chunk(pipeline: Pipeline, mask: int, data: bytes, size: int) -> bytes:
    """Undo the filters of one chunk that holds `size` bytes; CorruptFileError if that fails."""
    for codec in reversed(bound(_flat(pipeline, mask))):
        try:
            data = bytes(get_codec(to_numcodecs(codec, nbytes=size)).decode(data))
        except (ValueError, RuntimeError, zlib.error) as error:
            if isinstance(error, CorruptFileError | UnsupportedFeatureError):
                raise
            raise CorruptFileError(f"a chunk does not decode: {error}") from error
    if len(data) != size:
        raise CorruptFileError(f"a chunk decodes to {len(data)} bytes, {size} are declared")
    return data
