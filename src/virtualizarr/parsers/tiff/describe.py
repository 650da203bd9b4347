"""Attributes: what tags and GDAL's own metadata say, under the names that rioxarray gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np

from virtualizarr.parsers.tiff.image import Image
from virtualizarr.parsers.tiff.layout import Tag

TEXT_TAGS = {
    Tag.DOCUMENT_NAME: "TIFFTAG_DOCUMENTNAME",
    Tag.IMAGE_DESCRIPTION: "TIFFTAG_IMAGEDESCRIPTION",
    Tag.MAKE: "TIFFTAG_MAKE",
    Tag.MODEL: "TIFFTAG_MODEL",
    Tag.PAGE_NAME: "TIFFTAG_PAGENAME",
    Tag.SOFTWARE: "TIFFTAG_SOFTWARE",
    Tag.DATE_TIME: "TIFFTAG_DATETIME",
    Tag.ARTIST: "TIFFTAG_ARTIST",
    Tag.HOST_COMPUTER: "TIFFTAG_HOSTCOMPUTER",
    Tag.COPYRIGHT: "TIFFTAG_COPYRIGHT",
    Tag.INK_NAMES: "TIFFTAG_INKNAMES",
}
NUMBER_TAGS = {
    Tag.X_RESOLUTION: "TIFFTAG_XRESOLUTION",
    Tag.Y_RESOLUTION: "TIFFTAG_YRESOLUTION",
    Tag.RESOLUTION_UNIT: "TIFFTAG_RESOLUTIONUNIT",
    Tag.MIN_SAMPLE_VALUE: "TIFFTAG_MINSAMPLEVALUE",
    Tag.MAX_SAMPLE_VALUE: "TIFFTAG_MAXSAMPLEVALUE",
    Tag.ORIENTATION: "TIFFTAG_ORIENTATION",
}
PHOTOMETRIC = {
    0: "minIsWhite",
    1: "minIsBlack",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "separated",
    6: "YCbCr",
    8: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    32803: "CFA",
    34892: "linearRaw",
}
RESERVED = frozenset(
    {
        *("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "units"),
        *("calendar", "coordinates", "grid_mapping", "bounds", "dtype", "long_name"),
    }
)
"""Attributes that decide how values are read; GDAL metadata of these names get a prefix."""

MSVC_WORDS = {
    "1.#INF": "inf",
    "-1.#INF": "-inf",
    "1.#QNAN": "nan",
    "-1.#QNAN": "nan",
    "1.#IND": "nan",
    "-1.#IND": "nan",
    "NAN(IND)": "nan",
    "-NAN(IND)": "nan",
    "NAN(SNAN)": "nan",
}
"""Numbers that are none, as older Windows programs wrote them; GDAL reads them too."""

COLORS_DECODED = frozenset({"jpeg", "ojpeg"})


def attributes_of(image: Image) -> dict[str, Any]:
    """Return the attributes of an image's variable, without those of its georeference."""
    ifd = image.ifd
    attributes: dict[str, Any] = {"ifd": ifd.path}
    for tag, name in TEXT_TAGS.items():
        text = ifd.text(tag)
        if text:
            attributes[name] = text
    for tag, name in NUMBER_TAGS.items():
        values = ifd.values.get(tag)
        if values is not None and len(values) and np.isfinite(values[0]):
            attributes[name] = values[0].item()
    extra = ifd.values.get(Tag.EXTRA_SAMPLES)
    if extra is not None:
        attributes["extra_samples"] = [int(value) for value in extra]
    attributes |= _photometric(image)
    attributes |= gdal_metadata(ifd.text(Tag.GDAL_METADATA), image.samples)
    attributes |= _nodata(image)
    return attributes


def _photometric(image: Image) -> dict[str, Any]:
    """Return what samples mean; YCbCr of JPEG, or subsampled, comes out of its decoder as RGB."""
    number = image.ifd.number(Tag.PHOTOMETRIC_INTERPRETATION, -1)
    name = PHOTOMETRIC.get(number, str(number))
    decoded = image.codec.compression in COLORS_DECODED or bool(image.codec.subsampling)
    if name == "YCbCr" and decoded and image.samples == 3:
        name = "RGB"
    return {"photometric": name} if number >= 0 else {}


def nodata_of(image: Image) -> np.generic | None:
    """Return GDAL's nodata value as a scalar of the image's dtype; None where it has none."""
    text = image.ifd.text(Tag.GDAL_NODATA)
    dtype = image.dtype
    if text is None:
        return None
    first = text.split()[:1]  # some write one for each band, or a unit; GDAL takes the first
    words = first[0].replace(",", ".") if first else ""
    words = MSVC_WORDS.get(words.upper(), words)
    if "_" in words or not words.isascii():  # Python's own spellings of numbers
        return None
    try:
        if dtype.kind in "iu":
            whole = int(words) if "." not in words and "e" not in words.lower() else float(words)
            bounds = np.iinfo(dtype)
            if whole != whole // 1 or not bounds.min <= whole <= bounds.max:
                return None
            return cast("np.generic", dtype.type(int(whole)))
        number = float(words)
    except (ValueError, OverflowError):
        return None
    with np.errstate(over="ignore"):
        scalar = cast("np.generic", dtype.type(number))
    return scalar if math.isfinite(number) == math.isfinite(float(scalar.real)) else None


def _nodata(image: Image) -> dict[str, Any]:
    text = image.ifd.text(Tag.GDAL_NODATA)
    if text is None:
        return {}
    value = nodata_of(image)
    if value is None or image.dtype.kind == "c":  # CF knows no mask of complex numbers
        return {"nodata": text.strip()}
    return {"_FillValue": value}


def gdal_metadata(text: str | None, samples: int) -> dict[str, Any]:
    """Return the items of a GDALMetadata document.

    Scale, offset, units and description become CF attributes where all bands share them, lists
    `scales`, `offsets`, `band_units` where not. Other items of bands are lists with None where a
    band has none. A text that is not such a document is kept whole.
    """
    if text is None or not text.strip():
        return {}
    items = _items(text)
    if items is None:
        return {"GDAL_METADATA": text}
    attributes: dict[str, Any] = {}
    of_bands: dict[str, list[str | None]] = {}
    for item in items:
        name, role, domain = item.get("name"), item.get("role"), item.get("domain")
        sample, value = item.get("sample"), "".join(item.itertext())
        plain = f"{domain}:{name}" if domain else str(name)
        key = role if role is not None and role in _ROLES else plain
        if sample is None or not sample.isdecimal() or int(sample) >= samples:
            attributes[f"GDAL_{key}" if key in RESERVED else key] = value
        else:
            of_bands.setdefault(key, [None] * samples)[int(sample)] = value
    for key, values in of_bands.items():
        if key in _ROLES:
            attributes |= _of_role(key, values)
        else:
            name = f"GDAL_{key}" if key in RESERVED else key
            attributes[name] = values[0] if samples == 1 else values
    return attributes


def _items(text: str) -> list[ElementTree.Element] | None:
    """Return the Item elements; None for what is not XML or declares entities of its own."""
    if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
        return None
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return None
    return root.findall("Item") if root.tag == "GDALMetadata" else None


_ROLES: Mapping[str, tuple[str, str, str | float | None]] = {
    "scale": ("scale_factor", "scales", 1.0),
    "offset": ("add_offset", "offsets", 0.0),
    "unittype": ("units", "band_units", None),
    "description": ("long_name", "long_name", None),
}
"""By role: the attribute of all bands, that of single bands, and what absence stands for."""


def _of_role(role: str, values: list[str | None]) -> dict[str, Any]:
    shared, single, absent = _ROLES[role]
    found: list[Any] = list(values)
    if isinstance(absent, float):
        try:
            found = [absent if value is None else float(value) for value in values]
        except ValueError:
            return {f"GDAL_{role}": values}
        if all(value == absent for value in found):
            return {}
    if all(value == found[0] for value in found) and found[0] is not None:
        return {shared: found[0]}
    return {single: found}
