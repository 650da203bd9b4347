"""Variables of files that the SD interface wrote: Vgroups of class Var0.0 within one of CDF0.0."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.hdf4.decode import (
    Fields,
    decode_attribute,
    decode_dimensions,
    decode_group,
    decode_number_type,
    decode_vdata,
    decode_vgroup,
)
from virtualizarr.parsers.hdf4.layout import (
    ATTRIBUTE_CLASS,
    CDF_CLASS,
    DATA_CLASS,
    DFTAG_NDG,
    DFTAG_NT,
    DFTAG_SD,
    DFTAG_SDD,
    DFTAG_SDG,
    DFTAG_VG,
    DFTAG_VH,
    DFTAG_VS,
    DIMENSION_CLASS,
    LENGTH_AS_ROWS,
    LENGTH_AS_VALUE,
    UNLIMITED_CLASS,
    VARIABLE_CLASS,
    Key,
    Variable,
    Vdata,
    Vgroup,
)
from virtualizarr.parsers.hdf4.read import OpenFile, fetch
from virtualizarr.source.reading import Reading


@dataclass(frozen=True, slots=True)
class Members:
    """Every Vgroup and the header of every Vdata of a file, by ref."""

    vgroups: Mapping[int, Vgroup]
    vdatas: Mapping[int, Vdata]


@dataclass(frozen=True, slots=True)
class Scientific:
    """What the SD interface shows of a file."""

    variables: tuple[Variable, ...]
    attributes: Mapping[str, Any]


def read_members(file: OpenFile) -> Reading[Members]:
    """Decode all Vgroups and Vdata headers; no round if they are held."""
    dds = file.descriptors
    groups, tables = dds.refs(DFTAG_VG), dds.refs(DFTAG_VH)
    keys = [*((DFTAG_VG, ref) for ref in groups), *((DFTAG_VH, ref) for ref in tables)]
    found = yield from fetch(file, keys)
    vgroups = {
        ref: decode_vgroup(data, ref)
        for ref, data in zip(groups, found[: len(groups)], strict=True)
    }
    vdatas = {
        ref: decode_vdata(data, ref) for ref, data in zip(tables, found[len(groups) :], strict=True)
    }
    return Members(vgroups, vdatas)


def read_variables(
    file: OpenFile, members: Members, root: Vgroup, dropped: Collection[str] = ()
) -> Reading[Scientific]:
    """Return the variables in the Vgroup `root`; a round for attributes that are not held.

    One that cannot be described is left out if its name is in `dropped`.
    """
    groups = [
        members.vgroups[ref]
        for tag, ref in root.members
        if tag == DFTAG_VG
        and ref in members.vgroups
        and members.vgroups[ref].vclass == VARIABLE_CLASS
    ]
    wanted = [ref for group in (root, *groups) for ref in _attributes(group, members)]
    stored = [ref for ref in wanted if file.descriptors.find((DFTAG_VS, ref)) >= 0]
    contents = yield from fetch(file, [(DFTAG_VS, ref) for ref in stored])
    values = dict(zip(stored, contents, strict=True))

    def attributes(group: Vgroup) -> dict[str, Any]:
        found = {}
        for ref in _attributes(group, members):
            vdata = members.vdatas[ref]
            found[vdata.name] = decode_attribute(vdata, values.get(ref, memoryview(b"")))
        return found

    variables = []
    for group in groups:
        try:
            found = yield from _variable(file, members, group, attributes(group))
        except VirtualizeError as error:
            if group.name in dropped:
                continue
            raise error.located(node=group.name) from error.__cause__
        variables.append(found)
    return Scientific(tuple(variables), attributes(root))


def root_of(members: Members) -> Vgroup | None:
    """Return the Vgroup that holds all variables, None if the SD interface did not write any."""
    return next((each for each in members.vgroups.values() if each.vclass == CDF_CLASS), None)


def _attributes(group: Vgroup, members: Members) -> list[int]:
    """Return the refs of the Vdatas that are attributes of a Vgroup."""
    return [
        ref
        for tag, ref in group.members
        if tag == DFTAG_VH
        and ref in members.vdatas
        and members.vdatas[ref].vclass == ATTRIBUTE_CLASS
    ]


def _variable(
    file: OpenFile, members: Members, group: Vgroup, attributes: Mapping[str, Any]
) -> Reading[Variable]:
    own = dict(group.members)
    if any(
        tag == DFTAG_VH and ref in members.vdatas and members.vdatas[ref].vclass == DATA_CLASS
        for tag, ref in group.members
    ):
        raise UnsupportedFeatureError(
            "numbers that are kept in a table, as HDF 3.2 kept those of netCDF; drop_variables "
            "leaves the variable out, and the table is read"
        )
    for tag in (DFTAG_NDG, DFTAG_SDG):
        if tag in own and file.descriptors.find((tag, own[tag])) >= 0:
            (content,) = yield from fetch(file, [(tag, own[tag])])
            own = {**decode_group(content, own[tag]), **own}
            break
    dims = [
        members.vgroups[ref]
        for tag, ref in group.members
        if tag == DFTAG_VG
        and ref in members.vgroups
        and members.vgroups[ref].vclass in (DIMENSION_CLASS, UNLIMITED_CLASS)
    ]
    key = (DFTAG_NT, own.get(DFTAG_NT, 0))
    if DFTAG_SDD in own:
        (record,) = yield from fetch(file, [(DFTAG_SDD, own[DFTAG_SDD])])
        shape, number, _ = decode_dimensions(record, own[DFTAG_SDD])
        key = key if DFTAG_NT in own else number
    else:
        shape = yield from _lengths(file, members, dims)
    if key[1] == 0:
        raise CorruptFileError("a variable without a number type")
    (content,) = yield from fetch(file, [key])
    if len(dims) != len(shape):
        raise CorruptFileError(f"{len(dims)} dimensions are named, the variable has {len(shape)}")
    return Variable(
        group.name,
        tuple(dim.name for dim in dims),
        shape,
        decode_number_type(content, key[1]),
        attributes,
        data_key(file, own),
        unlimited=bool(dims) and dims[0].vclass == UNLIMITED_CLASS,
        keys=tuple((tag, own[tag]) for tag in (DFTAG_NDG, DFTAG_SDG) if tag in own),
    )


def _lengths(file: OpenFile, members: Members, dims: Sequence[Vgroup]) -> Reading[tuple[int, ...]]:
    """Return the lengths that the Vgroups of dimensions give; 0 for an unlimited one."""
    found = []
    for dim in dims:
        refs = [
            ref
            for tag, ref in dim.members
            if tag == DFTAG_VH
            and ref in members.vdatas
            and members.vdatas[ref].vclass in (LENGTH_AS_ROWS, LENGTH_AS_VALUE)
        ]
        if not refs and dim.vclass != UNLIMITED_CLASS:
            raise CorruptFileError(f"dimension {dim.name!r} has no length")
        if dim.vclass == UNLIMITED_CLASS:
            found.append(0)
        elif members.vdatas[refs[0]].vclass == LENGTH_AS_ROWS:
            found.append(members.vdatas[refs[0]].nvert)
        else:
            (content,) = yield from fetch(file, [(DFTAG_VS, refs[0])])
            (length,) = Fields(content, f"the length of dimension {dim.name!r}").take("i")
            found.append(max(length, 0))
    return tuple(found)


def data_key(file: OpenFile, own: Mapping[int, int]) -> Key | None:
    """Return the element that holds a variable's numbers; None where nothing was written."""
    key = (DFTAG_SD, own.get(DFTAG_SD, 0))
    row = file.descriptors.find(key)
    return key if row >= 0 and bool(file.descriptors.present[row]) else None
