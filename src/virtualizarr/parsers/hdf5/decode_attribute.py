"""Attribute message, versions 1-3 (IV.A.2.m)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_fields import bounded, padded, take, text

_HEAD = struct.Struct("<BBHHH").unpack_from


class RawAttribute(NamedTuple):
    """An attribute message taken apart; a part whose flag is set holds a shared message."""

    name: str
    datatype: bytes
    dataspace: bytes
    data: bytes
    datatype_shared: bool
    dataspace_shared: bool


@bounded
def decode_attribute(body: bytes) -> RawAttribute:
    """Take an attribute message apart."""
    version, flags, name_size, datatype_size, dataspace_size = _HEAD(body, 0)
    if version == 1:
        at, step = 8, padded
        flags = 0
    elif version in (2, 3):
        at, step = version + 6, int
    else:
        raise CorruptFileError(f"attribute message version {version}")
    name = text(body[at : at + name_size].split(b"\0", 1)[0])
    at += step(name_size)
    datatype = take(body, at, datatype_size)
    at += step(datatype_size)
    dataspace = take(body, at, dataspace_size)
    at += step(dataspace_size)
    return RawAttribute(name, datatype, dataspace, body[at:], bool(flags & 1), bool(flags & 2))
