"""Our Zarr v3 description as Zarr v2 metadata documents (`.zarray` and `.zattrs`).

Specification: "Zarr storage specification version 2". Readers such as xarray take its `fill_value`
for the CF mask, so it is written only where the array has a `_FillValue`; what missing chunks read
as, where that is neither the mask nor zero, is noted under `STORAGE_FILL_KEY`, which other readers
ignore (the specification tells them to ignore keys that they do not know).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from virtualizarr.codecs.names import ARRAY_ARRAY, NUMCODECS_PREFIX, to_numcodecs
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, RegularGrid
from virtualizarr.model.cf_fill import FILL_ATTRIBUTE, integer_fill
from virtualizarr.model.dtypes import decode_fill, encode_fill, null_fill
from virtualizarr.model.json import Json, to_json
from virtualizarr.model.metadata import CodecJson

DIMENSIONS_KEY = "_ARRAY_DIMENSIONS"
STORAGE_FILL_KEY = "storage_fill_value"
INSTEAD = "zarr_format=3 (in JSON) can hold it, and so can to_icechunk(...) and to_zarr(...)"
_OBJECT_CODECS = {"vlen-utf8", "vlen-bytes"}
_COMPRESSORS = {"blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd"}
_ENCODED_DTYPE = ("astype", "encode_dtype")


@dataclass(frozen=True, slots=True)
class Documents:
    """The two documents of an array, and how its chunks lie in them.

    `configs` are the numcodecs configurations in the order in which they encode; `stored` is the
    numpy dtype in stored byte order, `reversed_axes` is the v2 order "F". Readers of the
    documents take missing chunks for the array's fill value if `missing_reads_right`.
    """

    zarray: Mapping[str, Json]
    zattrs: Mapping[str, Json]
    configs: tuple[Mapping[str, Any], ...]
    stored: np.dtype[Any]
    chunk_shape: tuple[int, ...]
    reversed_axes: bool
    missing_reads_right: bool


def documents_of(metadata: ArrayMetadata) -> Documents:
    """Return the documents of an array.

    A `_FillValue` that no value of an integer array can equal masks nothing and is left out.
    Raises UnsupportedFeatureError for what Zarr v2 cannot hold, saying what can.
    """
    grid = metadata.chunk_grid
    if not isinstance(grid, RegularGrid):
        raise UnsupportedFeatureError(f"Zarr v2 cannot hold chunks of different lengths; {INSTEAD}")
    dtype = metadata.dtype
    reversed_axes, on_arrays, serializer, on_bytes = _parted(metadata)
    endian = _endian(serializer)
    stored = dtype.newbyteorder(endian) if dtype.kind not in "TO" else np.dtype(object)
    _check_encoded_order(on_arrays, endian, dtype)
    nbytes = prod(grid.chunk_shape) * dtype.itemsize if dtype.kind not in "TO" else None
    configs = tuple(
        _config(codec, dtype, nbytes)
        for codec in (*on_arrays, *([] if _is_bytes(serializer) else [serializer]), *on_bytes)
    )
    filters, compressor = _filters_and_compressor(configs)
    attributes = dict(metadata.attributes)
    fill = _cf_fill(attributes, dtype)
    if fill is not None or dtype.kind in "iu":
        attributes.pop(FILL_ATTRIBUTE, None)
    reads_as = fill if fill is not None else null_fill(dtype)
    right = _same_fill(reads_as, metadata.fill_value, dtype)
    unmasked = FILL_ATTRIBUTE not in metadata.attributes
    unmasked_nan = unmasked and dtype.kind == "f" and metadata.fill_value == "NaN"
    if unmasked_nan:  # a mask of NaN changes nothing, but would hide one among the attributes
        fill, right = "NaN", True
    zarray: dict[str, Json] = {
        "zarr_format": 2,
        "shape": list(metadata.shape),
        "chunks": list(grid.chunk_shape),
        "dtype": _dtype_json(stored),
        "fill_value": fill,
        "order": "F" if reversed_axes else "C",
        "filters": filters,
        "dimension_separator": ".",
        "compressor": compressor,
    }
    if unmasked_nan or not right:
        zarray[STORAGE_FILL_KEY] = metadata.fill_value
    if metadata.dimension_names is not None:
        attributes[DIMENSIONS_KEY] = list(metadata.dimension_names)
    zattrs = {name: to_json(value) for name, value in attributes.items()}
    return Documents(
        zarray, zattrs, configs, stored, grid.chunk_shape, reversed_axes, missing_reads_right=right
    )


type _Parted = tuple[bool, Sequence[CodecJson], CodecJson, Sequence[CodecJson]]


def _parted(metadata: ArrayMetadata) -> _Parted:
    """Return whether the axes are reversed, the codecs on arrays, array to bytes, and on bytes."""
    codecs = list(metadata.codecs)
    reversed_axes = False
    if codecs and codecs[0]["name"] == "transpose":
        reversed_axes = _reverses(codecs.pop(0), metadata.ndim)
    on_arrays: list[CodecJson] = []
    while codecs and _identifier(codecs[0]) in ARRAY_ARRAY:
        on_arrays.append(codecs.pop(0))
    if not codecs:
        raise UnsupportedFeatureError("the array has no codec that makes bytes")
    for codec in codecs:
        if codec["name"] == "transpose":
            raise UnsupportedFeatureError(f"Zarr v2 transposes before other codecs; {INSTEAD}")
    return reversed_axes, on_arrays, codecs[0], codecs[1:]


def _reverses(codec: CodecJson, ndim: int) -> bool:
    """Say whether a transpose reverses the axes or leaves them; others Zarr v2 cannot hold."""
    configuration = codec.get("configuration")
    order = configuration.get("order") if isinstance(configuration, Mapping) else None
    if order in ("C", "F"):
        return order == "F" and ndim > 1
    if order == [*range(ndim)]:
        return False
    if order == [*range(ndim)][::-1]:
        return True
    raise UnsupportedFeatureError(f"Zarr v2 cannot hold the axis order {order}; {INSTEAD}")


def _identifier(codec: CodecJson) -> str:
    return str(codec["name"]).removeprefix(NUMCODECS_PREFIX)


def _is_bytes(serializer: CodecJson) -> bool:
    return serializer["name"] == "bytes"


def _endian(serializer: CodecJson) -> Literal["<", ">"]:
    configuration = serializer.get("configuration")
    if _is_bytes(serializer) and isinstance(configuration, Mapping):
        return ">" if configuration.get("endian") == "big" else "<"
    return "<"


def _check_encoded_order(
    on_arrays: Sequence[CodecJson], endian: Literal["<", ">"], dtype: np.dtype[Any]
) -> None:
    """Refuse a filter whose result Zarr v2 would store in another byte order than Zarr v3."""
    for codec in on_arrays:
        configuration = codec.get("configuration")
        settings = configuration if isinstance(configuration, Mapping) else {}
        stated = [str(settings[key]) for key in (*_ENCODED_DTYPE, "dtype") if settings.get(key)]
        if any(name[0] in "<>" and name[0] != endian for name in stated):
            raise UnsupportedFeatureError(
                f"codec {codec['name']!r} states {stated} and bytes are stored as {endian!r} "
                f"(array of {dtype}); {INSTEAD}"
            )


def _config(codec: CodecJson, dtype: np.dtype[Any], nbytes: int | None) -> Mapping[str, Any]:
    itemsize = dtype.itemsize if dtype.kind not in "TO" else None
    try:
        return to_numcodecs(codec, itemsize=itemsize, nbytes=nbytes)
    except UnsupportedFeatureError as error:
        raise UnsupportedFeatureError(f"{error.reason}; {INSTEAD}") from error


def _filters_and_compressor(
    configs: Sequence[Mapping[str, Any]],
) -> tuple[list[Json] | None, Json]:
    """Return `filters` and `compressor`: the last codec, where it compresses, is the latter."""
    *filters, last = configs if configs else [None]
    if last is None:
        return None, None
    if last["id"] in _COMPRESSORS:
        return (list(filters) if filters else None), last
    return [*filters, last], None


def _cf_fill(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> Json:
    """Return the CF mask in the form of `fill_value`; None where there is none that fits."""
    value = attributes.get(FILL_ATTRIBUTE)
    if isinstance(value, np.ndarray | list | tuple):
        if len(value) != 1:
            return None
        value = value[0]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool) != (dtype.kind == "b"):
        return None
    if dtype.kind in "iu":
        return integer_fill(value, dtype)
    if dtype.kind == "f" and isinstance(value, int | float):
        return encode_fill(value, dtype) if _is_exact(value, dtype) else None
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind == "S" and isinstance(value, bytes | str):
        raw = value.encode() if isinstance(value, str) else value
        return encode_fill(raw, dtype) if len(raw) <= dtype.itemsize else None
    if dtype.kind in "UT" and isinstance(value, str):
        return value
    return None


def _same_fill(one: Json, two: Json, dtype: np.dtype[Any]) -> bool:
    """Say whether two fill values stand for the same value, telling 0.0 from -0.0."""
    if one == two == 0:
        return str(decode_fill(one, dtype)) == str(decode_fill(two, dtype))
    return encode_fill(decode_fill(one, dtype), dtype) == encode_fill(
        decode_fill(two, dtype), dtype
    )


def _is_exact(value: float, dtype: np.dtype[Any]) -> bool:
    with np.errstate(over="ignore"):
        held = float(dtype.type(value))
    return held == value or value != value


def _dtype_json(dtype: np.dtype[Any]) -> Json:
    if dtype.fields is not None and dtype.names is not None:
        return [[name, _dtype_json(dtype.fields[name][0])] for name in dtype.names]
    return dtype.str
