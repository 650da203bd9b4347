"""Attribute message, versions 1-3 (IV.A.2.m)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.decode_fields import padded

DATATYPE_SHARED, DATASPACE_SHARED = 1, 2
_new = tuple.__new__  # a named tuple, in a third of the time
_HEAD = struct.Struct("<BBHHH").unpack_from


class RawAttribute(NamedTuple):
    """An attribute message taken apart; a part whose flag is set holds a shared message."""

    name: str
    datatype: bytes
    dataspace: bytes
    data: bytes
    flags: int  # bit 0: the datatype is shared, bit 1: the dataspace


def decode_attribute(body: bytes) -> RawAttribute:
    """Take an attribute message apart. Hot: one call for each attribute of a file."""
    if len(body) < 8:
        raise CorruptFileError("an attribute message is cut off")
    version, flags, name_size, datatype_size, dataspace_size = _HEAD(body, 0)
    if version == 3:
        at, after_name = 9, 9 + name_size
        after_type = after_name + datatype_size
        after_space = after_type + dataspace_size
    elif version == 1:
        at, flags, after_name = 8, 0, 8 + padded(name_size)
        after_type = after_name + padded(datatype_size)
        after_space = after_type + padded(dataspace_size)
    elif version == 2:
        at, after_name = 8, 8 + name_size
        after_type = after_name + datatype_size
        after_space = after_type + dataspace_size
    else:
        raise CorruptFileError(f"attribute message version {version}")
    if after_type + dataspace_size > len(body):
        raise CorruptFileError("an attribute message is cut off")
    end = body.find(b"\0", at, after_name)
    return _new(
        RawAttribute,
        (
            body[at : after_name if end < 0 else end].decode("utf-8", "surrogateescape"),
            body[after_name : after_name + datatype_size],
            body[after_type : after_type + dataspace_size],
            body[after_space:],
            flags,
        ),
    )
