"""Datatype message, versions 1-5, all classes (IV.A.2.d)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.decode_fields import (
    bounded,
    encoded_size,
    padded,
    take,
    terminated,
    text,
    u16,
    u32,
    unsigned,
)
from virtualizarr.parsers.hdf5.layout_datatype import (
    Array,
    Bitfield,
    ByteOrder,
    CharacterSet,
    Complex,
    Compound,
    Datatype,
    Enumerated,
    FixedPoint,
    FloatingPoint,
    Member,
    Opaque,
    Padding,
    Reference,
    ReferenceType,
    String,
    Time,
    VariableLength,
)

MAX_DEPTH = 32
MAX_RANK = 32
CACHED_BODY = 1024  # bytes: longer messages are decoded anew, so that the cache stays small


class _Head(NamedTuple):
    """The eight bytes every datatype starts with, and how deep in others it is."""

    size: int
    bits: int  # Class Bit Field
    version: int
    depth: int


def decode_datatype(body: bytes) -> Datatype:
    """Decode a datatype message's body; bytes after the datatype are ignored."""
    return _cached(body) if len(body) <= CACHED_BODY else _decode(body)


@bounded
def _decode(body: bytes) -> Datatype:
    return _datatype(body, 0, 0)[0]


_cached = lru_cache(1024)(_decode)


def _datatype(body: bytes, at: int, depth: int) -> tuple[Datatype, int]:
    if depth > MAX_DEPTH:
        raise CorruptFileError(f"datatypes are nested more than {MAX_DEPTH} deep")
    kind, version = body[at] & 15, body[at] >> 4
    bits = body[at + 1] | body[at + 2] << 8 | body[at + 3] << 16
    size = u32(body, at + 4)[0]
    if not 1 <= version <= 5:
        raise CorruptFileError(f"datatype message version {version}")
    decode = _CLASSES.get(kind)
    if decode is None:
        raise UnsupportedFeatureError(f"datatype class {kind}")
    if size == 0:
        raise CorruptFileError("a datatype of zero bytes")
    return decode(body, at + 8, _Head(size, bits, version, depth + 1))


def _order(bits: int) -> ByteOrder:
    return ByteOrder.BIG if bits & 1 else ByteOrder.LITTLE


def _bit_field(body: bytes, at: int, size: int) -> tuple[int, int]:
    offset, precision = u16(body, at)[0], u16(body, at + 2)[0]
    if offset + precision > 8 * size:
        raise CorruptFileError(f"a number of {size} bytes with bits {offset}+{precision}")
    return offset, precision


def _fixed_point(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    offset, precision = _bit_field(body, at, head.size)
    return FixedPoint(head.size, _order(head.bits), bool(head.bits & 8), offset, precision), at + 4


def _floating_point(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    offset, precision = _bit_field(body, at, head.size)
    orders = {0: ByteOrder.LITTLE, 1: ByteOrder.BIG, 0x41: ByteOrder.VAX}
    order = orders.get(head.bits & 0x41)
    if order is None:
        raise CorruptFileError(f"floating-point byte order bits {head.bits & 0x41:#x}")
    return (
        FloatingPoint(
            head.size,
            order,
            offset,
            precision,
            exponent_location=body[at + 4],
            exponent_size=body[at + 5],
            mantissa_location=body[at + 6],
            mantissa_size=body[at + 7],
            exponent_bias=u32(body, at + 8)[0],
            sign_location=head.bits >> 8 & 0xFF,
            normalization=head.bits >> 4 & 3,
        ),
        at + 12,
    )


def _time(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    return Time(head.size, _order(head.bits), u16(body, at)[0]), at + 2


def _padding(bits: int) -> Padding:
    if bits > 2:
        raise CorruptFileError(f"string padding type {bits}")
    return Padding(bits)


def _character_set(bits: int) -> CharacterSet:
    if bits > 1:
        raise CorruptFileError(f"character set {bits}")
    return CharacterSet(bits)


def _string(_: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    return String(head.size, _padding(head.bits & 15), _character_set(head.bits >> 4 & 15)), at


def _bitfield(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    offset, precision = _bit_field(body, at, head.size)
    return Bitfield(head.size, _order(head.bits), offset, precision), at + 4


def _opaque(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    length = head.bits & 0xFF
    return Opaque(head.size, text(take(body, at, length).split(b"\0", 1)[0])), at + length


def _name(body: bytes, at: int, version: int) -> tuple[str, int]:
    name, end = terminated(body, at)
    return name, end if version >= 3 else at + padded(end - at)


def _compound(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    members = []
    if head.bits & 0xFFFF == 0:
        raise CorruptFileError("a compound of no member")
    offset_size = encoded_size(head.size) if head.version >= 3 else 4
    for _ in range(head.bits & 0xFFFF):
        name, at = _name(body, at, head.version)
        offset = unsigned(body, at, offset_size)
        at += offset_size
        shape: tuple[int, ...] = ()
        if head.version == 1:
            rank = body[at]
            if rank > 4:
                raise CorruptFileError(f"a compound member of {rank} dimensions (at most 4)")
            shape = tuple(u32(body, at + 12 + 4 * i)[0] for i in range(rank))
            at += 28
        datatype, at = _datatype(body, at, head.depth)
        if shape:
            datatype = Array(datatype.size * math.prod(shape), datatype, shape)
        if offset + datatype.size > head.size:
            raise CorruptFileError(f"compound member {name!r} passes the end of its element")
        members.append(Member(name, offset, datatype))
    if not all(member.name for member in members):
        raise CorruptFileError("a member of a compound has no name")
    if len({member.name for member in members}) != len(members):
        raise CorruptFileError("two members of a compound have one name")
    return Compound(head.size, tuple(members)), at


def _reference(_: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    if head.bits & 15 > 4:
        raise CorruptFileError(f"reference type {head.bits & 15}")
    return Reference(head.size, ReferenceType(head.bits & 15)), at


def _enumerated(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    base, at = _datatype(body, at, head.depth)
    if not isinstance(base, FixedPoint) or base.size != head.size:
        raise CorruptFileError("an enumeration whose base is not an integer of its head.size")
    count = head.bits & 0xFFFF
    names = []
    for _ in range(count):
        name, at = _name(body, at, head.version)
        names.append(name)
    raw = take(body, at, count * head.size)
    order: Literal["big", "little"] = "big" if base.byte_order is ByteOrder.BIG else "little"
    values = tuple(
        int.from_bytes(raw[i : i + head.size], order, signed=base.signed)
        for i in range(0, count * head.size, head.size)
    )
    return Enumerated(head.size, base, tuple(names), values), at + count * head.size


def _variable_length(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    if head.bits & 15 > 1 or head.size not in (10, 12, 16):
        raise CorruptFileError(f"variable-length type {head.bits & 15} of {head.size} bytes")
    base, at = _datatype(body, at, head.depth)
    padding, character_set = _padding(head.bits >> 4 & 15), _character_set(head.bits >> 8 & 15)
    return VariableLength(head.size, base, bool(head.bits & 1), padding, character_set), at


def _array(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    rank = body[at]
    if rank > MAX_RANK:
        raise CorruptFileError(f"an array datatype of {rank} dimensions (at most {MAX_RANK})")
    at += 1 if head.version >= 3 else 4
    shape = tuple(u32(body, at + 4 * i)[0] for i in range(rank))
    at += 4 * rank * (1 if head.version >= 3 else 2)
    base, at = _datatype(body, at, head.depth)
    if base.size * math.prod(shape) != head.size:
        raise CorruptFileError(f"an array datatype of {head.size} bytes and shape {shape}")
    if _array_rank(base) + rank > MAX_RANK:
        raise UnsupportedFeatureError(f"nested array datatypes of more than {MAX_RANK} dimensions")
    return Array(head.size, base, shape), at


def _array_rank(datatype: Datatype) -> int:
    return len(datatype.shape) + _array_rank(datatype.base) if isinstance(datatype, Array) else 0


def _complex(body: bytes, at: int, head: _Head) -> tuple[Datatype, int]:
    base, at = _datatype(body, at, head.depth)
    if 2 * base.size != head.size:
        raise CorruptFileError(f"a complex number of {head.size} bytes of parts of {base.size}")
    return Complex(head.size, base), at


type _Decoder = Callable[[bytes, int, _Head], tuple[Datatype, int]]
_CLASSES: dict[int, _Decoder] = {
    0: _fixed_point,
    1: _floating_point,
    2: _time,
    3: _string,
    4: _bitfield,
    5: _opaque,
    6: _compound,
    7: _reference,
    8: _enumerated,
    9: _variable_length,
    10: _array,
    11: _complex,
}
