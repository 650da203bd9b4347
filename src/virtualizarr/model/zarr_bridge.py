"""To and from zarr-python's metadata objects: the only module that reaches into `zarr.core`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import zarr
from zarr.core import codec_pipeline
from zarr.core.group import GroupMetadata
from zarr.core.metadata.v3 import ArrayV3Metadata
from zarr.errors import UnknownCodecError, UnstableSpecificationWarning

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model.dtypes import data_type_of, encode_fill
from virtualizarr.model.json import to_json
from virtualizarr.model.metadata import ArrayMetadata, serializer_of

__all__ = [
    "ArrayV3Metadata",
    "check_openable",
    "create_v3_array_metadata",
    "from_zarr_metadata",
    "fused_pipeline",
    "to_zarr_group_metadata",
    "to_zarr_metadata",
]

METADATA_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What zarr raises for metadata that it cannot make an array of: it has no one error for them."""


_PIPELINE = "codec_pipeline.path"
_BATCHED, _FUSED = (
    f"{codec_pipeline.__name__}.{name}" for name in ("BatchedCodecPipeline", "FusedCodecPipeline")
)


def fused_pipeline() -> dict[str, str]:
    """Return the setting that makes zarr decode chunk after chunk, without a task for each.

    Empty where this zarr has no such pipeline, or the user has chosen one.
    """
    is_default = zarr.config.get(_PIPELINE, None) == _BATCHED
    return (
        {_PIPELINE: _FUSED} if is_default and hasattr(codec_pipeline, "FusedCodecPipeline") else {}
    )


def to_zarr_metadata(metadata: ArrayMetadata) -> ArrayV3Metadata:
    """Return zarr-python's object. Its errors for codecs that are not installed pass through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        return _from_document(dict(metadata.to_json()))


def check_openable(metadata: ArrayMetadata) -> None:
    """Raise an error of ours unless zarr-python can make an array of these metadata.

    `UnsupportedFeatureError` where it lacks a codec, `CorruptFileError` where it finds them
    contradictory. What was found of metadata is remembered.
    """
    plain = metadata.replace(attributes={})
    found = _why_not_openable(json.dumps(plain.to_json(), sort_keys=True))
    if found is not None:
        kind, reason = found
        raise kind(reason)


@lru_cache(maxsize=1024)
def _why_not_openable(document: str) -> tuple[type[VirtualizeError], str] | None:
    """Return the kind of error and its reason; errors themselves learn where they happened."""
    try:
        to_zarr_metadata(ArrayMetadata.from_json(json.loads(document)))
    except VirtualizeError as error:
        return type(error), error.reason
    except UnknownCodecError as error:
        return UnsupportedFeatureError, f"a codec is not installed: {error}"
    except METADATA_ERRORS as error:
        return CorruptFileError, f"zarr cannot open the array: {error}"
    return None


def from_zarr_metadata(metadata: ArrayV3Metadata) -> ArrayMetadata:
    """Return our description of what zarr-python's object describes.

    Raises UnsupportedFeatureError for chunk grids that are not known here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        document = json.loads(json.dumps(metadata.to_dict()))
    for codec in document["codecs"]:
        if not codec.get("configuration", True):
            del codec["configuration"]
    return ArrayMetadata.from_json(document)


def to_zarr_group_metadata(attributes: Mapping[str, Any]) -> GroupMetadata:
    """Return zarr-python's description of a group with these attributes."""
    return GroupMetadata(attributes={name: to_json(value) for name, value in attributes.items()})


def create_v3_array_metadata(
    shape: Sequence[int],
    data_type: np.dtype[Any],
    chunk_shape: Sequence[int],
    chunk_key_encoding: Mapping[str, Any] | None = None,
    fill_value: Any = None,
    codecs: Sequence[Mapping[str, Any]] | None = None,
    attributes: Mapping[str, Any] | None = None,
    dimension_names: Iterable[str | None] | None = None,
) -> ArrayV3Metadata:
    """Return zarr-python's description of an array, as VirtualiZarr 2 parsers make it.

    `codecs` are Zarr v3 codecs; unless they include one that turns arrays into bytes, `bytes` of
    the byte order of `data_type` is put where it belongs. `fill_value` None means zero.
    """
    dtype = np.dtype(data_type)
    names = tuple(dimension_names) if dimension_names is not None else None
    encoding = chunk_key_encoding if chunk_key_encoding is not None else {"name": "default"}
    document: dict[str, Any] = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [int(n) for n in shape],
        "data_type": data_type_of(dtype),
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [int(n) for n in chunk_shape]},
        },
        "chunk_key_encoding": dict(encoding),
        "fill_value": encode_fill(fill_value, dtype),
        "codecs": _with_serializer(codecs if codecs is not None else (), dtype),
        "attributes": to_json(attributes if attributes is not None else {}),
        **({"dimension_names": list(names)} if names is not None else {}),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        return _from_document(document)


def _from_document(document: dict[str, Any]) -> ArrayV3Metadata:
    if document["chunk_grid"]["name"] == "rectilinear":
        with zarr.config.set({"array.rectilinear_chunks": True}):
            return ArrayV3Metadata.from_dict(document)
    return ArrayV3Metadata.from_dict(document)


def _with_serializer(
    codecs: Sequence[Mapping[str, Any]], dtype: np.dtype[Any]
) -> list[dict[str, Any]]:
    """Put the array-to-bytes codec between the array-to-array and the bytes-to-bytes codecs."""
    kinds = [_kind(codec) for codec in codecs]
    if "ArrayBytesCodec" in kinds:
        return [dict(codec) for codec in codecs]
    place = sum(kind == "ArrayArrayCodec" for kind in kinds)
    found = [dict(codec) for codec in codecs]
    return [*found[:place], dict(serializer_of(dtype)), *found[place:]]


def _kind(codec: Mapping[str, Any]) -> str:
    codec_class = zarr.registry.get_codec_class(str(codec["name"]))
    bases = {base.__name__ for base in codec_class.__mro__}
    names = ("ArrayArrayCodec", "ArrayBytesCodec", "BytesBytesCodec")
    return next(name for name in names if name in bases)
