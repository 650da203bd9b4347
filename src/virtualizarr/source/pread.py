"""Positioned reads of an open local file: single ranges, and blocks gathered into one array."""

from __future__ import annotations

import os
import sys

import numpy as np
import numpy.typing as npt

from virtualizarr.source.answers import windows
from virtualizarr.source.ranges import ByteBlocks, Int64s

SPAN = 256 * 1024
MAX_GAP = 4096
MANY = 4
SMALL = 512


class ShrunkFileError(Exception):
    """The file ends before bytes that its size, a moment ago, promised."""


def read_range(descriptor: int, start: int, count: int) -> bytes | bytearray:
    """Return exactly `count` bytes from `start` on, or raise `ShrunkFileError`."""
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

    Blocks are read in the order of the file; where at least `MANY` of them, on average, lie within
    `SPAN` bytes with gaps of at most `MAX_GAP`, they share one read.
    """
    out = np.empty((len(blocks.starts), blocks.size), np.uint8)
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
    if (len(bounds) - 1) * MANY <= inside:
        _read_runs(descriptor, starts, bounds, order, out)
    else:
        _read_singly(descriptor, starts, order, out)
    return out


def _dense_runs(starts: Int64s, size: int) -> Int64s:
    """Return the bounds of runs of ascending `starts` that are worth one read each."""
    apart = np.diff(starts) > size + MAX_GAP
    apart |= np.diff(starts // SPAN) != 0
    return np.concatenate(([0], np.flatnonzero(apart) + 1, [len(starts)]))


def _read_runs(
    descriptor: int, starts: Int64s, bounds: Int64s, order: Int64s, out: npt.NDArray[np.uint8]
) -> None:
    """Read each run into a buffer that stays in the processor's cache, and copy its blocks out.

    Reading straight into `out` takes twice as long: the kernel writes slowly outside the cache.
    """
    size = out.shape[1]
    spans = starts[bounds[1:] - 1] + size - starts[bounds[:-1]]
    buffer = np.empty(int(spans.max()), np.uint8)
    for begin, end, span in zip(
        bounds[:-1].tolist(), bounds[1:].tolist(), spans.tolist(), strict=True
    ):
        first = int(starts[begin])
        _read_into(descriptor, memoryview(buffer)[:span], first)
        _copy_blocks(buffer, starts[begin:end] - first, order[begin:end], out)


def _copy_blocks(
    buffer: npt.NDArray[np.uint8], places: Int64s, rows: Int64s, out: npt.NDArray[np.uint8]
) -> None:
    """Copy the blocks at `places` of `buffer` to `rows` of `out`.

    At once if they are equally spaced, else one by one, unless they are so small that numpy's
    gathering, which moves bytes slowly, is the faster way.
    """
    size, count = out.shape[1], len(rows)
    steps = places[1:] - places[:-1]
    step = int(steps[0]) if count > 1 else size
    if bool((steps == step).all()) and bool((rows[1:] - rows[:-1] == 1).all()):
        first = int(rows[0])
        out[first : first + count] = np.lib.stride_tricks.as_strided(
            buffer, (count, size), (step, 1)
        )
    elif size < SMALL:
        out[rows] = windows(buffer, size)[places]
    else:
        source, target = memoryview(buffer), memoryview(out).cast("B")
        for at, place in zip((rows * size).tolist(), places.tolist(), strict=True):
            target[at : at + size] = source[place : place + size]


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
                read_range(descriptor, start, size) for start in starts[begin:end].tolist()
            )
        out[order[begin:end]] = np.frombuffer(joined, np.uint8).reshape(-1, size)


def _read_into(descriptor: int, buffer: memoryview, start: int) -> None:
    """Fill `buffer` with the bytes from `start` on, or raise `ShrunkFileError`."""
    if _preadv(descriptor, [buffer], start) != len(buffer):
        buffer[:] = read_range(descriptor, start, len(buffer))


if sys.platform == "win32":

    def _pread(descriptor: int, count: int, start: int) -> bytes:
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.read(descriptor, count)

    def _preadv(descriptor: int, buffers: list[memoryview], start: int) -> int:
        os.lseek(descriptor, start, os.SEEK_SET)
        data = os.read(descriptor, len(buffers[0]))
        buffers[0][: len(data)] = data
        return len(data)

else:
    _pread, _preadv = os.pread, os.preadv
