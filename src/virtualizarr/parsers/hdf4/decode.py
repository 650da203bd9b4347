"""Decoding of elements: pure functions from bytes to the records of `layout`."""

from __future__ import annotations

import struct
from collections.abc import Buffer
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf4.layout import (
    BIG_ENDIAN_CLASSES,
    DFNT_CHAR8,
    DFNT_LITEND,
    DFNT_NATIVE,
    LITTLE_ENDIAN_CLASS,
    Key,
    Vdata,
    Vgroup,
    number_type,
)

MAX_RANK = 1000


class Fields:
    """A cursor over an element; reading past its end is a CorruptFileError that names `what`."""

    def __init__(self, data: Buffer, what: str) -> None:
        self.data = memoryview(data)
        self.what = what
        self.at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Return big-endian fields in the notation of `struct`."""
        size = struct.calcsize(f">{layout}")
        return struct.unpack(f">{layout}", self.raw(size))

    def raw(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        stop = self.at + size
        if size < 0 or stop > len(self.data):
            raise CorruptFileError(f"{self.what} has {len(self.data)} bytes, {stop} are needed")
        found = bytes(self.data[self.at : stop])
        self.at = stop
        return found

    def text(self) -> str:
        """Return a text behind its length (uint16)."""
        (size,) = self.take("H")
        return decode_text(self.raw(size))


def decode_text(raw: bytes) -> str:
    """Return a text up to its first NUL: UTF-8 where it is that, else Latin-1."""
    raw = raw.split(b"\0", 1)[0]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def decode_vgroup(data: Buffer, ref: int) -> Vgroup:
    """Decode a Vgroup (DFTAG_VG)."""
    fields = Fields(data, f"Vgroup {ref}")
    (count,) = fields.take("H")
    tags, refs = fields.take(f"{count}H"), fields.take(f"{count}H")
    name = fields.text()
    return Vgroup(name, fields.text(), tuple(zip(tags, refs, strict=True)))


def decode_vdata(data: Buffer, ref: int) -> Vdata:
    """Decode a Vdata description (DFTAG_VH)."""
    fields = Fields(data, f"Vdata header {ref}")
    _, nvert, row_bytes, count = fields.take("hiHH")
    if nvert < 0:
        raise CorruptFileError(f"Vdata {ref} has {nvert} rows")
    types, _, _, orders = (fields.take(f"{count}H") for _ in range(4))
    for _ in range(count):
        fields.text()
    name = fields.text()
    kind, order = (types[0], orders[0]) if count else (0, 0)
    return Vdata(name, fields.text(), nvert, row_bytes, kind, order, count)


def decode_attribute(vdata: Vdata, data: Buffer) -> Any:
    """Return an attribute's value: text, a numpy scalar, or an array."""
    count = vdata.nvert * vdata.field_order
    kind = vdata.field_type
    dtype = number_type(kind, little=bool(kind & (DFNT_LITEND | DFNT_NATIVE)))
    raw = memoryview(data)
    if len(raw) < count * dtype.itemsize or vdata.fields != 1:
        raise CorruptFileError(
            f"attribute {vdata.name!r} declares {count} values of {dtype} and {vdata.fields} "
            f"fields, and has {len(raw)} bytes"
        )
    if kind & 0xFFF in (3, DFNT_CHAR8):
        return decode_text(bytes(raw[:count]).rstrip(b"\0").replace(b"\0", b" "))
    values = np.frombuffer(raw, dtype, count).astype(dtype.newbyteorder("="))
    return values[0] if count == 1 else values


def decode_group(data: Buffer, ref: int) -> dict[int, int]:
    """Decode a numeric data group (DFTAG_NDG, DFTAG_SDG): the ref of each tag in it."""
    count = len(memoryview(data)) // 4
    numbers = Fields(data, f"data group {ref}").take(f"{2 * count}H")
    return dict(zip(numbers[::2], numbers[1::2], strict=True))


def decode_dimensions(data: Buffer, ref: int) -> tuple[tuple[int, ...], Key, tuple[Key, ...]]:
    """Decode a dimension record (DFTAG_SDD): shape, number type, and those of the scales."""
    fields = Fields(data, f"dimension record {ref}")
    (rank,) = fields.take("H")
    if rank > MAX_RANK:
        raise CorruptFileError(f"dimension record {ref} has {rank} dimensions")
    shape = fields.take(f"{rank}i")
    if any(length < 0 for length in shape):
        raise CorruptFileError(f"dimension record {ref} has lengths {shape}")
    types = [fields.take("HH") for _ in range(rank + 1)]
    keys: list[Key] = [(tag, found) for tag, found in types]
    return shape, keys[0], tuple(keys[1:])


def decode_number_type(data: Buffer, ref: int) -> np.dtype[Any]:
    """Decode a number type (DFTAG_NT): the dtype as it is stored."""
    _, kind, _, storage = Fields(data, f"number type {ref}").take("BBBB")
    if storage not in (*BIG_ENDIAN_CLASSES, LITTLE_ENDIAN_CLASS):
        raise UnsupportedFeatureError(
            f"numbers stored as class {storage} (VAX, Cray, Convex or Fujitsu), type {kind}"
        )
    return number_type(kind, little=storage == LITTLE_ENDIAN_CLASS)
