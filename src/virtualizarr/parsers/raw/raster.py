"""A raw image with its bands and its place, as a group: what all raw rasters become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.georeference import (
    Place,
    coordinates_of,
    geozarr_attributes,
    inline_array,
    variable_attributes,
)
from virtualizarr.parsers.raw.numbers import nodata_of
from virtualizarr.parsers.strided import MAX_LENGTH, RawImage, array_of, packed_strides

BAND, LINE, SAMPLE = "band", "y", "x"

ORDERS: Mapping[str, tuple[str, str, str]] = {
    "bsq": (BAND, LINE, SAMPLE),
    "bil": (LINE, BAND, SAMPLE),
    "bip": (LINE, SAMPLE, BAND),
}
"""By interleave: the axes as they are stored, the slowest first."""

VARIABLE = "band_data"
DIMS = (BAND, LINE, SAMPLE)
MOST_BANDS = 1 << 21
RESERVED = frozenset(
    {
        *("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "units"),
        *("calendar", "coordinates", "grid_mapping", "bounds", "dtype", "long_name"),
    }
)
"""Attributes that decide how values are read; keywords of these names get a prefix."""


@dataclass(frozen=True, slots=True)
class Raster:
    """An image of bands, lines and samples, and what is said of it.

    `nodata` stands for missing values; true values are `scale * stored + offset`. `names` are those
    of the bands, `keywords` become attributes as they are, `along_bands` coordinates of the bands.
    """

    image: RawImage
    place: Place = field(default_factory=Place)
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    units: str | None = None
    names: Sequence[str] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    along_bands: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


def interleaved(
    location: Location,
    offset: int,
    dtype: np.dtype[Any],
    lengths: tuple[int, int, int],
    interleave: str,
    *,
    strides: Mapping[str, int] | None = None,
    bits: int = 0,
    form: str = "",
    gzip: bool = False,
) -> RawImage:
    """Return an image of `lengths` bands, lines and samples; `interleave` is bsq, bil or bip.

    `strides` of some axes replace those of data without gaps. Raises CorruptFileError for lengths
    that no file has.
    """
    if min(lengths) < 1 or max(lengths) > MAX_LENGTH:
        raise CorruptFileError(f"bands, lines and samples are {lengths}")
    counts = dict(zip(DIMS, lengths, strict=True))
    packed = packed_strides(counts, ORDERS[interleave], bits if bits else dtype.itemsize)
    known = {**packed, **(strides if strides is not None else {})}
    placed = tuple(known[axis] for axis in DIMS)
    return RawImage(location, offset, dtype, lengths, placed, DIMS, bits, form, gzip)


def group_of(raster: Raster, chunk_bytes: int | None) -> ManifestGroup:
    """Return the raster as `band_data` over `band`, `y` and `x`, with its coordinates."""
    image, place = raster.image, raster.place
    lengths = dict(zip(image.dims, image.shape, strict=True))
    fill = nodata_of(raster.nodata, image.dtype)
    arrays: dict[str, ManifestArray] = {
        VARIABLE: array_of(
            image, chunk_bytes, attributes=_attributes(raster, fill), fill_value=fill
        )
    }
    if lengths[BAND] <= MOST_BANDS:
        arrays[BAND] = inline_array(np.arange(1, lengths[BAND] + 1, dtype=np.int64), (BAND,), {})
        for name, values in raster.along_bands.items():
            arrays[name] = inline_array(values, (BAND,), {})
    arrays |= coordinates_of(place, lengths)
    return ManifestGroup(arrays, attributes=geozarr_attributes(place, lengths))


def _attributes(raster: Raster, fill: np.generic | None) -> dict[str, Any]:
    attributes = {safe_name(key): value for key, value in raster.keywords.items()}
    attributes |= value_attributes(raster.nodata, fill, raster.scale, raster.offset)
    if raster.units:
        attributes["units"] = raster.units
    names = list(raster.names)
    if names:
        attributes["long_name"] = names[0] if len(names) == 1 else names
    attributes |= variable_attributes(raster.place)
    extra = " ".join(name for name in raster.along_bands)
    if extra:
        attributes["coordinates"] = f"{attributes.get('coordinates', '')} {extra}".strip()
    return attributes


def value_attributes(
    nodata: float | None, fill: np.generic | None, scale: float, offset: float
) -> dict[str, Any]:
    """Return the CF attributes that say what stored numbers mean."""
    attributes: dict[str, Any] = {}
    if fill is not None:
        attributes["_FillValue"] = fill
    elif nodata is not None:
        attributes["nodata"] = str(nodata)
    if scale != 1 or offset != 0:
        attributes["scale_factor"] = scale
        attributes["add_offset"] = offset
    return attributes


def safe_name(keyword: str) -> str:
    """Return a keyword as the name of an attribute that does not change how values are read."""
    return f"header_{keyword}" if keyword in RESERVED else keyword
