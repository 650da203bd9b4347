"""Datatype message, versions 1-5, all classes (IV.A.2.d)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

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
_CACHED_BODY = 1024  # bytes: longer messages are decoded anew, so that the cache stays small


def decode_datatype(body: bytes) -> Datatype:
    """Decode a datatype message's body; bytes after the datatype are ignored."""
    return _cached(body) if len(body) <= _CACHED_BODY else _decode(body)


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
    return decode(body, at + 8, size, bits, version, depth + 1)


def _order(bits: int) -> ByteOrder:
    return ByteOrder.BIG if bits & 1 else ByteOrder.LITTLE


def _bit_field(body: bytes, at: int, size: int) -> tuple[int, int]:
    offset, precision = u16(body, at)[0], u16(body, at + 2)[0]
    if offset + precision > 8 * size:
        raise CorruptFileError(f"a number of {size} bytes with bits {offset}+{precision}")
    return offset, precision


def _fixed_point(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    offset, precision = _bit_field(body, at, size)
    return FixedPoint(size, _order(bits), bool(bits & 8), offset, precision), at + 4


def _floating_point(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    offset, precision = _bit_field(body, at, size)
    orders = {0: ByteOrder.LITTLE, 1: ByteOrder.BIG, 0x41: ByteOrder.VAX}
    order = orders.get(bits & 0x41)
    if order is None:
        raise CorruptFileError(f"floating-point byte order bits {bits & 0x41:#x}")
    return (
        FloatingPoint(
            size,
            order,
            offset,
            precision,
            exponent_location=body[at + 4],
            exponent_size=body[at + 5],
            mantissa_location=body[at + 6],
            mantissa_size=body[at + 7],
            exponent_bias=u32(body, at + 8)[0],
            sign_location=bits >> 8 & 0xFF,
            normalization=bits >> 4 & 3,
        ),
        at + 12,
    )


def _time(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    return Time(size, _order(bits), u16(body, at)[0]), at + 2


def _padding(bits: int) -> Padding:
    if bits > 2:
        raise CorruptFileError(f"string padding type {bits}")
    return Padding(bits)


def _character_set(bits: int) -> CharacterSet:
    if bits > 1:
        raise CorruptFileError(f"character set {bits}")
    return CharacterSet(bits)


def _string(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    return String(size, _padding(bits & 15), _character_set(bits >> 4 & 15)), at


def _bitfield(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    offset, precision = _bit_field(body, at, size)
    return Bitfield(size, _order(bits), offset, precision), at + 4


def _opaque(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    length = bits & 0xFF
    return Opaque(size, text(take(body, at, length).split(b"\0", 1)[0])), at + length


def _name(body: bytes, at: int, version: int) -> tuple[str, int]:
    name, end = terminated(body, at)
    return name, end if version >= 3 else at + padded(end - at)


def _compound(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    members = []
    offset_size = encoded_size(size) if version >= 3 else 4
    for _ in range(bits & 0xFFFF):
        name, at = _name(body, at, version)
        offset = unsigned(body, at, offset_size)
        at += offset_size
        shape: tuple[int, ...] = ()
        if version == 1:
            rank = body[at]
            if rank > 4:
                raise CorruptFileError(f"a compound member of {rank} dimensions (at most 4)")
            shape = tuple(u32(body, at + 12 + 4 * i)[0] for i in range(rank))
            at += 28
        datatype, at = _datatype(body, at, depth)
        if shape:
            datatype = Array(datatype.size * math.prod(shape), datatype, shape)
        if offset + datatype.size > size:
            raise CorruptFileError(f"compound member {name!r} passes the end of its element")
        members.append(Member(name, offset, datatype))
    if len({member.name for member in members}) != len(members):
        raise CorruptFileError("two members of a compound have one name")
    return Compound(size, tuple(members)), at


def _reference(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    if bits & 15 > 4:
        raise CorruptFileError(f"reference type {bits & 15}")
    return Reference(size, ReferenceType(bits & 15)), at


def _enumerated(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    base, at = _datatype(body, at, depth)
    if not isinstance(base, FixedPoint) or base.size != size:
        raise CorruptFileError("an enumeration whose base is not an integer of its size")
    count = bits & 0xFFFF
    names = []
    for _ in range(count):
        name, at = _name(body, at, version)
        names.append(name)
    raw = take(body, at, count * size)
    order = "big" if base.byte_order is ByteOrder.BIG else "little"
    values = tuple(
        int.from_bytes(raw[i : i + size], order, signed=base.signed)  # type: ignore[arg-type]
        for i in range(0, count * size, size)
    )
    return Enumerated(size, base, tuple(names), values), at + count * size


def _variable_length(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    if bits & 15 > 1 or size not in (10, 12, 16):
        raise CorruptFileError(f"variable-length type {bits & 15} of {size} bytes")
    base, at = _datatype(body, at, depth)
    padding, character_set = _padding(bits >> 4 & 15), _character_set(bits >> 8 & 15)
    return VariableLength(size, base, bool(bits & 1), padding, character_set), at


def _array(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    rank = body[at]
    at += 1 if version >= 3 else 4
    shape = tuple(u32(body, at + 4 * i)[0] for i in range(rank))
    at += 4 * rank * (1 if version >= 3 else 2)
    base, at = _datatype(body, at, depth)
    if base.size * math.prod(shape) != size:
        raise CorruptFileError(f"an array datatype of {size} bytes and shape {shape}")
    return Array(size, base, shape), at


def _complex(
    body: bytes, at: int, size: int, bits: int, version: int, depth: int
) -> tuple[Datatype, int]:
    base, at = _datatype(body, at, depth)
    if 2 * base.size != size:
        raise CorruptFileError(f"a complex number of {size} bytes of parts of {base.size}")
    return Complex(size, base), at


type _Decoder = Callable[[bytes, int, int, int, int, int], tuple[Datatype, int]]
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
