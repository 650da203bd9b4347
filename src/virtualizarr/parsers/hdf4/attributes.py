"""Attributes of Vgroups and Vdatas: each is a Vdata of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.parsers.hdf4.decode import decode_attribute
from virtualizarr.parsers.hdf4.layout import (
    ATTRIBUTE_CLASS,
    DFTAG_VH,
    DFTAG_VS,
    IMAGE_ATTRIBUTE_CLASS,
    Vdata,
    Vgroup,
)
from virtualizarr.parsers.hdf4.read import OpenFile, fetch
from virtualizarr.parsers.hdf4.variables import Members
from virtualizarr.source.reading import Reading

CLASS = "hdf4_class"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes of Vgroups by ref, and of Vdatas by ref and number of the field (-1: the table).

    The class of a Vgroup or Vdata is the attribute `hdf4_class`.
    """

    vgroups: Mapping[int, Mapping[str, Any]]
    vdatas: Mapping[int, Mapping[int, Mapping[str, Any]]]


def read_attributes(file: OpenFile, members: Members) -> Reading[Attributes]:
    """Read the attributes of all Vgroups and Vdatas that are shown; one round at most."""
    groups = {
        ref: attribute_refs(group, members)
        for ref, group in members.vgroups.items()
        if not group.internal
    }
    tables = {ref: vdata for ref, vdata in members.vdatas.items() if not vdata.internal}
    wanted = {own for refs in groups.values() for own in refs}
    wanted |= {own for vdata in tables.values() for _, own in vdata.attributes}
    values = yield from read_values(file, members, sorted(wanted))
    return Attributes(
        {
            ref: _class(members.vgroups[ref].vclass)
            | {members.vdatas[own].name: values[own] for own in refs if own in values}
            for ref, refs in groups.items()
        },
        {ref: _of_table(members, vdata, values) for ref, vdata in tables.items()},
    )


def read_values(file: OpenFile, members: Members, refs: Sequence[int]) -> Reading[dict[int, Any]]:
    """Return the values of attributes by ref; those that name no Vdata are left out."""
    known = [ref for ref in refs if ref in members.vdatas]
    stored = [ref for ref in known if file.descriptors.find((DFTAG_VS, ref)) >= 0]
    contents = yield from fetch(file, [(DFTAG_VS, ref) for ref in stored])
    raw = dict(zip(stored, contents, strict=True))
    return {
        ref: decode_attribute(members.vdatas[ref], raw.get(ref, memoryview(b""))) for ref in known
    }


def attribute_refs(group: Vgroup, members: Members) -> list[int]:
    """Return the refs of the attributes of a Vgroup: those listed as such, and members."""
    classes = (ATTRIBUTE_CLASS, IMAGE_ATTRIBUTE_CLASS)
    inside = [
        ref
        for tag, ref in group.members
        if tag == DFTAG_VH and ref in members.vdatas and members.vdatas[ref].vclass in classes
    ]
    return [*inside, *group.attributes]


def _of_table(
    members: Members, vdata: Vdata, values: Mapping[int, Any]
) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {-1: _class(vdata.vclass)}
    for number, ref in vdata.attributes:
        if ref in values:
            found.setdefault(number, {})[members.vdatas[ref].name] = values[ref]
    return found


def _class(vclass: str) -> dict[str, Any]:
    return {CLASS: vclass} if vclass else {}
