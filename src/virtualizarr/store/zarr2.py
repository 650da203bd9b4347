"""Zarr v2 metadata documents (`.zarray` and `.zattrs`) as our Zarr v3 description.

Specification: "Zarr storage specification version 2". Its `fill_value` serves two purposes here:
readers such as xarray take it for the CF mask, so it becomes the attribute `_FillValue`; and
missing chunks read as it. Where the two differ our writer notes the latter: `STORAGE_FILL_KEY`. If
it says the same as `fill_value`, that is no mask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from virtualizarr.codecs.names import ARRAY_ARRAY, ARRAY_BYTES, from_numcodecs
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, RegularGrid
from virtualizarr.model.cf_fill import FILL_ATTRIBUTE, integer_fill
from virtualizarr.model.dtypes import data_type_of, decode_fill, encode_fill, endian_of, null_fill
from virtualizarr.model.json import Json
from virtualizarr.model.metadata import CodecJson, serializer_of

DIMENSIONS_KEY = "_ARRAY_DIMENSIONS"
STORAGE_FILL_KEY = "storage_fill_value"
NCZARR_KEYS = ("_NCZARR_ARRAY", "_nczarr_array")
_SIMPLE = re.compile(r"[<>|][biufcmMSUV]\d{1,9}(\[\d*[A-Za-zμ]+\])?")
_OBJECT_TYPES: dict[str, np.dtype[Any]] = {
    "vlen-utf8": np.dtypes.StringDType(),
    "vlen-bytes": np.dtype(object),
}
_ENCODED_DTYPE = ("astype", "encode_dtype")


def metadata_from_v2(zarray: Mapping[str, Any], zattrs: Mapping[str, Any]) -> ArrayMetadata:
    """Return the description of an array.

    Raises CorruptFileError for what the specification does not allow, UnsupportedFeatureError for
    codecs and types without a Zarr v3 form.
    """
    if zarray.get("zarr_format", 2) != 2:
        raise CorruptFileError(f"a .zarray of zarr_format {zarray['zarr_format']!r}")
    shape = _lengths(zarray, "shape")
    chunk_shape = _lengths(zarray, "chunks")
    if len(chunk_shape) != len(shape):
        raise CorruptFileError(f"chunks {chunk_shape} do not fit the shape {shape}")
    if any(chunk == 0 < extent for chunk, extent in zip(chunk_shape, shape, strict=True)):
        raise CorruptFileError(f"chunks {chunk_shape} of no length")
    configs = _codec_configs(zarray)
    dtype = _dtype(zarray.get("dtype"), configs)
    attributes = dict(zattrs)
    names = _dimension_names(
        attributes.pop(DIMENSIONS_KEY, _nczarr_names(zarray, attributes)), len(shape)
    )
    fill = _fill(zarray.get("fill_value"), dtype)
    if fill is not None and zarray.get(STORAGE_FILL_KEY) != zarray["fill_value"]:
        attributes[FILL_ATTRIBUTE] = decode_fill(fill, dtype)
    storage_fill = zarray.get(STORAGE_FILL_KEY, fill)
    if storage_fill is not None:
        decode_fill(storage_fill, dtype)
    return ArrayMetadata(
        shape=shape,
        data_type=data_type_of(dtype),
        chunk_grid=RegularGrid(tuple(max(1, length) for length in chunk_shape)),
        codecs=_codecs(configs, dtype, _is_reversed(zarray, len(shape)), len(shape)),
        fill_value=storage_fill if storage_fill is not None else null_fill(dtype),
        attributes=attributes,
        dimension_names=names,
    )


def separator_of(zarray: Mapping[str, Any]) -> str:
    """Return what stands between the indices of chunk keys."""
    separator = zarray.get("dimension_separator")
    if separator is None:
        return "."
    if separator not in (".", "/"):
        raise CorruptFileError(f"dimension_separator {separator!r}")
    return str(separator)


def _lengths(zarray: Mapping[str, Any], name: str) -> tuple[int, ...]:
    values = zarray.get(name)
    whole = isinstance(values, list) and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**62 for n in values
    )
    if not whole:
        raise CorruptFileError(f"{name!r} of a .zarray is {values!r:.80}")
    return tuple(values) if values is not None else ()


def _codec_configs(zarray: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return filters and compressor in the order in which they encode."""
    filters, compressor = zarray.get("filters"), zarray.get("compressor")
    configs = list(filters) if isinstance(filters, list) else []
    if filters is not None and not isinstance(filters, list):
        raise CorruptFileError(f"'filters' of a .zarray is {filters!r:.80}")
    if compressor is not None:
        configs.append(compressor)
    for config in configs:
        if not isinstance(config, Mapping):
            raise CorruptFileError(f"{config!r:.80} is no codec")
    return configs


def _dtype(name: Any, configs: Sequence[Mapping[str, Any]]) -> np.dtype[Any]:
    """Return the numpy dtype, in the byte order that `dtype` states."""
    if name == "|O":
        for config in configs:
            if config.get("id") in _OBJECT_TYPES:
                return _OBJECT_TYPES[str(config.get("id"))]
        for config in configs:
            from_numcodecs(config)
        raise UnsupportedFeatureError("dtype '|O' without a vlen-utf8 or vlen-bytes codec")
    try:
        dtype: np.dtype[Any] = np.dtype(_dtype_spec(name, depth=0))
    except (TypeError, ValueError) as error:
        raise CorruptFileError(f"{name!r:.80} is no dtype: {error}") from error
    if dtype.itemsize == 0:
        raise UnsupportedFeatureError(f"dtype {name!r:.80} holds no bytes")
    data_type_of(dtype)
    endian_of(dtype)
    return dtype


def _dtype_spec(name: Any, depth: int) -> Any:
    if isinstance(name, str):
        if _SIMPLE.fullmatch(name) is None:
            raise CorruptFileError(f"{name!r:.80} is no dtype")
        return name
    if not isinstance(name, list) or depth > 16:
        raise CorruptFileError(f"{name!r:.80} is no dtype")
    fields = []
    for field in name:
        if not isinstance(field, list) or len(field) not in (2, 3):
            raise CorruptFileError(f"{field!r:.80} is no field of a dtype")
        if len(field) == 3 and field[2] != []:
            raise UnsupportedFeatureError(f"a compound type with arrays in it: {field!r:.80}")
        fields.append((str(field[0]), _dtype_spec(field[1], depth + 1)))
    return fields


def _codecs(
    configs: Sequence[Mapping[str, Any]], dtype: np.dtype[Any], is_reversed: bool, ndim: int
) -> tuple[CodecJson, ...]:
    """Return the codecs in Zarr v3's order: on arrays, array to bytes, on bytes."""
    itemsize = dtype.itemsize
    on_arrays: list[CodecJson] = []
    if is_reversed:
        order: list[Json] = [*range(ndim)][::-1]
        on_arrays.append({"name": "transpose", "configuration": {"order": order}})
    encoded = dtype
    serializer: CodecJson | None = None
    on_bytes: list[CodecJson] = []
    for config in configs:
        codec = from_numcodecs(config, itemsize=itemsize)
        if config["id"] in ARRAY_ARRAY or config["id"] in ARRAY_BYTES:
            if on_bytes or serializer is not None:
                raise UnsupportedFeatureError(
                    f"codec {config['id']!r} works on arrays and comes after one that makes bytes"
                )
            if config["id"] in ARRAY_BYTES:
                serializer = codec
            else:
                encoded = _encoded_dtype(config, encoded)
                on_arrays.append(codec)
        else:
            on_bytes.append(codec)
    if serializer is None:
        serializer = serializer_of(encoded)
    return (*on_arrays, serializer, *on_bytes)


def _encoded_dtype(config: Mapping[str, Any], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that a codec on arrays of `dtype` makes, byte order included."""
    if config["id"] == "packbits":
        return np.dtype("u1")
    for key in _ENCODED_DTYPE:
        if config.get(key) is not None:
            try:
                stated: np.dtype[Any] = np.dtype(_dtype_spec(config[key], depth=0))
            except (TypeError, ValueError) as error:
                raise CorruptFileError(f"codec {config['id']!r}: {config[key]!r}") from error
            return stated
    return dtype


def _is_reversed(zarray: Mapping[str, Any], ndim: int) -> bool:
    order = zarray.get("order", "C")
    if order not in ("C", "F"):
        raise CorruptFileError(f"'order' of a .zarray is {order!r}")
    return bool(order == "F") and ndim > 1


def _dimension_names(names: Any, ndim: int) -> tuple[str | None, ...] | None:
    if names is None:
        return None
    known = isinstance(names, list) and all(n is None or isinstance(n, str) for n in names)
    if not known or len(names) != ndim:
        raise CorruptFileError(f"{DIMENSIONS_KEY} {names!r:.80} do not fit {ndim} axes")
    return tuple(names)


def _nczarr_names(zarray: Mapping[str, Any], zattrs: Mapping[str, Any]) -> list[str] | None:
    """Return the dimension names that NCZarr records, as paths; None where there are none."""
    for document in (zarray, zattrs):
        for key in NCZARR_KEYS:
            recorded = document.get(key)
            paths = recorded.get("dimrefs") if isinstance(recorded, Mapping) else None
            if isinstance(paths, list) and all(isinstance(path, str) for path in paths):
                return [path.rpartition("/")[2] for path in paths]
    return None


def _fill(fill: Any, dtype: np.dtype[Any]) -> Json:
    """Return a v2 `fill_value` in Zarr v3's JSON form; None where the array has none."""
    if fill is None:
        return None
    if dtype.kind in "TO" and fill == 0:
        return ""
    if dtype.kind in "iu" and isinstance(fill, float):
        whole = integer_fill(fill, dtype)
        if whole is None:
            raise CorruptFileError(f"fill_value {fill!r} does not fit {dtype}")
        fill = whole
    return encode_fill(decode_fill(fill, dtype), dtype)
