"""Headers from bytes, with every number checked. No I/O."""

from __future__ import annotations

import math
import zlib
from typing import Any, Literal

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.nifti.layout import (
    DATATYPES,
    HEADERS,
    MAGIC_AT,
    PAIR,
    REFUSED,
    SINGLE,
    Header,
)

GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31
LARGEST_HEADER = 540
MAX_EXTENSIONS = 1000
MAX_LENGTH = 1 << 40
ORDERS: tuple[Literal["little"], Literal["big"]] = ("little", "big")


def plain_head(head: bytes | memoryview, wanted: int) -> bytes:
    """Return the first bytes of a file; those of the decompressed one where it is gzipped."""
    if bytes(head[:2]) != GZIP_MAGIC:
        return bytes(head[:wanted])
    try:
        return zlib.decompressobj(GZIP_WINDOW).decompress(head, wanted)
    except zlib.error:
        return b""


def form_of(head: bytes) -> tuple[int, bool] | None:
    """Return the size of the header and whether it is big-endian; None for another format."""
    for size, at in MAGIC_AT.items():
        magic = head[at : at + len(SINGLE[size])]
        if magic not in (SINGLE[size], PAIR[size]):
            continue
        for order in ORDERS:
            if int.from_bytes(head[:4], order) == size:
                return size, order == "big"
    return None


def decode_header(head: bytes) -> Header:
    """Return the header that a file begins with; CorruptFileError where it is none."""
    form = form_of(head)
    if form is None:
        raise CorruptFileError("the file does not begin with a NIfTI header", at=0)
    size, big = form
    stored = HEADERS[size].newbyteorder(">" if big else "<")
    if len(head) < size:
        raise CorruptFileError("the file ends inside its header", at=len(head))
    with np.errstate(invalid="ignore"):
        fields = np.frombuffer(head, stored, 1).astype(HEADERS[size])[0]
    at = MAGIC_AT[size]
    is_single = head[at : at + len(SINGLE[size])] == SINGLE[size]
    return Header(fields, big, is_single, _extensions(head, size, big))


def _extensions(head: bytes, start: int, big: bool) -> tuple[int, ...]:
    """Return the codes of the extensions in the bytes at hand."""
    order = ORDERS[big]
    if head[start : start + 1] in (b"", b"\0"):
        return ()
    codes: list[int] = []
    at = start + 4
    while at + 8 <= len(head) and len(codes) < MAX_EXTENSIONS:
        size, code = (int.from_bytes(head[i : i + 4], order) for i in (at, at + 4))
        if size < 16 or size % 16:
            break
        codes.append(code)
        at += size
    return tuple(codes)


def shape_of(header: Header) -> tuple[int, ...]:
    """Return the lengths of the axes, x first.

    Vectors that are too long for NIfTI-1 are as FreeSurfer stores them.
    """
    dim = header.fields["dim"].tolist()
    if not 1 <= dim[0] <= 7:
        raise CorruptFileError(f"dim[0] is {dim[0]}")
    shape = tuple(dim[1 : 1 + dim[0]])
    if shape[:3] == (-1, 1, 1) and "glmin" in (header.fields.dtype.names or ()):
        shape = (int(header.number("glmin")), *shape[1:])
    elif shape[:3] == (27307, 1, 6) and "glmin" in (header.fields.dtype.names or ()):
        shape = (163842, 1, 1, *shape[3:])
    if min(shape) < 0 or max(shape) > MAX_LENGTH:
        raise CorruptFileError(f"dim is {dim}")
    return shape


def dtype_of(header: Header) -> np.dtype[Any]:
    """Return the dtype of the stored numbers, with their byte order."""
    code = int(header.number("datatype"))
    if code in REFUSED:
        raise UnsupportedFeatureError(f"NIfTI data of type {REFUSED[code]} ({code})")
    if code not in DATATYPES:
        raise CorruptFileError(f"datatype is {code}")
    return DATATYPES[code].newbyteorder(">" if header.big_endian else "<")


def data_offset(header: Header) -> int:
    """Return where the data begin; in a single file that says 0, right behind the header."""
    offset = header.number("vox_offset")
    size = int(header.number("sizeof_hdr"))
    if not math.isfinite(offset) or not 0 <= offset <= 1 << 62:
        raise CorruptFileError(f"vox_offset is {offset}")
    if offset == 0 and header.is_single:
        return size + 4
    if header.is_single and offset < size:
        raise CorruptFileError(f"vox_offset is {offset}, within the header")
    return int(offset)


def scaling_of(header: Header) -> tuple[float, float]:
    """Return slope and intercept; 1 and 0 where the slope says that there is no scaling."""
    slope, inter = header.number("scl_slope"), header.number("scl_inter")
    if not math.isfinite(slope) or slope == 0:
        return 1.0, 0.0
    if not math.isfinite(inter):
        raise CorruptFileError(f"scl_slope is {slope}, scl_inter {inter}")
    return slope, inter
