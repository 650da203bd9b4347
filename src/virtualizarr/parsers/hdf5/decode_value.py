"""Stored elements -> values, as `layout.Attribute` describes them. Pure: heaps are given."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.hdf5.decode_fields import UNDEFINED, text
from virtualizarr.parsers.hdf5.integers import unusual_integer
from virtualizarr.parsers.hdf5.layout import Dataspace, DataspaceType, Sizes, Superblock
from virtualizarr.parsers.hdf5.layout_datatype import (
    Array,
    Bitfield,
    Compound,
    Datatype,
    FixedPoint,
    FloatingPoint,
    Padding,
    Reference,
    ReferenceType,
    String,
    VariableLength,
)

type Values = npt.NDArray[Any]
type Decoder = Callable[[bytes, HeapObjects], Any]

_LEAST_BUDGET = 1 << 24  # bytes


@dataclass(slots=True)
class HeapObjects:
    """Global heap collections read so far; `wanted` gathers those that were missed.

    `misses` counts the misses: a decoding during which it grew gave no value. `budget` is how many
    bytes may still be taken out (None: any number): many values that point to one large object
    would otherwise fill the memory.
    """

    sizes: Sizes
    budget: int | None
    collections: dict[int, dict[int, bytes] | VirtualizeError] = field(default_factory=dict)
    wanted: set[int] = field(default_factory=set)
    misses: int = 0

    @classmethod
    def of(cls, superblock: Superblock) -> HeapObjects:
        """Return the yet unread heap objects of a file."""
        end = superblock.end
        return cls(superblock.sizes, None if end is None else _LEAST_BUDGET + 4 * end)

    def spend(self, size: int) -> None:
        """Raise CorruptFileError if with `size` more bytes the budget is exceeded."""
        if self.budget is not None:
            self.budget -= size
            if self.budget < 0:
                raise CorruptFileError("variable-length values take more bytes than the file has")

    def miss(self, addresses: Iterable[int]) -> bool:
        """Say whether some collections have not been read; those are wanted then."""
        unread = {at for at in addresses if at not in self.collections}
        self.wanted |= unread
        self.misses += len(unread)
        return bool(unread)

    def object(self, address: int, index: int) -> bytes | None:
        """Return an object's bytes; `address` is absolute. None: its collection is wanted."""
        collection = self.collections.get(address)
        if collection is None:
            self.wanted.add(address)
            self.misses += 1
            return None
        if isinstance(collection, VirtualizeError):
            raise collection
        found = collection.get(index)
        if found is None:
            raise CorruptFileError(f"global heap collection has no object {index}", at=address)
        return found


def decode_value(datatype: Datatype, dataspace: Dataspace, raw: bytes, heaps: HeapObjects) -> Any:
    """Return the value of `raw`; no value if `heaps.misses` grew meanwhile."""
    if dataspace.type is DataspaceType.SCALAR:
        if len(raw) < datatype.size:
            raise CorruptFileError(f"a value of {datatype.size} bytes in {len(raw)}")
        if type(datatype) is String:
            return _string(raw[: datatype.size], datatype.padding)
        if type(datatype) is VariableLength and datatype.is_string:
            return _variable_string(raw, datatype, heaps)
        return decode_elements(datatype, 1, raw, heaps)[0]
    if dataspace.type is DataspaceType.NULL:
        return None
    count = math.prod(dataspace.shape)
    if count * datatype.size > len(raw):
        raise CorruptFileError(f"{count} elements of {datatype.size} bytes in {len(raw)}")
    values = decode_elements(datatype, count, raw, heaps)
    return values.reshape(dataspace.shape + values.shape[1:])


def decoder_of(datatype: Datatype, dataspace: Dataspace) -> Decoder:
    """Return a function of stored bytes and heaps that does what `decode_value` does.

    For numbers and fixed strings, which most attributes are, it knows beforehand how.
    """
    if dataspace.type is not DataspaceType.NULL:
        if isinstance(datatype, FixedPoint | FloatingPoint):
            dtype = datatype.numpy_dtype()
            if dtype is not None:
                return _number_decoder(dtype, dataspace)
        if type(datatype) is String and dataspace.type is DataspaceType.SCALAR:
            return _string_decoder(datatype)
    return partial(decode_value, datatype, dataspace)


def _number_decoder(dtype: np.dtype[Any], dataspace: Dataspace) -> Decoder:
    shape, count = dataspace.shape, math.prod(dataspace.shape)
    size = count * dtype.itemsize

    def decode(raw: bytes, heaps: HeapObjects) -> Any:
        del heaps
        if size > len(raw):
            raise CorruptFileError(f"{count} elements of {dtype.itemsize} bytes in {len(raw)}")
        values = np.frombuffer(raw, dtype, count)
        return values.reshape(shape) if shape else values[0]

    return decode


def _string_decoder(datatype: String) -> Decoder:
    size, padding = datatype.size, datatype.padding
    terminated = padding is Padding.NULL_TERMINATE

    def decode(raw: bytes, heaps: HeapObjects) -> str:
        del heaps
        if size > len(raw):
            raise CorruptFileError(f"a value of {size} bytes in {len(raw)}")
        if not terminated:
            return _string(raw[:size], padding)
        end = raw.find(b"\0", 0, size)
        return raw[: size if end < 0 else end].decode("utf-8", "surrogateescape")

    return decode


def decode_elements(datatype: Datatype, count: int, raw: bytes, heaps: HeapObjects) -> Values:
    """Return `count` elements, shape (count, ...), of which `raw` holds the bytes."""
    if isinstance(datatype, String):
        return _strings(datatype, count, raw)
    decode = _DECODERS.get(type(datatype))
    return _plain(datatype, count, raw) if decode is None else decode(datatype, count, raw, heaps)


def _plain(datatype: Datatype, count: int, raw: bytes) -> Values:
    dtype = datatype.numpy_dtype()
    if dtype is None and isinstance(datatype, FixedPoint | Bitfield):
        return _unusual(datatype, count, raw)
    if dtype is None:
        raise UnsupportedFeatureError(f"values of {datatype.describe()}")
    return np.frombuffer(raw, dtype, count)


def _unusual(datatype: FixedPoint | Bitfield, count: int, raw: bytes) -> Values:
    codec = unusual_integer(datatype)
    if codec is None:
        raise UnsupportedFeatureError(f"values of {datatype.describe()}")
    stored = np.frombuffer(raw, np.uint8, count * datatype.size)
    return codec.decode(stored, None).view(codec.decoded_dtype)


def _string(raw: bytes, padding: Padding) -> str:
    if padding is Padding.NULL_TERMINATE:
        return text(raw.split(b"\0", 1)[0])
    return text(raw.rstrip(b"\0" if padding is Padding.NULL_PAD else b" "))


def _strings(datatype: String, count: int, raw: bytes) -> Values:
    size, padding = datatype.size, datatype.padding
    return _objects([_string(raw[i * size : (i + 1) * size], padding) for i in range(count)])


def _objects(items: list[Any]) -> Values:
    """Return an object array of `items`, which are not looked into even if they are arrays."""
    values = np.empty(len(items), object)
    for i, item in enumerate(items):
        values[i] = item
    return values


_DESCRIPTORS = {
    size: struct.Struct(f"<I{code}I") for size, code in ((10, "H"), (12, "I"), (16, "Q"))
}


def _heap_bytes(
    datatype: VariableLength, descriptor: tuple[int, int, int], heaps: HeapObjects
) -> bytes:
    """Return the bytes of an element with this length, heap address and index."""
    length, address, index = descriptor
    if length == 0 or address == 0 or address == UNDEFINED[datatype.size - 8]:
        return b""
    found = heaps.object(address + heaps.sizes.base, index)
    if found is None:
        return b""
    size = length * datatype.base.size
    if size > len(found):
        raise CorruptFileError(
            f"a variable-length value of {length} elements of {datatype.base.size} bytes "
            f"in a heap object of {len(found)}",
            at=address + heaps.sizes.base,
        )
    heaps.spend(size)
    return found[:size]


def _variable_string(raw: bytes, datatype: VariableLength, heaps: HeapObjects) -> str:
    descriptor = _DESCRIPTORS[datatype.size].unpack_from(raw)
    return _string(_heap_bytes(datatype, descriptor, heaps), datatype.padding)


def _variable(datatype: VariableLength, count: int, raw: bytes, heaps: HeapObjects) -> Values:
    form, base = _DESCRIPTORS[datatype.size], heaps.sizes.base
    descriptors = [*form.iter_unpack(raw[: count * form.size])]
    undefined = UNDEFINED[datatype.size - 8]
    used = (at + base for length, at, _ in descriptors if length and at not in (0, undefined))
    if heaps.miss(used):
        return np.empty(count, object)
    parts = [_heap_bytes(datatype, each, heaps) for each in descriptors]
    if datatype.is_string:
        return _objects([_string(part, datatype.padding) for part in parts])
    size = datatype.base.size
    return _objects(
        [decode_elements(datatype.base, len(part) // size, part, heaps) for part in parts]
    )


def _references(datatype: Reference, count: int, raw: bytes, heaps: HeapObjects) -> Values:
    dtype = datatype.numpy_dtype()
    if datatype.type is not ReferenceType.OBJECT or dtype is None:
        raise UnsupportedFeatureError(f"values of {datatype.describe()}")
    stored = np.frombuffer(raw, dtype, count)
    if heaps.sizes.base == 0 and datatype.size == 8 and _ALL_ONES not in raw:
        return stored
    undefined = UNDEFINED[datatype.size]
    values = stored.astype(np.uint64)
    null = (stored == 0) | (stored == undefined)
    return np.where(null, np.uint64(0), values + np.uint64(heaps.sizes.base))


def _array(datatype: Array, count: int, raw: bytes, heaps: HeapObjects) -> Values:
    inner = decode_elements(datatype.base, count * math.prod(datatype.shape), raw, heaps)
    return inner.reshape(count, *datatype.shape, *inner.shape[1:])


def _compound(datatype: Compound, count: int, raw: bytes, heaps: HeapObjects) -> Values:
    numbers = all(type(member.datatype) in _NUMBERS for member in datatype.members)
    if numbers and datatype.numpy_dtype() is not None:
        return _plain(datatype, count, raw)
    table = np.frombuffer(raw, np.uint8, count * datatype.size).reshape(count, datatype.size)
    columns = []
    for member in datatype.members:
        stop = member.offset + member.datatype.size
        stored = table[:, member.offset : stop].tobytes()
        columns.append(decode_elements(member.datatype, count, stored, heaps))
    values = np.empty(
        count,
        [
            (member.name, column.dtype, column.shape[1:])
            for member, column in zip(datatype.members, columns, strict=True)
        ],
    )
    for member, column in zip(datatype.members, columns, strict=True):
        values[member.name] = column
    return values


_ALL_ONES = b"\xff" * 8
_NUMBERS = frozenset([FixedPoint, FloatingPoint])
_DECODERS: dict[type[Datatype], Callable[[Any, int, bytes, HeapObjects], Values]] = {
    VariableLength: _variable,
    Reference: _references,
    Array: _array,
    Compound: _compound,
}
