"""Positioned reads of an open local file: single ranges, and blocks gathered into one array."""

from __future__ import annotations

import os
import sys

import numpy as np
import numpy.typing as npt

from virtualizarr.source.answers import windows
from virtualizarr.source.pages import LARGE, scratch_bytes
from virtualizarr.source.ranges import ByteBlocks, Int64s

SPAN = 1024 * 1024
MAX_GAP = 4096
MANY = 4
DIRECT = 8192
FEW = 16
FEW_BYTES = 64 * 1024
_PAGE = 4096


class ShrunkFileError(Exception):
    """The file ends before bytes that its size, a moment ago, promised."""


def read_range(descriptor: int, start: int, count: int) -> bytes | bytearray | memoryview:
    """Return exactly `count` bytes from `start` on, or raise `ShrunkFileError`."""
    if count >= LARGE:
        buffer = memoryview(scratch_bytes(count))
        _fill(descriptor, buffer, start)
        return buffer.toreadonly()
    return _read_small(descriptor, start, count)


def _read_small(descriptor: int, start: int, count: int) -> bytes | bytearray:
    if count <= 0:
        return b""
    data = _pread(descriptor, count, start)
    if len(data) == count:
        return data
    whole = bytearray(count)
    whole[: len(data)] = data
    filled = len(data)
    while filled < count:
        data = _pread(descriptor, count - filled, start + filled)
        if not data:
            raise ShrunkFileError
        whole[filled : filled + len(data)] = data
        filled += len(data)
    return whole


def read_blocks(descriptor: int, blocks: ByteBlocks, file_size: int) -> npt.NDArray[np.uint8]:
    """Gather `blocks` into a uint8 array `(n, size)`, with zeros past `file_size`.

    Blocks are read in the order of the file: straight into their rows where, on average, `DIRECT`
    bytes or more are contiguous; else, where at least `MANY` blocks, on average, lie within `SPAN`
    bytes with gaps of at most `MAX_GAP`, by one read for them all. At most `FEW` blocks of together
    `FEW_BYTES` are read one by one, since planning would take longer.
    """
    if len(blocks.starts) <= FEW and len(blocks.starts) * blocks.size <= FEW_BYTES:
        return _read_few(descriptor, blocks, file_size)
    out = _empty(len(blocks.starts), blocks.size, int(blocks.starts.min(initial=file_size)))
    order = np.argsort(blocks.starts, kind="stable")
    starts = blocks.starts[order]
    inside = int(np.searchsorted(starts, file_size - blocks.size, "right"))
    crossing = int(np.searchsorted(starts, file_size, "left"))
    out[order[inside:]] = 0
    for row, start in zip(
        order[inside:crossing].tolist(), starts[inside:crossing].tolist(), strict=True
    ):
        tail = read_range(descriptor, start, file_size - start)
        out[row, : len(tail)] = np.frombuffer(tail, np.uint8)
    if not inside or not blocks.size:
        return out
    starts = starts[:inside]
    bounds = _dense_runs(starts, blocks.size)
    heads = _heads(starts, order[:inside], blocks.size)
    if len(heads) * DIRECT <= inside * blocks.size:
        _read_into_rows(descriptor, starts, heads, order, out)
    elif (len(bounds) - 1) * MANY <= inside:
        _gather_runs(descriptor, starts, bounds, order, out)
    else:
        _read_singly(descriptor, starts, order, out)
    return out


def _read_few(descriptor: int, blocks: ByteBlocks, file_size: int) -> npt.NDArray[np.uint8]:
    size = blocks.size
    parts = [
        _read_small(descriptor, start, min(size, file_size - start)).ljust(size, b"\0")
        for start in blocks.starts.tolist()
    ]
    return np.frombuffer(b"".join(parts), np.uint8).reshape(len(parts), size)


def _heads(starts: Int64s, order: Int64s, size: int) -> Int64s:
    """Return where blocks begin that do not follow their neighbour in the file and in `out`."""
    apart = (np.diff(starts) != size) | (np.diff(order) != 1)
    return np.concatenate(([0], np.flatnonzero(apart) + 1))


def _empty(rows: int, size: int, start: int) -> npt.NDArray[np.uint8]:
    """Allocate `(rows, size)` bytes that lie in their memory page as `start` lies in a file's.

    Some processors copy at a third of their speed where the target lies a few bytes further into
    its page than the origin, and an array as numpy allocates it is just so.
    """
    whole = scratch_bytes(rows * size + _PAGE)
    skip = (start - whole.ctypes.data) % _PAGE
    return whole[skip : skip + rows * size].reshape(rows, size)


def _dense_runs(starts: Int64s, size: int) -> Int64s:
    """Return the bounds of runs of ascending `starts` that are worth one read each."""
    apart = np.diff(starts) > size + MAX_GAP
    apart |= np.diff(starts // SPAN) != 0
    return np.concatenate(([0], np.flatnonzero(apart) + 1, [len(starts)]))


def _gather_runs(
    descriptor: int, starts: Int64s, bounds: Int64s, order: Int64s, out: npt.NDArray[np.uint8]
) -> None:
    """Read each run into a buffer that stays in the processor's cache; copy its blocks out."""
    size = out.shape[1]
    spans = starts[bounds[1:] - 1] + size - starts[bounds[:-1]]
    buffer = _empty(1, int(spans.max()) + _PAGE, 0)[0]
    for begin, end, span in zip(
        bounds[:-1].tolist(), bounds[1:].tolist(), spans.tolist(), strict=True
    ):
        first = int(starts[begin])
        run = buffer[first % _PAGE : first % _PAGE + span]
        _fill(descriptor, memoryview(run), first)
        out[order[begin:end]] = windows(run, size)[starts[begin:end] - first]


def _read_singly(
    descriptor: int, starts: Int64s, order: Int64s, out: npt.NDArray[np.uint8]
) -> None:
    size = out.shape[1]
    step = min(max(SPAN // size, 1), 256)
    for begin in range(0, len(starts), step):
        end = min(begin + step, len(starts))
        parts = [_pread(descriptor, size, start) for start in starts[begin:end].tolist()]
        joined = b"".join(parts)
        if len(joined) != (end - begin) * size:
            joined = b"".join(
                _read_small(descriptor, start, size) for start in starts[begin:end].tolist()
            )
        out[order[begin:end]] = np.frombuffer(joined, np.uint8).reshape(-1, size)


def _read_into_rows(
    descriptor: int, starts: Int64s, heads: Int64s, order: Int64s, out: npt.NDArray[np.uint8]
) -> None:
    """Read straight into their rows what is contiguous, from each of `heads` to the next."""
    flat = memoryview(out).cast("B")
    size = out.shape[1]
    lengths = np.diff(heads, append=len(starts)) * size
    for start, at, length in zip(
        starts[heads].tolist(), (order[heads] * size).tolist(), lengths.tolist(), strict=True
    ):
        for done in range(0, length, SPAN):
            _fill(descriptor, flat[at + done : at + min(done + SPAN, length)], start + done)


def _fill(descriptor: int, buffer: memoryview, start: int) -> None:
    """Fill `buffer` with the bytes from `start` on, or raise `ShrunkFileError`."""
    if _preadv(descriptor, [buffer], start) != len(buffer):
        buffer[:] = _read_small(descriptor, start, len(buffer))


if sys.platform == "win32":

    def _pread(descriptor: int, count: int, start: int) -> bytes:
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.read(descriptor, count)

    def _preadv(descriptor: int, buffers: list[memoryview], start: int) -> int:
        """Fill nothing, so that the caller reads the bytes and copies them."""
        del descriptor, buffers, start
        return -1

else:
    _pread, _preadv = os.pread, os.preadv
