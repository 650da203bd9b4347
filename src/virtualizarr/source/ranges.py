"""Byte ranges: what a reading asks for, and how requests are planned. Pure; no I/O here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

type Int64s = npt.NDArray[np.int64]


class ByteRange(NamedTuple):
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, eq=False)
class ByteBlocks:
    """Many blocks of one size, as a column of starts: the nodes of an index level.

    `starts` is a 1-D int64 array of file offsets; every block holds `size` bytes. The answer is one
    uint8 array of shape `(len(starts), size)`; bytes past the end of the file are zeros.
    """

    starts: Int64s
    size: int


@dataclass(frozen=True, slots=True)
class CoalesceRule:
    """When two ranges become one request: the gap they may leave, the bytes they may span."""

    max_gap: int = 64 * 1024
    max_size: int = 16 * 1024 * 1024


def coalesce(starts: Int64s, stops: Int64s, rule: CoalesceRule) -> tuple[Int64s, Int64s, Int64s]:
    """Merge neighbouring ranges into requests.

    `starts` and `stops` are 1-D and of one length. Returns the requests' starts and stops, and for
    each wanted range the number of the request that holds it. A range larger than `rule.max_size`
    is one request of its own or the head of one; no range is ever split.
    """
    order = np.lexsort((stops, starts))
    request_starts: list[int] = []
    request_stops: list[int] = []
    holder = np.empty(len(starts), np.int64)
    holders: list[int] = []
    for start, stop in zip(starts[order].tolist(), stops[order].tolist(), strict=True):
        if request_stops:
            end = max(stop, request_stops[-1])
            near = start - request_stops[-1] <= rule.max_gap
            if near and (end - request_starts[-1] <= rule.max_size or end == request_stops[-1]):
                request_stops[-1] = end
                holders.append(len(request_starts) - 1)
                continue
        request_starts.append(start)
        request_stops.append(stop)
        holders.append(len(request_starts) - 1)
    holder[order] = holders
    return np.array(request_starts, np.int64), np.array(request_stops, np.int64), holder


def as_columns(ranges: Sequence[ByteRange]) -> tuple[Int64s, Int64s]:
    """Return the starts and the stops of `ranges` as two int64 columns."""
    table = np.array(ranges, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
