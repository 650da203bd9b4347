"""Arrays of PDS4 labels (PDS4 information model, classes Array and its kinds)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import Location
from virtualizarr.parsers.raw.numbers import integer, real_or_none
from virtualizarr.parsers.raw.raster import BAND, DIMS, LINE, SAMPLE
from virtualizarr.parsers.strided import RawImage, packed_strides
from virtualizarr.parsers.xml import Element, child, children, local_name, text_of

DATA_TYPES: Mapping[str, str] = {
    "ComplexLSB16": "<c16",
    "ComplexLSB8": "<c8",
    "ComplexMSB16": ">c16",
    "ComplexMSB8": ">c8",
    "IEEE754LSBDouble": "<f8",
    "IEEE754LSBSingle": "<f4",
    "IEEE754MSBDouble": ">f8",
    "IEEE754MSBSingle": ">f4",
    "SignedByte": "i1",
    "SignedLSB2": "<i2",
    "SignedLSB4": "<i4",
    "SignedLSB8": "<i8",
    "SignedMSB2": ">i2",
    "SignedMSB4": ">i4",
    "SignedMSB8": ">i8",
    "UnsignedByte": "u1",
    "UnsignedLSB2": "<u2",
    "UnsignedLSB4": "<u4",
    "UnsignedLSB8": "<u8",
    "UnsignedMSB2": ">u2",
    "UnsignedMSB4": ">u4",
    "UnsignedMSB8": ">u8",
}
RASTER_AXES = {"band": BAND, "line": LINE, "sample": SAMPLE}
MAX_AXES = 16
BYTES_OF_UNIT = {"byte": 1, "": 1, "bytes": 1}
_HEX = re.compile(r"0[xX]([0-9a-fA-F]{1,32})")


class Described(NamedTuple):
    """An object of a file area: its kind, its element, and the name of the file it lies in."""

    kind: str
    element: Element
    file: str

    @property
    def is_array(self) -> bool:
        return self.kind == "Array" or self.kind.startswith("Array_")

    @property
    def title(self) -> str:
        """What the label calls the object."""
        names = (text_of(self.element, key) for key in ("local_identifier", "name"))
        return next((name for name in names if name), self.kind)


def objects_of(product: Element) -> Iterator[Described]:
    """Yield the objects of all file areas that lie in files."""
    for area in product:
        if not local_name(area).startswith("File_Area"):
            continue
        file = text_of(area, "File", "file_name")
        for element in area:
            if child(element, "offset") is not None:
                yield Described(local_name(element), element, file)


def image_of(described: Described, location: Location, product: Element) -> RawImage:
    """Return where an array's numbers lie, turned as it is to be displayed.

    Arrays over bands, lines and samples are in that order; others in the order of their axes.
    """
    element = described.element
    node = described.title
    data_type = text_of(element, "Element_Array", "data_type")
    if data_type not in DATA_TYPES:
        raise UnsupportedFeatureError(f"elements of type {data_type!r}", node=node)
    dtype: np.dtype[Any] = np.dtype(DATA_TYPES[data_type])
    order = text_of(element, "axis_index_order", default="Last Index Fastest")
    if order.lower() != "last index fastest":
        raise UnsupportedFeatureError(f"axis_index_order {order!r}", node=node)
    place = child(element, "offset")
    unit = (place.get("unit") or "").lower() if place is not None else ""
    if unit not in BYTES_OF_UNIT:
        raise UnsupportedFeatureError(f"an offset in {unit!r}", node=node)
    offset = integer(text_of(element, "offset"), "offset", high=1 << 62)
    axes = _axes(element, node)
    strides = packed_strides(axes, list(axes), dtype.itemsize)
    if _is_raster(axes):
        lengths = {BAND: 1, **axes}
        strides = {BAND: 0, **strides}
        dims: tuple[str, ...] = DIMS
    else:
        lengths, dims = axes, tuple(axes)
    offset, strides = _turned(described, product, offset, lengths, strides)
    return RawImage(
        location,
        offset,
        dtype,
        tuple(lengths[name] for name in dims),
        tuple(strides[name] for name in dims),
        dims,
    )


def _axes(element: Element, node: str) -> dict[str, int]:
    """Return the lengths of the axes by name, the slowest first."""
    found: dict[int, tuple[str, int]] = {}
    for axis in children(element, "Axis_Array"):
        number = integer(text_of(axis, "sequence_number"), "sequence_number", low=1)
        name = text_of(axis, "axis_name", default=f"axis{number}").lower().replace(" ", "_")
        found[number] = (
            RASTER_AXES.get(name, name),
            integer(text_of(axis, "elements"), "elements", low=1),
        )
    axes = dict(found[number] for number in sorted(found))
    stated = integer(text_of(element, "axes", default=str(len(found))), "axes")
    if len(axes) != stated or sorted(found) != [*range(1, stated + 1)] or stated > MAX_AXES:
        raise CorruptFileError(f"{stated} axes, but Axis_Array describes {list(axes)}", node=node)
    return axes


def _is_raster(axes: Mapping[str, int]) -> bool:
    return set(axes) in ({LINE, SAMPLE}, {BAND, LINE, SAMPLE})


def _turned(
    described: Described,
    product: Element,
    offset: int,
    lengths: Mapping[str, int],
    strides: dict[str, int],
) -> tuple[int, dict[str, int]]:
    """Return offset and strides so that lines run downwards and samples to the right."""
    direction = _display_direction(product, text_of(described.element, "local_identifier"))
    upside_down = (("vertical", LINE, "bottom to top"), ("horizontal", SAMPLE, "right to left"))
    for way, axis, backwards in upside_down:
        shown = text_of(direction, f"{way}_display_axis").lower()
        if RASTER_AXES.get(shown) != axis or axis not in strides:
            continue
        if text_of(direction, f"{way}_display_direction").lower() == backwards:
            offset += (lengths[axis] - 1) * strides[axis]
            strides = {**strides, axis: -strides[axis]}
    return offset, strides


def _display_direction(product: Element, identifier: str) -> Element | None:
    """Return the display direction that is that of the array, or of all."""
    for settings in product.iter():
        if local_name(settings) != "Display_Settings":
            continue
        named = text_of(settings, "Local_Internal_Reference", "local_identifier_reference")
        if not named or named == identifier:
            return child(settings, "Display_Direction")
    return None


def constants_of(element: Element, dtype: np.dtype[Any]) -> dict[str, float | int]:
    """Return the special constants by name; those in hexadecimal are the bits of a number."""
    special = child(element, "Special_Constants")
    found: dict[str, float | int] = {}
    for each in special if special is not None else ():
        text = text_of(each)
        value = _constant(text, dtype)
        if value is not None:
            found[local_name(each)] = value
    return found


def _constant(text: str, dtype: np.dtype[Any]) -> float | int | None:
    bits = _HEX.fullmatch(text)
    if bits is None:
        try:
            return int(text)
        except ValueError:
            return real_or_none(text)
    size = dtype.itemsize
    number = int(bits[1], 16)
    if number >> (8 * size) or dtype.kind not in "iuf":
        return None
    value: float | int = np.frombuffer(number.to_bytes(size, "little"), dtype.newbyteorder("<"))[
        0
    ].item()
    return value


def bin_centres(product: Element, identifier: str, bands: int) -> list[float] | None:
    """Return the centres of the spectral bins of an array's bands, where the label has them."""
    for each in product.iter():
        if local_name(each) != "Spectral_Characteristics":
            continue
        named = text_of(each, "Local_Internal_Reference", "local_identifier_reference")
        if named and named != identifier:
            continue
        bins = child(each, "Axis_Bin_Set")
        texts = [text_of(one, "center_value") for one in bins or () if local_name(one) == "Bin"]
        values = [real_or_none(text) for text in texts]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) == bands else None
    return None
