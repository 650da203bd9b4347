"""Raster images: of the GR interface (RI0.0), of DF24 and DFR8 (RIG), and lone 8-bit ones (RI8).

Specification: "HDF Specification and Developer's Guide", HDF 4.1r5, sections on raster images. The
names of images that have none are the GR interface's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from virtualizarr.codecs.hdf4_raster import COMPONENT, IMCOMP, JPEG, PIXEL, PLAIN, RLE, Hdf4Raster
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.hdf4.attributes import attribute_refs, read_values
from virtualizarr.parsers.hdf4.decode import Fields, decode_number_type
from virtualizarr.parsers.hdf4.layout import (
    DFTAG_CI,
    DFTAG_CI8,
    DFTAG_ID,
    DFTAG_ID8,
    DFTAG_II8,
    DFTAG_NT,
    DFTAG_NULL,
    DFTAG_RI,
    DFTAG_RI8,
    DFTAG_RIG,
    DFTAG_VG,
    IMAGE_CLASS,
    IMAGES_CLASS,
    Key,
    Variable,
    Vgroup,
)
from virtualizarr.parsers.hdf4.read import OpenFile, fetch
from virtualizarr.parsers.hdf4.variables import Members
from virtualizarr.source.reading import Reading

DIMS = ("y", "x", "component")
DATA_TAGS = (DFTAG_RI, DFTAG_CI)
DFTAG_RLE, DFTAG_IMC, DFTAG_JPEG5, DFTAG_GREYJPEG5 = 11, 12, 15, 16
METHODS = {DFTAG_RLE: RLE, DFTAG_IMC: IMCOMP, DFTAG_JPEG5: JPEG, DFTAG_GREYJPEG5: JPEG}
EIGHT_BIT = {DFTAG_RI8: DFTAG_NULL, DFTAG_CI8: DFTAG_RLE, DFTAG_II8: DFTAG_IMC}
"""The tags of lone 8-bit images, and how each is compressed."""

OTHER_COMPRESSIONS = {13: "JPEG whose header is apart", 14: "grey JPEG whose header is apart"}


@dataclass(frozen=True, slots=True)
class Images:
    """The images that can be read, as variables, and why the others cannot, by name."""

    variables: tuple[Variable, ...]
    not_read: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    own: Mapping[int, int]
    keys: tuple[Key, ...]
    attributes: Mapping[str, Any]
    by_gr: bool


def read_images(file: OpenFile, members: Members) -> Reading[Images]:
    """Return all images; no round if their descriptions are held, else two."""
    found = yield from _of_gr(file, members)
    count = len(found) + len(file.descriptors.refs(DFTAG_RIG))
    found += yield from _of_groups(file, found)
    variables: list[Variable] = []
    not_read: dict[str, str] = {}
    seen: set[int] = set()
    for image in found:
        try:
            variable = yield from _variable(file, image)
        except UnsupportedFeatureError as error:
            not_read[image.name] = error.reason
            continue
        except VirtualizeError as error:
            raise error.located(node=image.name) from error.__cause__
        variables.append(variable)
        seen |= _offsets(file, variable.data)
    for number, variable in enumerate((yield from _eight_bit(file)), count):
        if not _offsets(file, variable.data) & seen:
            variables.append(replace(variable, name=f"8-bit {_numbered(number)}"))
    return Images(tuple(variables), not_read)


def _numbered(number: int) -> str:
    return f"Raster Image #{number}"


def _offsets(file: OpenFile, key: Key | None) -> set[int]:
    """Return where the data of an image begin: an image may have descriptors of two kinds."""
    row = file.descriptors.find(key) if key is not None else -1
    return {int(file.descriptors.offset[row])} if row >= 0 else set()


def _of_gr(file: OpenFile, members: Members) -> Reading[list[_Found]]:
    """Return the images that the GR interface wrote, in its order."""
    roots = [
        group for group in members.vgroups.values() if IMAGES_CLASS in (group.vclass, group.name)
    ]
    listed = [ref for group in roots for tag, ref in group.members if tag == DFTAG_VG]
    refs = [
        ref
        for ref in dict.fromkeys([*listed, *members.vgroups])
        if ref in members.vgroups and members.vgroups[ref].vclass == IMAGE_CLASS
    ]
    own = {ref: attribute_refs(members.vgroups[ref], members) for ref in refs}
    values = yield from read_values(file, members, [one for each in own.values() for one in each])
    return [
        _Found(
            members.vgroups[ref].name,
            _first(members.vgroups[ref]),
            ((DFTAG_VG, ref),),
            {_attribute_name(members, one): values[one] for one in own[ref] if one in values},
            True,
        )
        for ref in refs
    ]


def _first(group: Vgroup) -> dict[int, int]:
    return dict(reversed(group.members))


def _attribute_name(members: Members, ref: int) -> str:
    """Return an attribute's name, which for those of images is its field's."""
    return members.vdatas[ref].fields[0].name


def _of_groups(file: OpenFile, before: list[_Found]) -> Reading[list[_Found]]:
    """Return the images of raster image groups that the GR interface did not write again."""
    refs = file.descriptors.refs_in_file_order(DFTAG_RIG)
    contents = yield from fetch(file, [(DFTAG_RIG, ref) for ref in refs])
    seen = {(tag, each.own[tag]) for each in before for tag in DATA_TAGS if tag in each.own}
    found: list[_Found] = []
    for number, (ref, content) in enumerate(zip(refs, contents, strict=True), len(before)):
        count = len(content) // 4
        numbers = Fields(content, f"raster image group {ref}").take(f"{2 * count}H")
        own = dict(zip(numbers[::2], numbers[1::2], strict=True))
        data = [(tag, own[tag]) for tag in DATA_TAGS if tag in own]
        if data and data[0] not in seen and DFTAG_ID in own:
            keys = ((DFTAG_RIG, ref), *data)
            found.append(_Found(_numbered(number), own, keys, {}, False))
    return found


def _variable(file: OpenFile, image: _Found) -> Reading[Variable]:
    """Return an image as a variable; UnsupportedFeatureError, by name, for old compressions."""
    if DFTAG_ID not in image.own:
        raise CorruptFileError("an image without dimensions")
    (record,) = yield from fetch(file, [(DFTAG_ID, image.own[DFTAG_ID])])
    fields = Fields(record, "the dimensions of an image")
    width, height, nt_tag, nt_ref, components, interlace, compression, _ = fields.take("iiHHHHHH")
    if width < 0 or height < 0 or not components or interlace > COMPONENT:
        raise CorruptFileError(
            f"an image of {width} x {height}, {components} components, interlace {interlace}"
        )
    dtype = np.dtype("u1")
    if nt_tag == DFTAG_NT and nt_ref:
        (content,) = yield from fetch(file, [(DFTAG_NT, nt_ref)])
        dtype = decode_number_type(content, nt_ref)
    by_pixel = image.by_gr or components == 1  # GR stores pixels, whatever it says of interlace
    shape = (height, width, components)
    data = next(((tag, image.own[tag]) for tag in DATA_TAGS if tag in image.own), None)
    row = file.descriptors.find(data) if data is not None else -1
    raster = _raster(shape, dtype, compression, PIXEL if by_pixel else interlace)
    return Variable(
        image.name,
        DIMS if components > 1 else DIMS[:2],
        shape if components > 1 else shape[:2],
        dtype,
        image.attributes,
        data if row >= 0 and bool(file.descriptors.present[row]) else None,
        keys=image.keys,
        zero=True,
        raster=raster,
    )


def _raster(
    shape: tuple[int, int, int], dtype: np.dtype[Any], compression: int, interlace: int
) -> Hdf4Raster | None:
    """Return the codec of an image, None for plain pixels; UnsupportedFeatureError by name."""
    plain = compression in (0, DFTAG_NULL)
    if (plain and interlace == PIXEL) or 0 in shape:
        return None
    method = PLAIN if plain else METHODS.get(compression)
    if method is None:
        raise UnsupportedFeatureError(
            OTHER_COMPRESSIONS.get(compression, f"compression {compression}")
        )
    if method == JPEG:
        interlace = PIXEL
    try:
        return Hdf4Raster(shape, method, interlace, dtype.itemsize)
    except CorruptFileError as error:
        raise UnsupportedFeatureError(error.reason) from error


def _eight_bit(file: OpenFile) -> Reading[list[Variable]]:
    """Return the images that the DFR8 interface wrote, before there were groups for them."""
    keys = [
        (tag, ref)
        for tag in EIGHT_BIT
        for ref in file.descriptors.refs_in_file_order(tag)
        if file.descriptors.find((DFTAG_ID8, ref)) >= 0
    ]
    records = yield from fetch(file, [(DFTAG_ID8, ref) for _, ref in keys])
    found = []
    kind = np.dtype("u1")
    for key, record in zip(keys, records, strict=True):
        width, height = Fields(record, f"dimensions {key[1]} of an 8-bit image").take("HH")
        raster = _raster((height, width, 1), kind, EIGHT_BIT[key[0]], PIXEL)
        found.append(
            Variable(
                str(key[1]),
                DIMS[:2],
                (height, width),
                kind,
                {},
                key,
                keys=(key,),
                zero=True,
                raster=raster,
            )
        )
    return found
