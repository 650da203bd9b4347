"""Fields that every HDF5 structure is made of: unsigned integers, addresses, names."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import wraps

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf5.layout import Sizes

_UNPACK: dict[int, Callable[[bytes, int], tuple[int]]] = {
    1: struct.Struct("<B").unpack_from,
    2: struct.Struct("<H").unpack_from,
    4: struct.Struct("<I").unpack_from,
    8: struct.Struct("<Q").unpack_from,
}
u16 = _UNPACK[2]
u32 = _UNPACK[4]
UNDEFINED = {size: (1 << (8 * size)) - 1 for size in (2, 4, 8)}


def unsigned(buffer: bytes, at: int, size: int) -> int:
    """Return the little-endian unsigned integer of `size` bytes; IndexError if it is cut off."""
    unpack = _UNPACK.get(size)
    if unpack is not None:
        return unpack(buffer, at)[0]
    if at + size > len(buffer):
        raise IndexError
    return int.from_bytes(buffer[at : at + size], "little")


def address(buffer: bytes, at: int, sizes: Sizes) -> int | None:
    """Return an address as an absolute file offset; None if undefined."""
    value = _UNPACK[sizes.offset](buffer, at)[0]
    return None if value == UNDEFINED[sizes.offset] else value + sizes.base


def take(buffer: bytes, at: int, size: int) -> bytes:
    """Return exactly `size` bytes; IndexError if they are not there."""
    if at + size > len(buffer):
        raise IndexError
    return buffer[at : at + size]


def terminated(buffer: bytes, at: int) -> tuple[str, int]:
    """Return the NUL-terminated name at `at` and the offset after its NUL."""
    end = buffer.find(b"\0", at)
    if end < 0:
        raise IndexError
    return text(buffer[at:end]), end + 1


def text(raw: bytes) -> str:
    """Return `raw` as text; bytes that are not UTF-8 become surrogate escapes."""
    return raw.decode("utf-8", "surrogateescape")


def padded(size: int) -> int:
    """Return `size` rounded up to a multiple of eight."""
    return (size + 7) & ~7


def encoded_size(limit: int) -> int:
    """Return the number of bytes that hold every value up to `limit`."""
    return max(1, (limit.bit_length() + 7) // 8)


def signature(buffer: bytes, expected: bytes, at: int | None = None) -> None:
    """Raise CorruptFileError unless `buffer` starts with `expected`."""
    if buffer[: len(expected)] != expected:
        raise CorruptFileError(
            f"expected signature {expected!r}, found {buffer[: len(expected)]!r}", at=at
        )


def bounded[**P, T](decode: Callable[P, T]) -> Callable[P, T]:
    """Let `decode` read past its buffer freely: that becomes a CorruptFileError."""
    what = decode.__name__.removeprefix("decode_").replace("_", " ")

    @wraps(decode)
    def decoded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return decode(*args, **kwargs)
        except (struct.error, IndexError) as cause:
            raise CorruptFileError(f"{what} is cut off: a field lies past its end") from cause

    return decoded
