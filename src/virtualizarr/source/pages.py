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

MOST_KEPT = 16 * 1024 * 1024
"""How long a mapping may be that is kept to be used again."""

_HUGE_PAGE = 2 * 1024 * 1024
_PAGE = 4096
_MANY_ROWS = 1 << 14


_spare: list[mmap.mmap] = []


def scratch_bytes(count: int) -> npt.NDArray[np.uint8]:
    """Return `count` bytes of any content; from `LARGE` on, if the system has them, in huge pages.

    The last mapping is kept and, once nothing refers to it any more, used again: the kernel clears
    pages that it hands out, which takes as long as to fill them. Raises `MemoryError`, as numpy
    does.
    """
    if count < LARGE or not sys.platform.startswith("linux"):
        return np.empty(count, np.uint8)
    found = _used_again(count)
    if found is None:
        try:
            piece = mmap.mmap(
                -1,
                (-(-count // _HUGE_PAGE) + 1) * _HUGE_PAGE,
                flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
            )
            piece.madvise(mmap.MADV_HUGEPAGE)
        except OSError:  # no more mappings, or a kernel without huge pages
            return np.empty(count, np.uint8)
        found = _aligned(piece, count)
        found[::_PAGE] = 0  # a page that is first touched by a read of the kernel takes longer
        if len(piece) <= MOST_KEPT:
            _spare[:] = [piece]
    return found


def _used_again(count: int) -> npt.NDArray[np.uint8] | None:
    """Return `count` bytes of the mapping that was kept, if it has them and nothing refers to it.

    While one thread asks, others find none.
    """
    try:
        piece = _spare.pop()
    except IndexError:
        return None
    try:
        piece.resize(len(piece))  # which is refused while there are views of it
    except (BufferError, OSError, SystemError):
        return None
    found = _aligned(piece, count)
    _spare[:] = [piece]
    return found if len(found) == count else None


def _aligned(piece: mmap.mmap, count: int) -> npt.NDArray[np.uint8]:
    """Return the first `count` bytes of a mapping that are in huge pages; fewer if it is short."""
    whole = np.frombuffer(memoryview(piece), np.uint8)
    skip = -whole.ctypes.data % _HUGE_PAGE
    return whole[skip : skip + count]


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
