"""Answers to byte requests from bytes that are already in memory. Pure; no I/O here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.source.limits import check_blocks, check_range, check_total
from virtualizarr.source.ranges import ByteBlocks, ByteRange


def answer_from(content: memoryview, requests: Sequence[ByteRange | ByteBlocks]) -> list[Any]:
    """Answer `requests` from the whole content of a file.

    `content` is a contiguous view of bytes (format "B"). Ranges are answered by slices of it,
    without copying. Raises `CorruptFileError` for malformed or absurdly large requests.
    """
    answers: list[Any] = []
    for request in requests:
        if isinstance(request, ByteRange):
            start, stop = request
            if not 0 <= start <= stop:
                check_range(start, stop)
            answers.append(content[start:stop])
        else:
            answers.append(gather_blocks(content, request))
    return answers


def gather_blocks(content: memoryview, blocks: ByteBlocks) -> npt.NDArray[np.uint8]:
    """Copy `blocks` out of `content`, the whole file: uint8 `(n, size)`, zeros past the end.

    Raises `CorruptFileError` for malformed or absurdly large blocks.
    """
    check_blocks(blocks)
    check_total(len(blocks.starts) * blocks.size, len(content))
    return gather(np.frombuffer(content, np.uint8), blocks)


def gather(file: npt.NDArray[np.uint8], blocks: ByteBlocks) -> npt.NDArray[np.uint8]:
    """Copy `blocks` out of the bytes `file`: uint8 `(n, size)`, zeros past its end.

    Unchecked: no start may be negative, and the answer is allocated whatever its size.
    """
    if blocks.size == 0 or len(file) < blocks.size:
        return _gather_padded(file, blocks)
    last = len(file) - blocks.size
    if not len(blocks.starts) or int(blocks.starts.max()) <= last:
        return windows(file, blocks.size)[blocks.starts]
    out = np.empty((len(blocks.starts), blocks.size), np.uint8)
    crossing = blocks.starts > last
    out[~crossing] = windows(file, blocks.size)[blocks.starts[~crossing]]
    tail = ByteBlocks(blocks.starts[crossing] - (last + 1), blocks.size)
    out[crossing] = _gather_padded(file[last + 1 :], tail)
    return out


def _gather_padded(file: npt.NDArray[np.uint8], blocks: ByteBlocks) -> npt.NDArray[np.uint8]:
    """Gather from a `file` shorter than one block by giving it a block of zeros at its end."""
    padded = np.concatenate((file, np.zeros(blocks.size, np.uint8)))
    return windows(padded, blocks.size)[np.minimum(blocks.starts, len(file))]


def windows(file: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """View every run of `size` bytes of `file` as a row; indexing it copies row by row."""
    rows = np.ndarray((len(file) - size + 1, size), np.uint8, file, 0, (1, 1))
    rows.flags.writeable = False
    return rows
