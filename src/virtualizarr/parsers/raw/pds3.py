"""PDS3 images: an ODL label, attached or detached, and IMAGE or QUBE objects.

Specification: "Planetary Data System Standards Reference" 3.8 (chapters 3, 12; appendices A.19 to
A.25, C), and its data dictionary. Where GDAL's PDS driver differs, the standard holds: numbers of
32 bits may be integers, VAX_REAL is the VAX's format, LINE_SUFFIX_BYTES count.

An image is `band_data` of the root; of several, each is a group. Not read, and named in the
attribute `not_read`: tables, histograms, headers and other objects. Refused by name: encoded images
(ENCODING_TYPE) but those in JPEG 2000 or TIFF files, samples of a few bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import Location, ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import (
    FoundFile,
    beside,
    both_cases,
    read_any_case,
    read_file,
    read_header_beside,
    suffix_of,
)
from virtualizarr.parsers.raw.labels import keywords_of, read_label
from virtualizarr.parsers.raw.pds3_image import (
    Pointer,
    band_names,
    image_of,
    is_image,
    nodata_of,
    place_of,
    pointers_of,
    scaling_of,
)
from virtualizarr.parsers.raw.pvl import Block, decode_label
from virtualizarr.parsers.raw.raster import VARIABLE, Raster, group_of, value_attributes
from virtualizarr.parsers.registry import parser_named
from virtualizarr.parsers.strided import read_presence
from virtualizarr.source.reading import Elsewhere, Reading

VERSION = re.compile(rb"PDS_VERSION_ID\s*=\s*[\"']?PDS3\b")
LABEL_WITHIN = 4096
MAGIC: Mapping[bytes, str] = {
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"\0\0\0\x0c": "jpeg2000",
    b"\xff\x4f\xff\x51": "jpeg2000",
}
"""By first bytes of a compressed file: the parser that reads it."""

DATA_SUFFIXES = (".img", ".dat", ".raw", ".qub", ".cub", ".imq", ".edr", ".rdr")

__all__ = ["PDS3Parser"]


@dataclass(frozen=True)
class PDS3Parser(CallableParser):
    """Reads PDS3 images, given the file with the label or the data file beside it.

    `chunk_bytes` is how large chunks become, None for one chunk. `byte_order` is that of numbers
    whose label does not settle it (SAMPLE_TYPE UNSIGNED_INTEGER); without it they are refused.
    """

    chunk_bytes: int | None = 16 * 1024 * 1024
    byte_order: Literal["big", "little"] | None = None

    @property
    def name(self) -> str:
        return "pds3"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".lbl",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether PDS_VERSION_ID = PDS3 is near the beginning of `head`."""
        del url
        return is_label(head)

    def headers(self, url: str) -> tuple[str, ...]:
        """Return the URLs under which the detached label of the data file at `url` may be."""
        return tuple(both_cases(url, [".lbl"])) if suffix_of(url) in DATA_SUFFIXES else ()

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the label, and the facts of the files that it points to: two rounds.

        Raises CorruptFileError where the label is broken or the data end before they should.
        """
        given = yield from read_file(url)
        if is_label(given.head):
            label = yield from read_label(given, label_at(given.head))
            return (yield from self._objects(label, given))
        found = yield from read_header_beside(self.headers(url), "PDS3 label", is_label)
        label = decode_label(found.head[label_at(found.head) :]).root
        return (yield from self._objects(label, given))

    def _objects(self, label: Block, given: FoundFile) -> Reading[ManifestGroup]:
        compressed = label.block("COMPRESSED_FILE")
        if compressed is not None:
            return (yield from _compressed(label, compressed, given.url))
        images: dict[str, ManifestGroup] = {}
        others: list[str] = []
        locations = {given.url: given.location}
        for name, pointer, described in pointers_of(label):
            if described is None or not is_image(name):
                others.append(name)
                continue
            image_url = beside(given.url, pointer.file) if pointer.file else given.url
            if image_url.lower() == given.url.lower():
                image_url = given.url
            if image_url not in locations:
                locations[image_url] = yield from read_any_case(image_url)
            group = yield from self._image(
                label, described, pointer, locations[image_url], given.url
            )
            images.setdefault(name, group)
        if not images:
            raise UnsupportedFeatureError(
                f"the PDS3 label points to no image, but to: {', '.join(others) or 'nothing'}"
            )
        attributes = {"not_read": others} if others else {}
        if len(images) == 1:
            (root,) = images.values()
            return ManifestGroup(root.arrays, {}, {**root.attributes, **attributes})
        return ManifestGroup({}, images, attributes)

    def _image(
        self, label: Block, described: Block, pointer: Pointer, location: Location, url: str
    ) -> Reading[ManifestGroup]:
        image = image_of(described, location, pointer.offset, self.byte_order)
        image = yield from read_presence(image, url, described.name)
        scale, offset = scaling_of(described)
        raster = Raster(
            image,
            place_of(label, described),
            nodata=nodata_of(described, image),
            scale=scale,
            offset=offset,
            names=band_names(described, image.shape[0]),
            keywords=_keywords(label, described),
        )
        return group_of(raster, self.chunk_bytes)


def is_label(head: bytes | memoryview) -> bool:
    """Say whether a file begins with a PDS3 label; other labels may precede its first statement."""
    return VERSION.search(bytes(head[:LABEL_WITHIN])) is not None


def label_at(head: bytes | memoryview) -> int:
    """Return where the statement PDS_VERSION_ID begins."""
    found = VERSION.search(bytes(head[:LABEL_WITHIN]))
    if found is None:
        raise CorruptFileError("the file has no statement PDS_VERSION_ID = PDS3")
    return found.start()


def _keywords(label: Block, described: Block) -> dict[str, Any]:
    """Return what label and image say, without what is structure, and pointers."""
    own = Block("", {}, {}, [each for each in label.blocks if each is not described])
    own.values, own.spelled = label.values, label.spelled
    found = {**keywords_of(own), **keywords_of(described)}
    return {key: value for key, value in found.items() if "^" not in key}


def _compressed(label: Block, compressed: Block, url: str) -> Reading[ManifestGroup]:
    """Return an image whose compressed file is of a format that another parser reads."""
    where = beside(url, compressed.text("FILE_NAME"))
    location = yield from read_any_case(where)
    (found,) = yield [Elsewhere(location.url, read_file(location.url, 16))]
    if isinstance(found, VirtualizeError):
        raise found
    name = MAGIC.get(bytes(found.head[:4]))
    if name is None:
        encoding = compressed.text("ENCODING_TYPE")
        raise UnsupportedFeatureError(f"a compressed file of ENCODING_TYPE {encoding}")
    (answer,) = yield [Elsewhere(location.url, parser_named(name).parse(location.url))]
    if isinstance(answer, VirtualizeError):
        raise answer
    group: ManifestGroup = answer
    described = label.block("UNCOMPRESSED_FILE", "IMAGE")
    array = group.arrays.get(VARIABLE)
    if described is None or array is None:
        return group
    attributes = {
        **array.metadata.attributes,
        **value_attributes(None, None, *scaling_of(described)),
    }
    scaled = array.rebuilt(array.metadata.replace(attributes=attributes), array.manifest)
    return ManifestGroup({**group.arrays, VARIABLE: scaled}, group.groups, group.attributes)
