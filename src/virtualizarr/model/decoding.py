"""What decides the values that stored bytes decode to, in a form that can be compared.

Two arrays can share one Zarr array only if these agree. A compression level does not matter here:
any zlib stream decodes the same way. A shuffle's element size, a byte order or a CF scale factor
does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from virtualizarr.model.dtypes import decode_fill
from virtualizarr.model.json import Json, to_json

CROP = "virtualizarr.crop"

type CFEncoding = tuple[tuple[str, Any], ...]


class Decoding(NamedTuple):
    """What two arrays must share to be parts of one: compare with `==`."""

    data_type: str
    codecs: str
    fill_value: Any
    cf_encoding: CFEncoding


_CF_NUMBERS = ("scale_factor", "add_offset", "_FillValue", "missing_value")
_CF_NAMES = frozenset({*_CF_NUMBERS, "_Unsigned", "units"})
_NUMPY = (np.generic, np.ndarray)
_SYNONYMS = {
    f"numcodecs.{name}": name for name in ("blosc", "crc32c", "gzip", "lz4", "zlib", "zstd")
}
_DECODING_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "blosc": (),
    "gzip": (),
    "lz4": (),
    "numcodecs.bz2": (),
    "numcodecs.lzma": ("format", "filters"),
    "zlib": (),
    "zstd": (),
}


def cf_encoding(attributes: Mapping[str, Any]) -> CFEncoding:
    """Return the attributes by which the CF conventions turn stored numbers into values.

    Numbers compare by value, NaN equals NaN; `units` and `calendar` count where they tell time.
    """
    present = _CF_NAMES.intersection(attributes)
    if not present:
        return ()
    found: list[tuple[str, Any]] = [
        (name, _comparable(attributes[name])) for name in _CF_NUMBERS if name in present
    ]
    if "_Unsigned" in present:
        found.append(("_Unsigned", str(to_json(attributes["_Unsigned"])).lower()))
    if "units" in present:
        units = attributes["units"]
        text = units if isinstance(units, str) else str(to_json(units))
        if " since " in text:
            calendar = str(to_json(attributes.get("calendar", "standard"))).lower()
            found.append(("units", " ".join(text.split())))
            found.append(("calendar", "standard" if calendar == "gregorian" else calendar))
    return tuple(found)


def _comparable(value: Any) -> Any:
    if isinstance(value, _NUMPY):
        value = value.tolist()
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    if isinstance(value, list | tuple):
        items = tuple(map(_comparable, value))
        return items[0] if len(items) == 1 else items
    return to_json(value) if isinstance(value, bytes) else value


def codecs_decoding(codecs: Sequence[Mapping[str, Json]], itemsize: int) -> str:
    """Return codecs without the settings that only steer encoding, as canonical JSON text.

    The crop codec is left out: it says how large a stored chunk is, not how it decodes.
    """
    kept = [_codec_decoding(codec, itemsize) for codec in codecs if codec["name"] != CROP]
    return json.dumps(kept, sort_keys=True)


def _codec_decoding(codec: Mapping[str, Json], itemsize: int) -> Json:
    name = str(codec["name"])
    name = _SYNONYMS.get(name, name)
    settings = codec.get("configuration")
    configuration: dict[str, Any] = dict(settings) if isinstance(settings, Mapping) else {}
    if name == "bytes":
        configuration = {"endian": configuration.get("endian", "little")} if itemsize > 1 else {}
    elif name == "sharding_indexed":
        for key in ("codecs", "index_codecs"):
            inner = configuration.get(key, ())
            configuration[key] = [_codec_decoding(each, itemsize) for each in inner]
        configuration.setdefault("index_location", "end")
    elif name in _DECODING_SETTINGS:
        keys = _DECODING_SETTINGS[name]
        configuration = {key: configuration[key] for key in keys if key in configuration}
    return [name, configuration]


def fill_decoding(fill_value: Json, dtype: np.dtype[Any]) -> Any:
    """Return a fill value such that equal ones compare equal, NaN with NaN."""
    value = decode_fill(fill_value, dtype)
    if dtype.kind in "OT":
        return value
    array = np.asarray(value, dtype)
    if dtype.kind == "f" and np.isnan(array):
        return "NaN"
    return array.tobytes() if dtype.kind in "cV" or dtype.fields is not None else array.item()
