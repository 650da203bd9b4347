"""Vdatas and Vgroups as the HDF4 library writes and reads them (pyhdf's own crash too often)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hdf4_files import TYPES, library

READ, WRITE, CREATE = 1, 3, 4
FULL_INTERLACE, NO_INTERLACE = 0, 1
CHAR8 = 4
KINDS = {number: kind for kind, number in TYPES.items()} | {3: "u1"}
INTERNAL = (b"Attr0.0", b"DimVal0", b"_HDF", b"SDSVar", b"CoordVar", b"RIATTR")
DFTAG_NDG, DFTAG_VG, DFTAG_VH = 720, 1965, 1962


@contextmanager
def opened(path: Path, mode: int) -> Iterator[tuple[Any, int]]:
    """Open a file for the V interface: the library, and the file's identifier."""
    lib = library()
    lib.VSQueryref.restype = lib.VQueryref.restype = ctypes.c_int32
    file = lib.Hopen(str(path).encode(), mode if mode == READ or path.exists() else CREATE, 0)
    assert file != -1
    lib.Vinitialize(file)
    try:
        yield lib, file
    finally:
        lib.Vfinish(file)
        lib.Hclose(file)


def table_values(path: Path) -> list[Mapping[str, Any] | None]:
    """Return the fields of every table in the order of their references, None for one without any.

    Those that the library keeps its own records in are left out.
    """
    found: dict[int, Mapping[str, Any] | None] = {}
    with opened(path, READ) as (lib, file):
        ref = lib.VSgetid(file, -1)
        while ref != -1:
            table = lib.VSattach(file, ref, b"r")
            vclass = ctypes.create_string_buffer(1024)
            lib.VSgetclass(table, vclass)
            if not vclass.value.startswith(INTERNAL):
                found[ref] = _fields(lib, table)
            lib.VSdetach(table)
            ref = lib.VSgetid(file, ref)
    return [found[ref] for ref in sorted(found)]


def _fields(lib: Any, table: int) -> Mapping[str, Any] | None:
    count = lib.VFnfields(table)
    rows = lib.VSelts(table)
    if count < 1 or rows < 1:
        return None
    lib.VFfieldname.restype = ctypes.c_char_p
    names = [lib.VFfieldname(table, i).decode("latin-1") for i in range(count)]
    parts = []
    for i, name in enumerate(names):
        kind, order = lib.VFfieldtype(table, i) & 0xFFF, lib.VFfieldorder(table, i)
        text = kind == CHAR8
        parts.append((name, f"S{order}") if text else (name, KINDS[kind], (order,)))
    data = np.zeros(rows, np.dtype(parts))
    if lib.VSsetfields(table, ",".join(names).encode("latin-1")) == -1:
        return None
    if lib.VSread(table, data.ctypes.data_as(ctypes.c_void_p), rows, FULL_INTERLACE) != rows:
        return None
    return {
        name: data[name][:, 0] if data[name].shape[1:] == (1,) else data[name] for name in names
    }


def write_table(
    path: Path, name: str, fields: Mapping[str, Any], *, interlace: int = FULL_INTERLACE
) -> int:
    """Write a table of (row,) and (row, order) fields, in a new file or one that is there."""
    with opened(path, WRITE) as (lib, file):
        table = lib.VSattach(file, -1, b"w")
        for field, values in fields.items():
            text = values.dtype.kind == "S"
            kind = CHAR8 if text else TYPES[values.dtype.str[1:]]
            order = values.dtype.itemsize if text else values[0].size
            assert lib.VSfdefine(table, field.encode(), kind, order) == 0
        assert lib.VSsetname(table, name.encode()) == 0
        assert lib.VSsetinterlace(table, interlace) == 0
        assert lib.VSsetfields(table, ",".join(fields).encode()) == 0
        _write(lib, table, fields)
        ref = int(lib.VSQueryref(table))
        lib.VSdetach(table)
    return ref


def append_rows(path: Path, ref: int, fields: Mapping[str, Any]) -> None:
    """Append rows to a table."""
    with opened(path, WRITE) as (lib, file):
        table = lib.VSattach(file, ref, b"w")
        lib.VSsetfields(table, ",".join(fields).encode())
        last = np.zeros(1, _record(fields))
        lib.VSseek(table, lib.VSelts(table) - 1)
        lib.VSread(table, last.ctypes.data_as(ctypes.c_void_p), 1, FULL_INTERLACE)
        _write(lib, table, fields)
        lib.VSdetach(table)


def _record(fields: Mapping[str, Any]) -> np.dtype[Any]:
    return np.dtype([(name, values.dtype, values.shape[1:]) for name, values in fields.items()])


def _write(lib: Any, table: int, fields: Mapping[str, Any]) -> None:
    count = len(next(iter(fields.values())))
    data = np.zeros(count, _record(fields))
    for name, values in fields.items():
        data[name] = values
    pointer = data.ctypes.data_as(ctypes.c_void_p)
    assert lib.VSwrite(table, pointer, count, FULL_INTERLACE) == count


def set_table_attribute(path: Path, ref: int, field: int, name: str, value: Any) -> None:
    """Give a table (`field` -1) or one of its fields an attribute."""
    with opened(path, WRITE) as (lib, file):
        table = lib.VSattach(file, ref, b"w")
        arguments = (TYPES[value.dtype.str[1:]], value.size, value.ctypes.data_as(ctypes.c_void_p))
        assert lib.VSsetattr(table, field, name.encode(), *arguments) == 0
        lib.VSdetach(table)


def write_vgroup(
    path: Path,
    name: str,
    members: Sequence[tuple[int, int]],
    vclass: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> int:
    """Write a Vgroup with members by tag and ref; return its ref."""
    with opened(path, WRITE) as (lib, file):
        group = lib.Vattach(file, -1, b"w")
        assert lib.Vsetname(group, name.encode()) == 0
        lib.Vsetclass(group, vclass.encode())
        for tag, ref in members:
            assert lib.Vaddtagref(group, tag, ref) > 0
        for key, value in (attributes or {}).items():
            pointer = value.ctypes.data_as(ctypes.c_void_p)
            kind = TYPES[value.dtype.str[1:]]
            assert lib.Vsetattr(group, key.encode(), kind, value.size, pointer) == 0
        ref = int(lib.VQueryref(group))
        lib.Vdetach(group)
    return ref
