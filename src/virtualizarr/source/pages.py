"""Memory for what is needed for a moment: in few, huge pages.

The kernel hands out memory page by page as it is first touched; where a page fault is dear, 200,000
rows of columns take longer so than to be filled. A mapping of our own, aligned to huge pages, costs
a fault for every 2 MB. It cannot come from the allocator, whose memory may be in small pages
already.
"""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

LARGE = 1024 * 1024
"""Bytes from which huge pages, of which the last may stay half empty, are worth it."""

_HUGE_PAGE = 2 * 1024 * 1024
_PAGE = 4096
_MANY_ROWS = 1 << 14


def scratch_bytes(count: int) -> npt.NDArray[np.uint8]:
    """Return `count` bytes; from `LARGE` on, and where the system has them, in huge pages.

    Raises `MemoryError`, as numpy does.
    """
    if count < LARGE or not sys.platform.startswith("linux"):
        return np.empty(count, np.uint8)
    try:
        piece = mmap.mmap(
            -1,
            (-(-count // _HUGE_PAGE) + 1) * _HUGE_PAGE,
            flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
        )
        piece.madvise(mmap.MADV_HUGEPAGE)
    except OSError:  # no more mappings, or a kernel without huge pages
        return np.empty(count, np.uint8)
    whole = np.frombuffer(piece, np.uint8)
    skip = -whole.ctypes.data % _HUGE_PAGE
    found = whole[skip : skip + count]
    found[::_PAGE] = 0  # a page that is first touched by a read of the kernel takes longer
    return found


def scratch_columns(rows: int, *dtypes: npt.DTypeLike) -> list[npt.NDArray[Any]]:
    """Return uninitialised columns of `rows` rows, wide ones first; many lie in one piece.

    Each of them keeps the whole piece: copy what is to stay.
    """
    kinds = [np.dtype(each) for each in dtypes]
    if rows < _MANY_ROWS:
        return [np.empty(rows, kind) for kind in kinds]
    piece = scratch_bytes(rows * sum(kind.itemsize for kind in kinds))
    columns: list[npt.NDArray[Any]] = []
    at = 0
    for kind in kinds:
        columns.append(piece[at : at + rows * kind.itemsize].view(kind))
        at += rows * kind.itemsize
    return columns
