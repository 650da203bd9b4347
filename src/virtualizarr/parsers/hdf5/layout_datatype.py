"""HDF5's datatypes as a datatype message describes them (specification 4.0, IV.A.2.d)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np


class ByteOrder(IntEnum):
    """Byte order of a number."""

    LITTLE = 0
    BIG = 1
    VAX = 3  # 16-bit words little-endian, most significant word first


class Padding(IntEnum):
    """How a string shorter than its room is ended."""

    NULL_TERMINATE = 0
    NULL_PAD = 1
    SPACE_PAD = 2


class CharacterSet(IntEnum):
    ASCII = 0
    UTF_8 = 1


class ReferenceType(IntEnum):
    """What a reference points to; 2-4 are the references of HDF5 1.12 and later."""

    OBJECT = 0
    REGION = 1
    OBJECT_2 = 2
    REGION_2 = 3
    ATTRIBUTE = 4


@dataclass(frozen=True, slots=True)
class Datatype:
    """Any datatype; `size` is the bytes of one stored element."""

    size: int

    def numpy_dtype(self) -> np.dtype[Any] | None:
        """Return the dtype that reads the stored bytes as they are; None if numpy has none."""
        return None

    def describe(self) -> str:
        """Return what to call the type in a message."""
        return f"{type(self).__name__} of {self.size} bytes"


@dataclass(frozen=True, slots=True)
class FixedPoint(Datatype):
    """Class 0: an integer of `bit_precision` bits, `bit_offset` bits above the lowest."""

    byte_order: ByteOrder
    signed: bool
    bit_offset: int
    bit_precision: int

    def numpy_dtype(self) -> np.dtype[Any] | None:
        if self.size not in (1, 2, 4, 8) or self.bit_offset or self.bit_precision != 8 * self.size:
            return None
        return np.dtype(f"{_PREFIX[self.byte_order]}{'i' if self.signed else 'u'}{self.size}")


@dataclass(frozen=True, slots=True)
class FloatingPoint(Datatype):
    """Class 1; `normalization`: 0 none, 1 leading bit always set, 2 leading bit implied."""

    byte_order: ByteOrder
    bit_offset: int
    bit_precision: int
    exponent_location: int
    exponent_size: int
    mantissa_location: int
    mantissa_size: int
    exponent_bias: int
    sign_location: int
    normalization: int

    def numpy_dtype(self) -> np.dtype[Any] | None:
        fields = (
            self.bit_offset,
            self.bit_precision,
            self.exponent_location,
            self.exponent_size,
            self.mantissa_location,
            self.mantissa_size,
            self.exponent_bias,
            self.sign_location,
            self.normalization,
        )
        if self.byte_order is ByteOrder.VAX or IEEE_754.get(self.size) != fields:
            return None
        return np.dtype(f"{_PREFIX[self.byte_order]}f{self.size}")


@dataclass(frozen=True, slots=True)
class Time(Datatype):
    """Class 2, which no library writes today."""

    byte_order: ByteOrder
    bit_precision: int


@dataclass(frozen=True, slots=True)
class String(Datatype):
    """Class 3: text in `size` bytes."""

    padding: Padding
    character_set: CharacterSet

    def numpy_dtype(self) -> np.dtype[Any] | None:
        return np.dtype(f"S{self.size}") if self.size <= _MOST else None


@dataclass(frozen=True, slots=True)
class Bitfield(Datatype):
    """Class 4."""

    byte_order: ByteOrder
    bit_offset: int
    bit_precision: int

    def numpy_dtype(self) -> np.dtype[Any] | None:
        if self.size not in (1, 2, 4, 8) or self.bit_offset or self.bit_precision != 8 * self.size:
            return None
        return np.dtype(f"{_PREFIX[self.byte_order]}u{self.size}")


@dataclass(frozen=True, slots=True)
class Opaque(Datatype):
    """Class 5: bytes with a tag that says what they are."""

    tag: str

    def numpy_dtype(self) -> np.dtype[Any] | None:
        return np.dtype(f"V{self.size}") if self.size <= _MOST else None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a compound; `offset` in bytes from the element's start."""

    name: str
    offset: int
    datatype: Datatype


@dataclass(frozen=True, slots=True)
class Compound(Datatype):
    """Class 6."""

    members: tuple[Member, ...]

    def numpy_dtype(self) -> np.dtype[Any] | None:
        formats = [member.datatype.numpy_dtype() for member in self.members]
        if self.size > _MOST or any(each is None for each in formats):
            return None
        return np.dtype(
            {
                "names": [member.name for member in self.members],
                "formats": [each for each in formats if each is not None],
                "offsets": [member.offset for member in self.members],
                "itemsize": self.size,
            }
        )


@dataclass(frozen=True, slots=True)
class Reference(Datatype):
    """Class 7."""

    type: ReferenceType

    def describe(self) -> str:
        return f"{self.type.name.lower()} references of {self.size} bytes"

    def numpy_dtype(self) -> np.dtype[Any] | None:
        """Return the unsigned integer of an OBJECT reference: an address relative to the base."""
        return _ADDRESSES.get(self.size) if self.type is ReferenceType.OBJECT else None


@dataclass(frozen=True, slots=True)
class Enumerated(Datatype):
    """Class 8: named values of an integer type; `values` holds one Python int for each name."""

    base: Datatype
    names: tuple[str, ...]
    values: tuple[int, ...]

    @property
    def is_boolean(self) -> bool:
        """Whether this is how h5py writes numpy's bool: FALSE = 0 and TRUE = 1 in one byte."""
        members = dict(zip(self.names, self.values, strict=True))
        return self.size == 1 and members == {"FALSE": 0, "TRUE": 1}

    def numpy_dtype(self) -> np.dtype[Any] | None:
        """Return the dtype of the stored integers."""
        return self.base.numpy_dtype()


@dataclass(frozen=True, slots=True)
class VariableLength(Datatype):
    """Class 9: a sequence of `base`, or a string, kept in a global heap.

    The stored element: length (elements), address of the heap collection, index of the object.
    """

    base: Datatype
    is_string: bool
    padding: Padding
    character_set: CharacterSet

    def descriptor_dtype(self) -> np.dtype[Any]:
        """Return the stored element's dtype: fields length, address (less the base), index."""
        return np.dtype([("length", "<u4"), ("address", f"<u{self.size - 8}"), ("index", "<u4")])


@dataclass(frozen=True, slots=True)
class Array(Datatype):
    """Class 10: a fixed-shape array of `base` in each element."""

    base: Datatype
    shape: tuple[int, ...]

    def numpy_dtype(self) -> np.dtype[Any] | None:
        base = self.base.numpy_dtype()
        return None if base is None or self.size > _MOST else np.dtype((base, self.shape))


@dataclass(frozen=True, slots=True)
class Complex(Datatype):
    """Class 11: real and imaginary part, each of `base`."""

    base: Datatype

    def numpy_dtype(self) -> np.dtype[Any] | None:
        base = self.base.numpy_dtype()
        if base is None or base.kind != "f" or base.itemsize not in (4, 8):
            return None
        return np.dtype(f"{base.byteorder}c{2 * base.itemsize}")


# IEEE 754 binary formats by size in bytes: bit offset, precision, exponent location and size,
# mantissa location and size, bias, sign location, normalization.
IEEE_754 = {
    2: (0, 16, 10, 5, 0, 10, 15, 15, 2),
    4: (0, 32, 23, 8, 0, 23, 127, 31, 2),
    8: (0, 64, 52, 11, 0, 52, 1023, 63, 2),
}
_ADDRESSES: dict[int, np.dtype[Any]] = {size: np.dtype(f"<u{size}") for size in (2, 4, 8)}
_MOST = 0x7FFFFFFF  # bytes of the largest dtype numpy can make
_PREFIX = {ByteOrder.LITTLE: "<", ByteOrder.BIG: ">"}
