"""Decoding the header: bytes in, structures out. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnknownFormatError
from virtualizarr.parsers.naming import addressable
from virtualizarr.parsers.netcdf3.layout import (
    CLASSIC_TYPES,
    EXTERNAL_TYPES,
    NC_CHAR,
    STREAMING,
    Attributes,
    Dim,
    Header,
    Tag,
    Var,
    Version,
)

MAGIC = b"CDF"
INT32, UINT32, INT64 = Struct(">i"), Struct(">I"), Struct(">q")


class ShortBufferError(Exception):
    """The buffer ends before the header does; more bytes are needed."""


@dataclass(slots=True)
class Cursor:
    """A position in the header; reading past the buffer's end raises `ShortBufferError`."""

    buffer: memoryview
    count_format: Struct
    offset_format: Struct
    classic: bool
    at: int

    def take_padded(self, size: int) -> memoryview:
        """Return the next `size` bytes and step over what fills up their last four-byte word."""
        start = self.at
        self.at = start + size + -size % 4
        if self.at > len(self.buffer):
            raise ShortBufferError
        return self.buffer[start : start + size]

    def number(self, form: Struct) -> int:
        at = self.at
        self.at = at + form.size
        if self.at > len(self.buffer):
            raise ShortBufferError
        value: int = form.unpack_from(self.buffer, at)[0]
        return value

    def count(self) -> int:
        """Return a NON_NEG or a number of elements."""
        form = self.count_format
        at = self.at
        self.at = at + form.size
        if self.at > len(self.buffer):
            raise ShortBufferError
        value: int = form.unpack_from(self.buffer, at)[0]
        if value < 0:
            raise CorruptFileError(f"a count in the header is negative: {value:#x}", at=at)
        return value


type Decoding[T] = Generator[None, memoryview, T]
"""What yields wherever the buffer is too short, is sent a longer one, and goes on from there."""


def decoding_header(buffer: memoryview) -> Decoding[Header]:
    """Decode the header at the start of `buffer`, or of the longer ones that are sent.

    Raises `UnknownFormatError` for another format, `CorruptFileError` with the byte offset for a
    broken header.
    """
    while len(buffer) < 4:
        buffer = yield
    cursor = _open_header(buffer)
    at = cursor.at
    numrecs = yield from _resumed(cursor, lambda: cursor.number(cursor.count_format))
    if numrecs < STREAMING:
        raise CorruptFileError(f"the number of records is negative: {numrecs}", at=at)
    dims = yield from _resumed(cursor, lambda: _decode_dims(cursor))
    gatts = yield from _resumed(cursor, lambda: _decode_attributes(cursor))
    variables = yield from _decode_vars(cursor, dims)
    return Header(
        version=Version(buffer[3]),
        numrecs=None if numrecs == STREAMING else numrecs,
        dims=dims,
        gatts=gatts,
        vars=variables,
        end=cursor.at,
    )


def _resumed[T](cursor: Cursor, decode: Callable[[], T]) -> Decoding[T]:
    """Decode one part of the header, again from its start where the buffer ends inside it."""
    at = cursor.at
    while True:
        try:
            return decode()
        except ShortBufferError:
            cursor.at = at
            cursor.buffer = yield


def is_magic(head: bytes | memoryview) -> bool:
    """Say whether a file that starts with `head` is netCDF classic, of a known version."""
    return len(head) >= 4 and head[:3] == MAGIC and head[3] in tuple(Version)


def _open_header(buffer: memoryview) -> Cursor:
    if not is_magic(buffer):
        found = bytes(buffer[:4])
        if found[:3] == MAGIC:
            raise UnknownFormatError(f"netCDF classic of version {found[3]}, which does not exist")
        raise UnknownFormatError(f"not a netCDF classic file: it starts with {found!r}")
    data_64, classic = buffer[3] == Version.DATA_64, buffer[3] == Version.CLASSIC
    return Cursor(
        buffer, INT64 if data_64 else INT32, UINT32 if classic else INT64, not data_64, at=4
    )


def _decode_list(cursor: Cursor, expected: Tag) -> int:
    """Step over the opening of a list and return its number of elements."""
    at = cursor.at
    tag, nelems = cursor.number(INT32), cursor.count()
    if tag == Tag.ABSENT and nelems == 0:
        return 0
    if tag != expected:
        raise CorruptFileError(
            f"the header should list {expected.name.lower()}s here (tag {expected.value:#x}), "
            f"found tag {tag:#x} with {nelems} elements",
            at=at,
        )
    return nelems


def _decode_name(cursor: Cursor) -> str:
    at = cursor.at
    try:
        return _checked_name(bytes(cursor.take_padded(cursor.count())))
    except ValueError as error:
        raise CorruptFileError(str(error), at=at) from error


@lru_cache(maxsize=1024)
def _checked_name(raw: bytes) -> str:
    """Return a name; raises ValueError for what cannot be one.

    Writers may count zeros that pad it, which the netCDF library reads as the end of a string.
    """
    name = _decoded(raw).rstrip("\0")
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise ValueError(f"{name[:100]!r} cannot be a name")
    return name


def _decode_type(cursor: Cursor) -> int:
    at = cursor.at
    nc_type = cursor.number(INT32)
    if nc_type not in (CLASSIC_TYPES if cursor.classic else EXTERNAL_TYPES):
        raise CorruptFileError(f"{nc_type} is not an nc_type of this version of the format", at=at)
    return nc_type


def _decode_dims(cursor: Cursor) -> tuple[Dim, ...]:
    at = cursor.at
    nelems = _decode_list(cursor, Tag.DIMENSION)
    dims = tuple([Dim(addressable(_decode_name(cursor)), cursor.count()) for _ in range(nelems)])
    if sum(dim.dim_length == 0 for dim in dims) > 1:
        raise CorruptFileError("more than one dimension is unlimited", at=at)
    if len({dim.name for dim in dims}) < len(dims):
        raise CorruptFileError("two dimensions have one name", at=at)
    return dims


def _decode_attributes(cursor: Cursor) -> Attributes:
    attributes: Attributes = {}
    for _ in range(_decode_list(cursor, Tag.ATTRIBUTE)):
        at = cursor.at
        name = _decode_name(cursor)
        if name in attributes:
            raise CorruptFileError(f"two attributes are named {name!r}", at=at)
        attributes[name] = _decode_values(cursor)
    return attributes


def _decode_values(cursor: Cursor) -> Any:
    """Return an attribute's value: text, a numpy scalar, or for other counts a 1-D array."""
    nc_type = _decode_type(cursor)
    nelems = cursor.count()
    dtype = EXTERNAL_TYPES[nc_type]
    raw = cursor.take_padded(nelems * dtype.itemsize)
    if nc_type == NC_CHAR:
        return _text(bytes(raw))
    values = np.frombuffer(raw, dtype)
    return values[0] if nelems == 1 else values.astype(dtype.newbyteorder("="))


def _text(raw: bytes) -> str:
    """Return text without the NULs that C programs leave in it."""
    return _decoded(raw).replace("\0", "")


def _decoded(raw: bytes) -> str:
    """Return UTF-8, else Latin-1, in which programs that know no UTF-8 write names and texts."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _decode_vars(cursor: Cursor, dims: tuple[Dim, ...]) -> Decoding[tuple[Var, ...]]:
    at = cursor.at
    nelems = yield from _resumed(cursor, lambda: _decode_list(cursor, Tag.VARIABLE))
    variables: list[Var] = []
    start = cursor.at
    while len(variables) < nelems:
        try:
            variables.append(_decode_var(cursor, dims))
            start = cursor.at
        except ShortBufferError:
            cursor.at = start
            cursor.buffer = yield
    if len({var.name for var in variables}) < len(variables):
        raise CorruptFileError("two variables have one name", at=at)
    return tuple(variables)


def _decode_var(cursor: Cursor, dims: tuple[Dim, ...]) -> Var:
    at = cursor.at
    name = addressable(_decode_name(cursor))
    try:
        dimids = _decode_dimids(cursor, dims)
        vatts = _decode_attributes(cursor)
        nc_type = _decode_type(cursor)
        cursor.number(cursor.count_format)
        begin_at = cursor.at
        begin = cursor.number(cursor.offset_format)
        if begin < 0:
            raise CorruptFileError(f"the variable begins at byte {begin}", at=begin_at)
        return Var(name, dimids, vatts, nc_type, begin, at)
    except CorruptFileError as error:
        raise error.located(node=name) from None


def _decode_dimids(cursor: Cursor, dims: tuple[Dim, ...]) -> tuple[int, ...]:
    at = cursor.at
    rank = cursor.count()
    form = cursor.count_format
    start = cursor.at
    cursor.at = start + rank * form.size
    if cursor.at > len(cursor.buffer):
        raise ShortBufferError
    found = tuple([dimid for (dimid,) in form.iter_unpack(cursor.buffer[start : cursor.at])])
    for dimid in found:
        if not 0 <= dimid < len(dims):
            raise CorruptFileError(
                f"a dimension id is {dimid}; there are {len(dims)} dimensions", at=at
            )
    if any(dims[dimid].dim_length == 0 for dimid in found[1:]):
        raise CorruptFileError("the record dimension is not the variable's first", at=at)
    return found
