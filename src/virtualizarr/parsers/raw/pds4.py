"""PDS4 products: an XML label, and arrays in the files that it names.

Specification: "PDS4 Data Standards Reference" and the PDS4 information model, classes File_Area,
Array and its kinds; display directions as the disp dictionary states them.

An array over bands, lines and samples becomes `band_data` with dimensions band, y, x; any other an
array `data` over its own axes. Of several, each is a group. `scaling_factor`, `value_offset` and
`missing_constant` are CF attributes; the other special constants are named in the attribute
`special_constants` and read as numbers. Not read, and named in the attribute `not_read`: tables,
headers and other objects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnknownFormatError, UnsupportedFeatureError
from virtualizarr.model import Location, ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import (
    FoundFile,
    beside,
    both_cases,
    read_any_case,
    read_header_beside,
    read_whole,
    suffix_of,
)
from virtualizarr.parsers.raw.numbers import nodata_of, real_or_none
from virtualizarr.parsers.raw.pds4_array import (
    Described,
    bin_centres,
    constants_of,
    image_of,
    objects_of,
)
from virtualizarr.parsers.raw.pds4_map import place_of
from virtualizarr.parsers.raw.raster import DIMS, Raster, group_of, value_attributes
from virtualizarr.parsers.strided import RawImage, array_of, read_presence
from virtualizarr.parsers.xml import Element, local_name, parse_xml, text_of
from virtualizarr.source.reading import Reading

ROOT = re.compile(rb"<(?:\w+:)?Product_[A-Z]\w+[\s>]")
NAMESPACE = b"//pds.nasa.gov/pds4/"
WITHIN = 16 * 1024
DATA_SUFFIXES = (".img", ".dat", ".raw", ".bin", ".qub", ".cub", ".fit", ".fits", ".tif", ".arr")
STATED = ("title", "logical_identifier", "version_id", "information_model_version")

__all__ = ["PDS4Parser"]


@dataclass(frozen=True)
class PDS4Parser(CallableParser):
    """Reads the arrays of PDS4 products, given the label or the data file.

    `chunk_bytes` is how large chunks become, None for one chunk.
    """

    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "pds4"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".xml", ".lblx")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` is XML whose root is a product of the PDS4 namespace."""
        del url
        return is_label(head)

    def headers(self, url: str) -> tuple[str, ...]:
        """Return the URLs under which the label of the data file at `url` may be."""
        if suffix_of(url) not in DATA_SUFFIXES:
            return ()
        return tuple(both_cases(url, [".xml", ".lblx"]))

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the label, and the facts of the files that it names: two rounds.

        Raises CorruptFileError where the label is broken or the data end before they should.
        """
        given = yield from read_whole(url, "the PDS4 label", is_label)
        label = given
        if not is_label(given.head):
            label = yield from read_header_beside(self.headers(url), "PDS4 label", is_label)
        product = parse_xml(label.head)
        objects = list(objects_of(product))
        arrays = [each for each in objects if each.is_array]
        if not arrays:
            kinds = ", ".join(each.kind for each in objects)
            raise UnsupportedFeatureError(f"the PDS4 product has no arrays, but: {kinds}")
        locations = yield from _locations(arrays, given, label)
        groups: dict[str, ManifestGroup] = {}
        for described in arrays:
            image = image_of(described, locations[described.file], product)
            image = yield from read_presence(image, url, described.title)
            group = self._group(described, image, product, label)
            groups[_unique(described.title, groups)] = group
        others = [f"{each.kind} {each.title}" for each in objects if not each.is_array]
        attributes: dict[str, Any] = {"not_read": others} if others else {}
        attributes |= {key: text for key in STATED if (text := _identification(product, key))}
        if len(groups) == 1:
            (group,) = groups.values()
            return ManifestGroup(group.arrays, {}, {**group.attributes, **attributes})
        return ManifestGroup({}, groups, attributes)

    def _group(
        self, described: Described, image: RawImage, product: Element, label: FoundFile
    ) -> ManifestGroup:
        element = described.element
        constants = constants_of(element, image.dtype)
        scale = real_or_none(text_of(element, "Element_Array", "scaling_factor"))
        offset = real_or_none(text_of(element, "Element_Array", "value_offset"))
        scale, offset = (1.0 if scale is None else scale, 0.0 if offset is None else offset)
        keywords: dict[str, Any] = {"object": described.kind}
        for key in ("local_identifier", "name", "description"):
            if text_of(element, key):
                keywords[key] = " ".join(text_of(element, key).split())
        if constants:
            keywords["special_constants"] = {key: str(value) for key, value in constants.items()}
        nodata = constants.get("missing_constant")
        units = text_of(element, "Element_Array", "unit")
        if image.dims != DIMS:
            fill = nodata_of(nodata, image.dtype)
            attributes = {**keywords, **value_attributes(nodata, fill, scale, offset)}
            attributes |= {"units": units} if units else {}
            return ManifestGroup(
                {"data": array_of(image, self.chunk_bytes, attributes=attributes, fill_value=fill)}
            )
        centres = bin_centres(product, text_of(element, "local_identifier"), image.shape[0])
        along = {"wavelength": np.array(centres, np.float64)} if centres is not None else {}
        raster = Raster(
            image,
            place_of(product, label.head),
            nodata=nodata,
            scale=scale,
            offset=offset,
            units=units,
            keywords=keywords,
            along_bands=along,
        )
        return group_of(raster, self.chunk_bytes)


def is_label(head: bytes | memoryview) -> bool:
    """Say whether a file begins as PDS4 labels do."""
    start = bytes(head[:WITHIN])
    return NAMESPACE in start and ROOT.search(start) is not None


def _locations(
    arrays: Sequence[Described], given: FoundFile, label: FoundFile
) -> Reading[dict[str, Location]]:
    """Return the locations of the files that arrays lie in, by the names that the label has.

    Raises UnknownFormatError if a data file was given, and it is none of them.
    """
    found: dict[str, Location] = {}
    for name in dict.fromkeys(each.file for each in arrays):
        if not name:
            raise CorruptFileError("a file area without a file_name")
        url = beside(label.url, name)
        found[name] = given.location if url == given.url else (yield from read_any_case(url))
    if given is not label and given.url not in {each.url for each in found.values()}:
        raise UnknownFormatError(f"the label beside the file is that of {', '.join(found)}")
    return found


def _identification(product: Element, key: str) -> str:
    for area in product:
        if local_name(area) == "Identification_Area":
            return text_of(area, key)
    return ""


def _unique(title: str, taken: dict[str, ManifestGroup]) -> str:
    """Return a name for a group that no other one has."""
    plain = re.sub(r"[^\w.-]+", "_", title).strip("_.") or "array"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    return name
