"""Structures: an array of `struct` where Zarr can hold their members, else a group of arrays.

Zarr's `struct` has no members with axes of their own and no text of any length. A Structure with
such members is shown as a group with an array for each member: all refer to the same bytes, and a
codec takes a member's part of each element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.dmrpp.build import (
    Shown,
    array_of,
    inline_array,
    inline_texts,
    repeated_array,
)
from virtualizarr.parsers.dmrpp.chunks import Placed, read_placed
from virtualizarr.parsers.dmrpp.context import Context
from virtualizarr.parsers.dmrpp.decode import TEXTS
from virtualizarr.parsers.dmrpp.dimensions import DimensionNames
from virtualizarr.parsers.dmrpp.elements import (
    element_of,
    holds_numbers,
    layout_of,
    member_element,
    number_of,
)
from virtualizarr.parsers.dmrpp.fill import struct_fill
from virtualizarr.parsers.dmrpp.inflate import decode_base64, decode_text
from virtualizarr.parsers.dmrpp.layout import Variable
from virtualizarr.source.reading import Reading

END_OF_TEXT = b";"


def read_structure(
    context: Context, variable: Variable, shown: Shown, names: DimensionNames
) -> Reading[ManifestArray | ManifestGroup]:
    """Return a Structure as an array, or as a group of arrays; see the module."""
    storage = variable.storage
    if storage.compact is not None or storage.missingdata is not None or storage.vlsa is not None:
        raise UnsupportedFeatureError("a Structure whose values are neither chunks nor special")
    if storage.specialstructuredata is not None:
        return _special(variable, shown, names, storage.specialstructuredata)
    if holds_numbers(variable):
        return (yield from _read_struct_array(context, variable, shown))
    size, _ = layout_of(variable)
    elements = [member_element(variable, at) for at in range(len(variable.members))]
    placed = yield from read_placed(context, variable, size)
    fills = _fills(variable, placed, variable.members)
    arrays = {}
    for member, element, fill in zip(variable.members, elements, fills, strict=True):
        part = _shown_member(variable, member, names)
        if placed.complete or (fill == fill.flat[0]).all() or (fill != fill).all():
            arrays[member.name] = array_of(part, element, placed, fill.flat[0])
        elif placed.manifest.all_missing:
            arrays[member.name] = repeated_array(part, element, placed.chunk_shape, fill)
        else:
            raise UnsupportedFeatureError(
                f"member {member.name!r} has a fill value that differs along its axes, and only"
                " some of the chunks are stored"
            )
    return ManifestGroup(arrays, attributes=shown.attributes)


def _read_struct_array(
    context: Context, variable: Variable, shown: Shown
) -> Reading[ManifestArray]:
    element = element_of(variable)
    placed = yield from read_placed(context, variable, element.size)
    scalars = [*_scalars(variable)]
    fills = _fills(variable, placed, scalars)
    packed = b"".join(each.tobytes() for each in fills)
    fill = np.frombuffer(packed, element.dtype)[0] if any(packed) else None
    members = {member.name: member.attributes for member in variable.members if member.attributes}
    if members:
        shown = Shown(shown.shape, shown.names, {**shown.attributes, "members": members})
    return array_of(shown, element, placed, fill)


def _scalars(structure: Variable) -> Sequence[Variable]:
    return [
        each
        for member in structure.members
        for each in (_scalars(member) if member.members else [member])
    ]


def _fills(
    variable: Variable, placed: Placed, members: Sequence[Variable]
) -> list[npt.NDArray[Any]]:
    fills = struct_fill(variable, members)
    unsure = variable.storage.byte_order == "BE" and any(each.any() for each in fills)
    if unsure and not placed.complete:
        raise UnsupportedFeatureError(
            "some of its values are not stored, and its big-endian fill value may be written with"
            " its bytes reversed"
        )
    return fills


def _shown_member(variable: Variable, member: Variable, names: DimensionNames) -> Shown:
    dims = names.names_of([*variable.dims, *member.dims])
    return Shown(variable.shape, dims, member.attributes)


@dataclass(slots=True)
class _Values:
    """What has been read of one member."""

    numbers: list[bytes] = field(default_factory=list)
    texts: list[tuple[str, int]] = field(default_factory=list)


def _special(
    variable: Variable, shown: Shown, names: DimensionNames, encoded: str
) -> ManifestGroup:
    """Return a Structure with texts, whose values the document holds element by element.

    Numbers are little-endian; each text is base64 of its own, ended by a semicolon.
    """
    data, members = decode_base64(encoded), variable.members
    count = prod(variable.shape)
    if count > len(data) or not members:
        raise CorruptFileError(f"{len(data)} bytes for {count} elements")
    found = [_Values() for _ in members]
    at = 0
    for _ in range(count):
        for member, values in zip(members, found, strict=True):
            at = _take(data, at, member, values)
    if at != len(data):
        raise CorruptFileError(f"{len(data) - at} bytes are left over")
    arrays = {}
    for member, values in zip(members, found, strict=True):
        own = _shown_member(variable, member, names)
        part = Shown((*variable.shape, *member.shape), own.names, own.attributes)
        dtype = number_of(member)
        arrays[member.name] = (
            inline_texts(part, values.texts)
            if dtype is None
            else inline_array(part, np.frombuffer(b"".join(values.numbers), dtype))
        )
    return ManifestGroup(arrays, attributes=shown.attributes)


def _take(data: bytes, at: int, member: Variable, values: _Values) -> int:
    """Read one element's member from byte `at` on; return where it ends."""
    dtype, count = number_of(member), prod(member.shape)
    if dtype is not None:
        end = at + count * dtype.itemsize
        if end > len(data):
            raise CorruptFileError("the values end within an element")
        values.numbers.append(data[at:end])
        return end
    if member.type not in TEXTS:
        raise UnsupportedFeatureError(f"a Structure with a member of type {member.type}")
    for _ in range(count):
        end = data.find(END_OF_TEXT, at)
        if end < 0:
            raise CorruptFileError("the values end within a text")
        text = decode_base64(data[at:end].decode("latin-1"))
        values.texts.append((decode_text(text.partition(b"\0")[0]), 1))
        at = end + 1
    return at
