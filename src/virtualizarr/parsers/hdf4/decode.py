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
    HAS_ATTRIBUTES,
    LITTLE_ENDIAN_CLASS,
    VSET_NEW_VERSION,
    Key,
    Vdata,
    VdataField,
    Vgroup,
    number_type,
)

MAX_RANK = 1000
CHARACTERS = (3, DFNT_CHAR8)
VERSION_BEFORE_END = 5


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
    name, vclass = fields.text(), fields.text()
    members = tuple(zip(tags, refs, strict=True))
    attributes: tuple[int, ...] = ()
    if _new_vgroup(fields):
        fields.take("HH")
        (flags,) = fields.take("I")
        (count,) = fields.take("i") if flags & HAS_ATTRIBUTES else (0,)
        attributes = tuple(fields.take("HH")[1] for _ in range(_bounded(fields, count, 4)))
    return Vgroup(name, vclass, members, attributes)


def decode_vdata(data: Buffer, ref: int) -> Vdata:
    """Decode a Vdata description (DFTAG_VH)."""
    fields = Fields(data, f"Vdata header {ref}")
    interlace, nvert, row_bytes, count = fields.take("hiHH")
    if nvert < 0:
        raise CorruptFileError(f"Vdata {ref} has {nvert} rows")
    kinds, sizes, offsets, orders = (fields.take(f"{count}H") for _ in range(4))
    names = [fields.text() for _ in range(count)]
    name, vclass = fields.text(), fields.text()
    found = tuple(map(VdataField, names, kinds, orders, sizes, offsets))
    attributes: tuple[tuple[int, int], ...] = ()
    if _new_vdata(fields):
        (flags,) = fields.take("I")
        (count,) = fields.take("i") if flags & HAS_ATTRIBUTES else (0,)
        numbers = [fields.take("iHH") for _ in range(_bounded(fields, count, 8))]
        attributes = tuple((field, own) for field, _, own in numbers)
    return Vdata(name, vclass, nvert, row_bytes, interlace, found, attributes)


def _new_vgroup(fields: Fields) -> bool:
    """Say whether flags follow extag and exref: the version is 5 bytes before the end."""
    version = int.from_bytes(fields.data[-VERSION_BEFORE_END:][:2], "big")
    return version == VSET_NEW_VERSION and len(fields.data) - fields.at > 8 + VERSION_BEFORE_END


def _new_vdata(fields: Fields) -> bool:
    """Say whether flags follow extag, exref, version and more; older files may end before."""
    if len(fields.data) - fields.at < 12:
        return False
    _, _, version, _ = fields.take("HHHH")
    return bool(version == VSET_NEW_VERSION)


def _bounded(fields: Fields, count: int, size: int) -> int:
    if not 0 <= count <= (len(fields.data) - fields.at) // size:
        raise CorruptFileError(f"{fields.what} declares {count} attributes")
    return count


def decode_attribute(vdata: Vdata, data: Buffer) -> Any:
    """Return an attribute's value: text, a numpy scalar, or an array."""
    raw = memoryview(data)
    if len(vdata.fields) != 1:
        raise CorruptFileError(f"attribute {vdata.name!r} has {len(vdata.fields)} fields")
    (field,) = vdata.fields
    count = vdata.nvert * field.order
    dtype = field_dtype(field.kind)
    if len(raw) < count * dtype.itemsize:
        raise CorruptFileError(
            f"attribute {vdata.name!r} declares {count} values of {dtype}, and has {len(raw)} bytes"
        )
    if field.kind & 0xFFF in CHARACTERS:
        return decode_text(bytes(raw[:count]).rstrip(b"\0").replace(b"\0", b" "))
    values = np.frombuffer(raw, dtype, count).astype(dtype.newbyteorder("="))
    return values[0] if count == 1 else values


def field_dtype(kind: int) -> np.dtype[Any]:
    """Return the dtype in which a field of a Vdata is stored."""
    return number_type(kind, little=bool(kind & (DFNT_LITEND | DFNT_NATIVE)))


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
