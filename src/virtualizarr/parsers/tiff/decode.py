"""Bytes -> header, entries and values (TIFF 6.0, section 2; BigTIFF). Pure."""

from __future__ import annotations

import struct

import numpy as np

from virtualizarr.errors import CorruptFileError, UnknownFormatError
from virtualizarr.parsers.tiff.layout import (
    BIG_VERSION,
    CLASSIC_VERSION,
    RATIONALS,
    TYPES,
    WANTED,
    Entries,
    Field,
    Header,
    Values,
)

HEADER_SIZE = 16
BYTE_ORDERS = {b"II": "<", b"MM": ">"}
SIZES = {number: np.dtype(code).itemsize for number, code in TYPES.items()}
SIZES |= dict.fromkeys(RATIONALS, 8)

DTYPES = {
    (endian, number): (np.dtype(endian + code), np.dtype(code))
    for endian in BYTE_ORDERS.values()
    for number, code in TYPES.items()
}
"""How numbers of a type are stored, and how they are kept."""


def is_tiff(head: bytes | memoryview) -> bool:
    """Say whether `head` begins with the header of a TIFF or BigTIFF file."""
    start = bytes(head[:8])
    endian = BYTE_ORDERS.get(start[:2])
    if endian is None or len(start) < 8:
        return False
    version, offset_size, zero = struct.unpack_from(f"{endian}HHH", start, 2)
    return version == CLASSIC_VERSION or (version, offset_size, zero) == (BIG_VERSION, 8, 0)


def decode_header(data: memoryview) -> Header:
    """Decode the image file header; UnknownFormatError where it is that of another format."""
    if not is_tiff(data):
        raise UnknownFormatError(f"no TIFF file: it begins with {bytes(data[:8]).hex(' ')}", at=0)
    endian = BYTE_ORDERS[bytes(data[:2])]
    (version,) = struct.unpack_from(f"{endian}H", data, 2)
    if version == CLASSIC_VERSION:
        return Header(endian, is_big=False, first=struct.unpack_from(f"{endian}I", data, 4)[0])
    if len(data) < HEADER_SIZE:
        raise CorruptFileError("the file ends inside its header", at=len(data))
    return Header(endian, is_big=True, first=struct.unpack_from(f"{endian}Q", data, 8)[0])


def ifd_size(header: Header, data: memoryview) -> int | None:
    """Return the bytes of an IFD that begins with `data`; None where `data` is too short to say.

    The last of them are the offset of the next IFD, which a file may lack at its very end.
    """
    if len(data) < header.count_size:
        return None
    (count,) = struct.unpack_from(f"{header.endian}{'Q' if header.is_big else 'H'}", data)
    return int(header.count_size + count * header.entry_size + header.offset_size)


def decode_entries(header: Header, data: memoryview, at: int) -> Entries:
    """Decode the IFD at offset `at`, of which `data` holds all and maybe what follows it.

    A later field of a tag that was there before is passed over, as libtiff does. So are fields of
    types that the specification does not know, unless the tag is one that is needed.
    """
    size = ifd_size(header, data)
    assert size is not None
    offset_code = "Q" if header.is_big else "I"
    record = struct.Struct(f"{header.endian}HH{offset_code}{header.offset_size}s")
    body = data[header.count_size : size - header.offset_size]
    fields: dict[int, Field] = {}
    inline: dict[int, memoryview] = {}
    place = struct.Struct(header.endian + offset_code)
    value_at = at + header.count_size + record.size - header.offset_size
    for i, (tag, kind, count, value) in enumerate(record.iter_unpack(body)):
        if tag not in WANTED or tag in fields or kind not in SIZES:
            continue
        nbytes = count * SIZES[kind]
        where = value_at + i * record.size
        if nbytes > header.offset_size:
            (where,) = place.unpack(value)
        fields[tag] = Field(tag, kind, count, where, nbytes)
        start = where - at
        if nbytes <= header.offset_size or 0 <= start <= len(data) - nbytes:
            inline[tag] = data[start : start + nbytes]
    last = bytes(data[size - header.offset_size : size])
    (following,) = place.unpack(last) if len(last) == header.offset_size else (0,)
    return Entries(at, size, fields, inline, following)


def decode_values(header: Header, field: Field, data: memoryview) -> Values:
    """Decode the values of a field: a 1-D array in native byte order; rationals as float64."""
    if len(data) < field.nbytes:
        raise CorruptFileError(
            f"the file ends inside the values of tag {field.tag}", at=field.at + len(data)
        )
    stored, native = DTYPES[header.endian, field.type]
    values = np.frombuffer(data, stored, field.nbytes // stored.itemsize)
    if stored != native:
        values = values.astype(native)
    if field.type not in RATIONALS:
        return values
    pairs = values.reshape(-1, 2).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(pairs[:, 0] / pairs[:, 1])
