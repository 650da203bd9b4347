"""How a stored element of a variable becomes a Zarr element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.record import COPY, CUT, STRIP, SWAP, Record
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.metadata import CodecJson
from virtualizarr.parsers.dmrpp.attributes import NUMBERS
from virtualizarr.parsers.dmrpp.layout import Dim, FixedStrings, Variable

type Piece = tuple[int, int, int, str]

CHAR = np.dtype("S1")
MAX_ELEMENT = 1 << 31


@dataclass(frozen=True, slots=True)
class Element:
    """One element as Zarr sees it.

    `size` is its stored bytes. `dtype` is that of what `records` make of them, byte order and all;
    `dims` are axes within an element, which become trailing axes of the array.
    """

    size: int
    dtype: np.dtype[Any]
    dims: tuple[Dim, ...] = ()
    records: tuple[Record, ...] = ()

    @property
    def codecs(self) -> tuple[CodecJson, ...]:
        """The Zarr codecs that stand behind `bytes`, in the order they encode."""
        return tuple(
            {"name": record.name, "configuration": record.configuration()}
            for record in reversed(self.records)
        )

    def decoded(self, stored: bytes) -> npt.NDArray[Any]:
        """Decode whole stored elements; the result is 1-D."""
        data = np.frombuffer(stored, np.uint8)
        for record in self.records:
            data = record.decode(data, None)
        return np.frombuffer(data, self.dtype)


def number_of(variable: Variable) -> np.dtype[Any] | None:
    """Return the dtype of a variable's values, None for those that are no numbers or letters.

    Integers of an enumeration that stands for booleans are booleans.
    """
    if variable.enumeration is not None:
        base = NUMBERS[variable.enumeration.basetype.lower()]
        return np.dtype(np.bool_) if variable.enumeration.is_boolean else base
    return CHAR if variable.type == "Char" else NUMBERS.get(variable.type.lower())


def element_of(variable: Variable) -> Element:
    """Return the element of a variable of numbers or of a Structure that Zarr can hold as one.

    Raises UnsupportedFeatureError for other types.
    """
    order = variable.storage.byte_order
    dtype = number_of(variable)
    if dtype is not None:
        stored = dtype.newbyteorder(">" if order == "BE" else "<")
        return Element(dtype.itemsize, stored)
    if variable.type == "Structure" and holds_numbers(variable):
        size, offsets = layout_of(variable)
        pieces = _pieces(variable, offsets, order)
        packed = np.dtype([(member.name, _little(member)) for member in variable.members])
        if sum(width * count for _, width, count, _ in pieces) == size and _copied(pieces):
            return Element(size, packed)
        return Element(size, packed, records=(Record(size, _merged(pieces)),))
    raise UnsupportedFeatureError(f"is of type {variable.type}, which Zarr cannot hold")


def holds_numbers(structure: Variable) -> bool:
    """Say whether every member of a Structure is a number, or a Structure of numbers."""
    return bool(structure.members) and all(
        not member.dims
        and (number_of(member) is not None or (bool(member.members) and holds_numbers(member)))
        for member in structure.members
    )


def member_element(structure: Variable, at: int) -> Element:
    """Return member `at` of a Structure as an element of its own: its part of the stored bytes."""
    member = structure.members[at]
    size, offsets = layout_of(structure)
    dtype = number_of(member)
    if dtype is None:
        raise UnsupportedFeatureError(f"a Structure with a member of type {member.type}")
    swapped = structure.storage.byte_order == "BE" and dtype.itemsize > 1
    count, width = prod(member.shape), dtype.itemsize
    piece = (offsets[at], width, count, SWAP if swapped else COPY)
    return Element(size, dtype, member.dims, (Record(size, (piece,)),))


def layout_of(structure: Variable) -> tuple[int, tuple[int, ...]]:
    """Return the bytes of a Structure and where its members begin.

    Members are packed unless the document gives their offsets. Raises CorruptFileError if a member
    leaves the element, UnsupportedFeatureError for one whose size is not known.
    """
    sizes = [_size(member) for member in structure.members]
    packed = np.cumsum([0, *sizes]).tolist()
    given = structure.storage.struct_offsets
    if given is None:
        size, offsets = packed[-1], packed[:-1]
    else:
        if len(given) != len(sizes):
            raise CorruptFileError(f"structOffset has {len(given)} numbers, {len(sizes)} members")
        size, offsets = given[-1], [0, *given[:-1]]
    if not 0 < size <= MAX_ELEMENT:
        raise UnsupportedFeatureError(f"a Structure of {size} bytes")
    if any(at + width > size for at, width in zip(offsets, sizes, strict=True)):
        raise CorruptFileError(f"a member leaves the Structure of {size} bytes")
    return size, tuple(offsets)


def _size(member: Variable) -> int:
    if member.type == "Structure":
        size, _ = layout_of(member)
    else:
        dtype = number_of(member)
        if dtype is None:
            raise UnsupportedFeatureError(
                f"a Structure with a member {member.name!r} of type {member.type}, whose size the"
                " document does not tell"
            )
        size = dtype.itemsize
    whole = size * prod(member.shape)
    if not 0 < whole <= MAX_ELEMENT:
        raise UnsupportedFeatureError(f"a member {member.name!r} of {whole} bytes")
    return whole


def _little(member: Variable) -> np.dtype[Any]:
    dtype = number_of(member)
    if dtype is not None:
        return dtype
    return np.dtype([(each.name, _little(each)) for each in member.members])


def _pieces(structure: Variable, offsets: Sequence[int], order: str) -> list[Piece]:
    pieces: list[Piece] = []
    for member, start in zip(structure.members, offsets, strict=True):
        dtype = number_of(member)
        if dtype is None:
            inner = [start + at for at in layout_of(member)[1]]
            pieces += _pieces(member, inner, order)
        elif order == "BE" and dtype.itemsize > 1:
            pieces.append((start, dtype.itemsize, 1, SWAP))
        else:
            pieces.append((start, 1, dtype.itemsize, COPY))
    return pieces


def _copied(pieces: Sequence[Piece]) -> bool:
    return all(kind == COPY for *_, kind in pieces) and len(_merged(pieces)) == 1


def _merged(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Join pieces that are copied from one run of bytes."""
    merged: list[Piece] = []
    for offset, width, count, kind in pieces:
        if merged and kind == COPY == merged[-1][3] and merged[-1][0] + merged[-1][2] == offset:
            merged[-1] = (merged[-1][0], 1, merged[-1][2] + count, COPY)
        else:
            merged.append((offset, width, count, kind))
    return tuple(merged)


def text_element(fixed: FixedStrings) -> Element:
    """Return the element of strings of a fixed length, without what fills them up."""
    length = fixed.length
    if not 0 < length <= MAX_ELEMENT:
        raise UnsupportedFeatureError(f"strings of {length} bytes")
    kinds: dict[str, tuple[str, ...]] = {
        "null_term": (CUT,) if length > 1 else (),
        "space_pad": (STRIP,),
        "null_pad": (),
        "not_set": (STRIP, CUT),
    }
    records = tuple(Record(length, ((0, length, 1, kind),)) for kind in kinds[fixed.pad])
    return Element(length, np.dtype(f"S{length}"), records=records)
