"""Limits on what one round may ask for, so that a corrupt index cannot allocate without bound.

A parser checks what it reads, but the last guard stands where memory is taken: no file holds more
bytes than its size, and honest readings overlap only a little. Pure; no I/O here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from virtualizarr.errors import CorruptFileError
from virtualizarr.source.ranges import ByteBlocks, ByteRange

OVERLAP = 16
ALLOWANCE = 64 * 1024 * 1024


def check_range(start: int, stop: int) -> None:
    """Refuse a range that lies before the file or ends before it starts, as `CorruptFileError`."""
    if not 0 <= start <= stop:
        raise CorruptFileError(
            f"an offset in the file is out of bounds: bytes {start} to {stop} were asked for",
            at=int(start),
        )


def check_blocks(blocks: ByteBlocks) -> None:
    """Refuse blocks of a negative size or before the file, as `CorruptFileError`."""
    if blocks.size < 0:
        raise CorruptFileError(f"blocks of {blocks.size} bytes were asked for")
    if len(blocks.starts) and (lowest := int(blocks.starts.min())) < 0:
        raise CorruptFileError(f"an offset in the file is negative: {lowest}", at=lowest)


def check_requests(requests: Sequence[ByteRange | ByteBlocks], size: int | None) -> None:
    """Refuse requests that are malformed or, together, far larger than the file.

    `size` is the file's size in bytes, None where it is unknown; then only the form is checked.
    Raises `CorruptFileError`.
    """
    total = 0
    for request in requests:
        match request:
            case ByteRange():
                start, stop = request
                check_range(start, stop)
                total += stop - start if size is None else max(0, min(stop, size) - start)
            case ByteBlocks():
                check_blocks(request)
                total += len(request.starts) * request.size
            case _:
                assert_never(request)
    if size is not None:
        check_total(total, size)


def check_total(total: int, size: int) -> None:
    """Refuse `total` bytes in one round where a file of `size` bytes cannot honestly need them."""
    if total > OVERLAP * size + ALLOWANCE:
        raise CorruptFileError(
            f"an index asks for {total:,} bytes at once, more than the file of {size:,} bytes holds"
        )
