"""The checksum of HDF5's newer metadata: Bob Jenkins' lookup3, `hashlittle` with initial value 0.

One block costs about 0.1 us a byte in pure Python, so many blocks are hashed side by side in numpy.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError

type Words = npt.NDArray[np.uint32]

_MASK = 0xFFFFFFFF
_INITIAL = 0xDEADBEEF
_FEW = 12  # blocks: up to so many, one after the other is faster


def check_lookup3(buffer: bytes, what: str, at: int | None) -> None:
    """Raise CorruptFileError unless the last four bytes are the checksum of those before."""
    stored = int.from_bytes(buffer[-4:], "little")
    computed = lookup3(buffer[:-4])
    if stored != computed:
        raise CorruptFileError(
            f"checksum of {what} is {stored:#010x}, its bytes give {computed:#010x}", at=at
        )


def lookup3(data: bytes) -> int:
    """Return the hash of `data`."""
    a = b = c = (_INITIAL + len(data)) & _MASK
    if not data:
        return c
    whole = (len(data) - 1) // 12
    words = struct.unpack_from(f"<{3 * whole}I", data)
    for i in range(0, 3 * whole, 3):
        a, b, c = a + words[i] & _MASK, b + words[i + 1] & _MASK, c + words[i + 2] & _MASK
        a = (a - c & _MASK) ^ ((c << 4 | c >> 28) & _MASK)
        c = c + b & _MASK
        b = (b - a & _MASK) ^ ((a << 6 | a >> 26) & _MASK)
        a = a + c & _MASK
        c = (c - b & _MASK) ^ ((b << 8 | b >> 24) & _MASK)
        b = b + a & _MASK
        a = (a - c & _MASK) ^ ((c << 16 | c >> 16) & _MASK)
        c = c + b & _MASK
        b = (b - a & _MASK) ^ ((a << 19 | a >> 13) & _MASK)
        a = a + c & _MASK
        c = (c - b & _MASK) ^ ((b << 4 | b >> 28) & _MASK)
        b = b + a & _MASK
    last = struct.unpack("<3I", data[12 * whole :].ljust(12, b"\0"))
    a, b, c = a + last[0] & _MASK, b + last[1] & _MASK, c + last[2] & _MASK
    for of, by in _FINAL:
        if of == 0:
            a = (a ^ c) - ((c << by | c >> 32 - by) & _MASK) & _MASK
        elif of == 1:
            b = (b ^ a) - ((a << by | a >> 32 - by) & _MASK) & _MASK
        else:
            c = (c ^ b) - ((b << by | b >> 32 - by) & _MASK) & _MASK
    return c


def lookup3_all(blocks: Sequence[bytes]) -> list[int]:
    """Return the hash of each block; none may be empty."""
    if len(blocks) <= _FEW:
        return [lookup3(block) for block in blocks]
    order = sorted(range(len(blocks)), key=lambda i: -len(blocks[i]))
    sizes = np.array([len(blocks[i]) for i in order])
    whole = (sizes - 1) // 12
    joined = b"".join(
        blocks[i].ljust(12 * (n + 1), b"\0") for i, n in zip(order, whole, strict=True)
    )
    words = np.frombuffer(joined, "<u4").astype(np.uint32).reshape(-1, 3)
    starts = np.cumsum(whole + 1) - (whole + 1)
    a = (sizes + _INITIAL).astype(np.uint32)
    state = [a, a.copy(), a.copy()]
    for i in range(int(whole[0])):
        longer = int(np.searchsorted(-whole, -i))  # the blocks that still have 12 bytes for this
        _mix([part[:longer] for part in state], words[starts[:longer] + i])
    last = words[starts + whole]
    for part, column in zip(state, last.T, strict=True):
        part += column
    for of, by in _FINAL:
        part, source = state[of], state[of - 1]
        part ^= source
        part -= _rotated(source, by)
    hashes = np.empty(len(blocks), np.uint32)
    hashes[order] = state[2]
    return [int(each) for each in hashes.tolist()]


def _mix(state: list[Words], words: Words) -> None:
    """Mix 12 bytes of each block into its state, in place."""
    for part, column in zip(state, words.T, strict=True):
        part += column
    for step, by in enumerate((4, 6, 8, 16, 19, 4)):
        first, second, third = (state[(step + i) % 3] for i in (0, 1, 2))
        first -= third
        first ^= _rotated(third, by)
        third += second


def _rotated(words: Words, by: int) -> Words:
    return words << np.uint32(by) | words >> np.uint32(32 - by)


# The last mixing: which of a, b, c changes, by its predecessor rotated so far.
_FINAL = ((2, 14), (0, 11), (1, 25), (2, 16), (0, 4), (1, 14), (2, 24))
