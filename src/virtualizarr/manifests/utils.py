"""Array metadata made as parsers written for VirtualiZarr 2.x make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.names import ARRAY_ARRAY, ARRAY_BYTES, NUMCODECS_PREFIX
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.metadata import ArrayMetadata, CodecJson, serializer_of

_BEFORE = frozenset({"transpose", *(NUMCODECS_PREFIX + name for name in ARRAY_ARRAY)})
_SERIALIZERS = frozenset(
    {
        *("bytes", "vlen-utf8", "vlen-bytes", "sharding_indexed"),
        *(NUMCODECS_PREFIX + name for name in ARRAY_BYTES),
    }
)


def create_v3_array_metadata(
    shape: tuple[int, ...],
    data_type: npt.DTypeLike,
    chunk_shape: tuple[int, ...],
    chunk_key_encoding: Mapping[str, Any] | None = None,
    fill_value: Any = None,
    codecs: Sequence[CodecJson] | None = None,
    attributes: Mapping[str, Any] | None = None,
    dimension_names: Iterable[str | None] | None = None,
) -> ArrayMetadata:
    """Describe an array of a numpy dtype, as Zarr v3 does.

    `codecs` are Zarr v3 codecs in any order of kinds: those that work on arrays are put first, then
    the one that makes bytes (which is added where it is not given), then those that work on bytes.

    Raises UnsupportedFeatureError for a dtype that Zarr cannot hold, or for a `chunk_key_encoding`
    other than the default, which means nothing to a manifest.
    """
    if chunk_key_encoding is not None and chunk_key_encoding.get("name") != "default":
        raise UnsupportedFeatureError(f"chunk key encoding {dict(chunk_key_encoding)}")
    dtype = np.dtype(data_type)
    given = list(codecs) if codecs is not None else []
    before = [codec for codec in given if codec["name"] in _BEFORE]
    serializers = [codec for codec in given if codec["name"] in _SERIALIZERS]
    after = [codec for codec in given if codec["name"] not in _BEFORE | _SERIALIZERS]
    metadata = ArrayMetadata.create(
        shape=shape,
        dtype=dtype,
        chunk_shape=chunk_shape,
        fill_value=fill_value,
        attributes=attributes,
        dimension_names=None if dimension_names is None else tuple(dimension_names),
    )
    serializer = serializers if serializers else [serializer_of(dtype)]
    return metadata.replace(codecs=(*before, *serializer, *after))
