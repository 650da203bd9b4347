"""numpy dtypes and fill values, to and from Zarr v3 metadata.

Zarr v3 says nothing of byte order in a data type; that is the `bytes` codec's matter. Here a dtype
is therefore always in native (little-endian) order, and `endian_of` says what the codec must be
told.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.json import Json

STRING = np.dtypes.StringDType()
_PLAIN = {
    name: np.dtype(name)
    for name in (
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
}
_SIZED = {"null_terminated_bytes": "S", "raw_bytes": "V", "fixed_length_utf32": "U"}
_SIZED_NAMES = {kind: name for name, kind in _SIZED.items()}
_TIMES = {"numpy.datetime64": "M", "numpy.timedelta64": "m"}
_TIME_NAMES = {kind: name for name, kind in _TIMES.items()}


def data_type_of(dtype: np.dtype[Any]) -> Json:
    """Return the Zarr v3 `data_type` of a numpy dtype, of either byte order.

    Raises UnsupportedFeatureError for a dtype that Zarr cannot hold.
    """
    if dtype.name in _PLAIN:
        return dtype.name
    if dtype.kind in _SIZED_NAMES and dtype.fields is None:
        return {"name": _SIZED_NAMES[dtype.kind], "configuration": {"length_bytes": dtype.itemsize}}
    if dtype.kind in _TIME_NAMES:
        unit, scale = np.datetime_data(dtype)
        configuration: dict[str, Json] = {"unit": unit, "scale_factor": scale}
        return {"name": _TIME_NAMES[dtype.kind], "configuration": configuration}
    if dtype.kind == "T":
        return "string"
    if dtype.kind == "O":
        return "variable_length_bytes"
    if dtype.fields is not None and dtype.names is not None:
        fields: list[Json] = [
            {"name": name, "data_type": data_type_of(dtype.fields[name][0])} for name in dtype.names
        ]
        return {"name": "struct", "configuration": {"fields": fields}}
    raise UnsupportedFeatureError(f"Zarr has no data type for numpy dtype {dtype}")


def numpy_dtype(data_type: Json) -> np.dtype[Any]:
    """Return the numpy dtype, in native order, of the values of a Zarr v3 `data_type`.

    "string" gives numpy's variable-width `StringDType`, "variable_length_bytes" gives object.
    Raises UnsupportedFeatureError for an unknown data type.
    """
    if isinstance(data_type, str):
        if data_type in _PLAIN:
            return _PLAIN[data_type]
        if data_type == "string":
            return STRING
        if data_type in ("variable_length_bytes", "bytes"):
            return np.dtype(object)
    elif isinstance(data_type, Mapping):
        name, configuration = data_type.get("name"), data_type.get("configuration")
        if isinstance(name, str):
            if configuration is None:
                return numpy_dtype(name)
            if isinstance(configuration, Mapping):
                return _configured(name, configuration)
    raise UnsupportedFeatureError(f"Zarr data type {data_type!r} is not known")


def _configured(name: str, configuration: Mapping[str, Json]) -> np.dtype[Any]:
    try:
        if name in _SIZED:
            size = int(configuration["length_bytes"])  # type: ignore[arg-type]
            kind = _SIZED[name]
            return np.dtype(f"{kind}{size // 4 if kind == 'U' else size}")
        if name in _TIMES:
            return np.dtype(
                f"{_TIMES[name]}8[{configuration['scale_factor']}{configuration['unit']}]"
            )
        if name in ("struct", "structured"):
            return np.dtype([_field(field) for field in configuration["fields"]])  # type: ignore[union-attr]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(
            f"Zarr data type {name} has bad configuration {configuration}"
        ) from error
    raise UnsupportedFeatureError(f"Zarr data type {name!r} is not known")


def _field(field: Any) -> tuple[str, np.dtype[Any]]:
    if isinstance(field, Mapping):
        return field["name"], numpy_dtype(field["data_type"])
    name, data_type = field
    return name, numpy_dtype(data_type)


def endian_of(dtype: np.dtype[Any]) -> Literal["little", "big"] | None:
    """Return the byte order to tell the `bytes` codec; None where single bytes have none.

    Raises UnsupportedFeatureError for a compound dtype whose fields have different orders.
    """
    if dtype.fields is not None:
        orders = {endian_of(field[0]) for field in dtype.fields.values()} - {None}
        if len(orders) > 1:
            raise UnsupportedFeatureError(f"compound type of mixed byte orders: {dtype}")
        return orders.pop() if orders else "little"
    if dtype.byteorder == "|" or dtype.itemsize == 1:
        return None
    return "big" if dtype.str[0] == ">" else "little"


@lru_cache(maxsize=256)
def _zero_fill(dtype: np.dtype[Any]) -> Json:
    if dtype.kind == "T":
        return ""
    if dtype.kind == "O":
        return ""
    return encode_fill(np.zeros((), dtype)[()], dtype)


def encode_fill(value: Any, dtype: np.dtype[Any]) -> Json:
    """Return a fill value in the JSON form of Zarr v3; None stands for zero bytes.

    `value` is anything numpy can cast to `dtype`. Raises UnsupportedFeatureError if it cannot.
    """
    if value is None:
        return _zero_fill(dtype)
    if dtype.kind == "T":
        return str(value)
    if dtype.kind == "O":
        return base64.b64encode(bytes(value)).decode()
    try:
        scalar = np.asarray(value).astype(dtype, casting="unsafe")
        if dtype.subdtype is None:
            scalar = scalar.reshape(())[()]
    except (TypeError, ValueError) as error:
        raise UnsupportedFeatureError(f"fill value {value!r:.80} does not fit {dtype}") from error
    if dtype.fields is not None and dtype.names is not None:
        return {name: encode_fill(scalar[name], dtype.fields[name][0]) for name in dtype.names}
    if dtype.kind in "SV":
        padded = bytes(scalar).ljust(dtype.itemsize, b"\0") if dtype.kind == "V" else bytes(scalar)
        return base64.b64encode(padded).decode()
    if dtype.kind in "mM":
        return int(scalar.astype("i8"))
    if dtype.kind == "c":
        return [_float(float(scalar.real)), _float(float(scalar.imag))]
    return _float(scalar.item()) if dtype.kind == "f" else scalar.item()


def null_fill(dtype: np.dtype[Any]) -> Json:
    """Return what zarr fills a Zarr v2 array without a fill value with: NaT, else zero bytes."""
    return int(np.iinfo("i8").min) if dtype.kind in "mM" else encode_fill(None, dtype)


def _float(value: float) -> Json:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def decode_fill(fill: Json, dtype: np.dtype[Any]) -> Any:
    """Return the numpy scalar (or str, bytes) that a Zarr v3 JSON fill value stands for.

    Raises CorruptFileError if it does not fit the dtype.
    """
    try:
        return _decode_fill(fill, dtype)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise CorruptFileError(f"fill value {fill!r} does not fit {dtype}") from error


def _decode_fill(fill: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "T":
        return str(fill)
    if dtype.kind == "O":
        return base64.b64decode(fill)
    if dtype.fields is not None and dtype.names is not None:
        if isinstance(fill, str):
            return np.frombuffer(base64.b64decode(fill), dtype, 1)[0]
        values = tuple(_decode_fill(fill[name], dtype.fields[name][0]) for name in dtype.names)
        return np.array(values, dtype)[()]
    if dtype.kind in "SV":
        return np.frombuffer(base64.b64decode(fill).ljust(dtype.itemsize, b"\0"), dtype, 1)[0]
    if dtype.kind == "c":
        return dtype.type(complex(_decode_float(fill[0]), _decode_float(fill[1])))
    if dtype.kind == "f":
        if isinstance(fill, str) and fill.startswith("0x"):
            bits = int(fill, 16).to_bytes(dtype.itemsize, "little")
            return np.frombuffer(bits, dtype.newbyteorder("<"))[0]
        return dtype.type(_decode_float(fill))
    if dtype.kind in "mM":
        ticks = np.iinfo("i8").min if fill == "NaT" else int(fill)
        return np.array(ticks, "i8").astype(dtype)[()]
    return np.array(fill, dtype)[()]


def _decode_float(value: Any) -> float:
    return float(value)
