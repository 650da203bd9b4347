"""Checks on addresses, counts and nodes of a chunk index before anything is asked or allocated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.source.ranges import ByteBlocks, Int64s

type Bytes2D = npt.NDArray[np.uint8]

MAX_ADDRESS = 2**63 - 1


def check_extent(start: int, size: int, file_size: int | None, what: str) -> None:
    """Raise CorruptFileError unless `size` bytes at `start` lie within the file."""
    end = file_size if file_size is not None else MAX_ADDRESS
    if start < 0 or size < 0 or start + size > end:
        raise CorruptFileError(
            f"{what} of {size} bytes at {start} reaches past the end of the file"
            + (f" ({file_size} bytes); is the file truncated?" if file_size is not None else ""),
            at=start,
        )


def check_buffer(buffer: memoryview, size: int, at: int, what: str) -> None:
    """Raise CorruptFileError if an answer is shorter than the structure it must hold."""
    if len(buffer) < size:
        raise CorruptFileError(
            f"the file ends inside {what}: {len(buffer)} of {size} bytes are present", at=at
        )


def node_addresses(
    raw: npt.NDArray[np.unsignedinteger], base: int, file_size: int | None, what: str
) -> Int64s:
    """Absolute addresses of the nodes of one level, as an int64 column.

    Raises CorruptFileError if one lies outside the file (an undefined address does) or is listed
    twice, which a tree forbids.
    """
    if len(raw) == 0:
        return np.empty(0, np.int64)
    end = file_size if file_size is not None else MAX_ADDRESS
    outside = raw >= np.uint64(max(0, end - base))
    if outside.any():
        address = int(raw[int(outside.argmax())])
        raise CorruptFileError(
            f"the address {address:#x} of {what} lies outside the file", at=address
        )
    starts = raw.astype(np.int64) + base
    ordered = np.sort(starts)
    twice = ordered[1:] == ordered[:-1]
    if twice.any():
        at = int(ordered[int(twice.argmax())])
        raise CorruptFileError(f"{what} is referred to more than once", at=at)
    return starts


def check_blocks(starts: Int64s, size: int, file_size: int | None, what: str) -> None:
    """Raise CorruptFileError unless every block of `size` bytes lies within the file."""
    if len(starts) > 0:
        check_extent(int(starts.min()), size, file_size, what)
        check_extent(int(starts.max()), size, file_size, what)


def check_budget(asked: int, file_size: int | None, at: int) -> None:
    """Raise CorruptFileError if an index asks for more bytes than nodes without overlap can hold.

    Only a node cut by the end of the file is counted beyond it, and no request is longer than the
    file, so twice the file is enough for every valid index.
    """
    if file_size is not None and asked > 2 * file_size:
        raise CorruptFileError(
            f"the nodes of the chunk index overlap: {asked} bytes in a file of {file_size}", at=at
        )


def whole_nodes(starts: Int64s, size: int, file_size: int | None) -> ByteBlocks:
    """The request for nodes of `size` bytes, no longer than what the file holds after the first."""
    if file_size is not None:
        size = min(size, file_size - int(starts.min()))
    return ByteBlocks(starts, size)


def check_prefix(rows: Bytes2D, expected: bytes, starts: Int64s, what: str) -> None:
    """Raise CorruptFileError unless every block begins with `expected`: signature, version, ..."""
    wanted = np.frombuffer(expected, np.uint8)
    if rows.shape[1] < len(wanted):
        raise CorruptFileError(f"the file ends inside {what}", at=int(starts[0]))
    wrong = (rows[:, : len(wanted)] != wanted).any(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        found = rows[row, : len(wanted)].tobytes()
        raise CorruptFileError(
            f"{what} begins with {found!r}, not with {expected!r}", at=int(starts[row])
        )
