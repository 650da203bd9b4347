"""NPY: one numpy array in a file.

Specification: `numpy.lib.format`, versions 1.0, 2.0 and 3.0 (NEP 1). All dtypes that Zarr can hold,
of both byte orders; structured ones become one array of records, or, where members are arrays, an
array for each member.

Not read, and refused by name: arrays of Python objects (which are pickled), and numbers of more
than eight bytes that Zarr has no data type for (`longdouble`).
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from virtualizarr.codecs.record import COPY, SWAP, Record
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.model.dtypes import data_type_of, endian_of
from virtualizarr.model.metadata import CodecJson
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.strided import RawImage, array_of, packed_strides, read_presence
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, Stat

MAGIC = b"\x93NUMPY"
LENGTHS = {1: struct.Struct("<H"), 2: struct.Struct("<I"), 3: struct.Struct("<I")}
"""By major version: how the length of the header is stored."""

FIRST_READ = 4096
MAX_HEADER = 256 * 1024
MAX_AXES = 64
VARIABLE = "data"

__all__ = ["NPYParser"]


@dataclass(frozen=True)
class NPYParser(CallableParser):
    """Reads NPY files as an array `data` with dimensions `dim_0`, `dim_1`, ...

    `dims` names the dimensions otherwise; `variable` the array. `chunk_bytes` is how large chunks
    become, None for one chunk.
    """

    variable: str = VARIABLE
    dims: tuple[str, ...] | None = None
    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "npy"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".npy",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` begins with the magic string of an NPY file."""
        del url
        return bytes(head[: len(MAGIC)]) == MAGIC

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the header: one round, two where it is longer than 4 kB.

        Raises CorruptFileError where the header is broken or the file ends before its data do.
        """
        head, facts = yield [ByteRange(0, FIRST_READ), Stat()]
        start, length = header_span(head)
        if start + length > len(head):
            (head,) = yield [ByteRange(0, start + length)]
        if len(head) < start + length:
            raise CorruptFileError("the file ends inside its header", at=len(head))
        dtype, is_fortran, shape = decode_header(bytes(head[start : start + length]), head[6])
        location = Location(url, facts.size, facts.etag, facts.last_modified)
        image = image_of(location, start + length, dtype, is_fortran, shape)
        yield from read_presence(image, url, self.variable)
        return ManifestGroup(dict(self._arrays(image, self._names(len(shape)))))

    def _names(self, ndim: int) -> tuple[str, ...]:
        if self.dims is None:
            return tuple(f"dim_{i}" for i in range(ndim))
        if len(self.dims) != ndim:
            raise UnsupportedFeatureError(f"{len(self.dims)} dims for an array of {ndim} axes")
        return self.dims

    def _arrays(
        self, image: RawImage, dims: tuple[str, ...]
    ) -> Iterator[tuple[str, ManifestArray]]:
        dtype = image.dtype
        if dtype.fields is None or not _has_arrays(dtype):
            yield self.variable, _array(image, dims, self.chunk_bytes)
            return
        for name, (member, offset, *_) in dtype.fields.items():
            base, inner = member.base, member.shape
            steps = packed_strides(
                {str(i): n for i, n in enumerate(inner)},
                [str(i) for i in range(len(inner))],
                base.itemsize,
            )
            part = RawImage(
                image.location,
                image.offset + offset,
                base,
                (*image.shape, *inner),
                (*image.strides, *steps.values().__reversed__()),
                (),
            )
            own = tuple(f"{name}_dim_{i}" for i in range(len(inner)))
            yield name, _array(part, (*dims, *own), self.chunk_bytes)


def header_span(head: bytes | memoryview) -> tuple[int, int]:
    """Return where the header's text begins, and its length."""
    if bytes(head[: len(MAGIC)]) != MAGIC:
        raise CorruptFileError("the file does not begin as NPY files do", at=0)
    if len(head) < 12:
        raise CorruptFileError("the file ends inside its header", at=len(head))
    if head[6] not in LENGTHS:
        raise UnsupportedFeatureError(f"NPY version {head[6]}.{head[7]}", at=6)
    length = LENGTHS[head[6]]
    (size,) = length.unpack_from(head, 8)
    if size > MAX_HEADER:
        raise UnsupportedFeatureError(f"a header of {size:,} bytes; at most {MAX_HEADER:,}", at=8)
    return 8 + length.size, size


def decode_header(raw: bytes, version: int) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    """Return dtype, whether the first axis varies fastest, and shape."""
    try:
        header = ast.literal_eval(raw.decode("utf-8" if version >= 3 else "latin-1").strip())
        descr, is_fortran, shape = (header[key] for key in ("descr", "fortran_order", "shape"))
        dtype = npy_format.descr_to_dtype(descr)
    except (ValueError, SyntaxError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise CorruptFileError(f"the header cannot be understood: {error}") from error
    except (RecursionError, MemoryError, OverflowError) as error:
        raise CorruptFileError("the header nests too deep, or its numbers are too large") from error
    is_shape = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not is_shape or len(shape) > MAX_AXES or not isinstance(is_fortran, bool):
        raise CorruptFileError(f"shape is {str(shape)[:60]}, fortran_order {str(is_fortran)[:20]}")
    if dtype.hasobject:
        raise UnsupportedFeatureError("an array of Python objects, which is pickled")
    if dtype.itemsize == 0:
        raise UnsupportedFeatureError(f"elements of no bytes, dtype {dtype.str}")
    return dtype, is_fortran, shape


def image_of(
    location: Location, offset: int, dtype: np.dtype[Any], is_fortran: bool, shape: tuple[int, ...]
) -> RawImage:
    """Return where the elements lie."""
    order = [str(i) for i in range(len(shape))]
    lengths = dict(zip(order, shape, strict=True))
    steps = packed_strides(lengths, order[::-1] if is_fortran else order, dtype.itemsize)
    return RawImage(location, offset, dtype, shape, tuple(steps[key] for key in order), ())


def _array(image: RawImage, dims: tuple[str, ...], chunk_bytes: int | None) -> ManifestArray:
    named = RawImage(image.location, image.offset, image.dtype, image.shape, image.strides, dims)
    decoded, codecs = _packed(image.dtype)
    return array_of(named, chunk_bytes, attributes={}, decoded=decoded, element_codecs=codecs)


def _has_arrays(dtype: np.dtype[Any]) -> bool:
    """Say whether a member, or a member of a member, is an array."""
    if dtype.fields is None:
        return dtype.subdtype is not None
    return any(_has_arrays(member[0]) for member in dtype.fields.values())


def _packed(dtype: np.dtype[Any]) -> tuple[np.dtype[Any] | None, tuple[CodecJson, ...]]:
    """Return how Zarr holds a structured dtype: without gaps, of one byte order; and the codec.

    Nothing is needed for dtypes that are stored so.
    """
    if dtype.fields is None:
        data_type_of(dtype)
        return None, ()
    packed = _without_gaps(dtype)
    data_type_of(packed)
    if packed.itemsize == dtype.itemsize and not _is_mixed(dtype):
        return None, ()
    record = Record(dtype.itemsize, tuple(_pieces(dtype, 0)))
    codec: CodecJson = {"name": record.name, "configuration": record.configuration()}
    return packed.newbyteorder("<"), (codec,)


def _is_mixed(dtype: np.dtype[Any]) -> bool:
    try:
        endian_of(dtype)
    except UnsupportedFeatureError:
        return True
    return False


def _without_gaps(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.fields is None:
        return dtype
    return np.dtype([(name, _without_gaps(member[0])) for name, member in dtype.fields.items()])


def _pieces(dtype: np.dtype[Any], start: int) -> Iterator[tuple[int, int, int, str]]:
    """Yield what an element is made of, as little-endian pieces in order."""
    for member, offset, *_ in (dtype.fields or {}).values():
        at = start + offset
        if member.fields is not None:
            yield from _pieces(member, at)
        elif member.str[0] == ">":
            width = {"c": member.itemsize // 2, "U": 4}.get(member.kind, member.itemsize)
            yield at, width, member.itemsize // width, SWAP
        else:
            yield at, 1, member.itemsize, COPY
