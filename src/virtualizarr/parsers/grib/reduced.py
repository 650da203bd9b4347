"""Rows of differing length, whole or cut: which points of each circle of latitude a grid has.

Of a grid that does not go round the globe ECMWF tells how many points each whole circle would have;
those between the first and the last longitude are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

type Int64s = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """The points of each row, how many its whole circle would have, and the number of the first.

    Points of a circle count from Greenwich. `circles` and `firsts` are None where the rows are not
    cut.
    """

    lengths: Int64s
    circles: Int64s | None = None
    firsts: Int64s | None = None


def is_global(parameters: Mapping[str, Any], lengths: Int64s) -> bool:
    """Say whether rows of differing length go once around the globe."""
    if not lengths.size or lengths.max() < 1:
        return False
    first = parameters["longitudeOfFirstGridPointInDegrees"]
    last = parameters["longitudeOfLastGridPointInDegrees"]
    gap = 360 - (last - first) % 360
    return bool(abs(first) < 1e-9 and gap < 1.5 * 360 / float(lengths.max()))


def rows_of(
    parameters: Mapping[str, Any], told: Int64s, points: int | None, precision: float
) -> Rows:
    """Return the rows of a grid of `points` points (None: not known) whose list says `told`.

    `precision` is that of the longitudes, in degrees. The points may be others than `points`.
    """
    if is_global(parameters, told) or points == int(told.sum()):
        return Rows(told)
    first = parameters["longitudeOfFirstGridPointInDegrees"]
    last = parameters["longitudeOfLastGridPointInDegrees"]
    if last < first:
        last += 360
    cut = Rows(told)
    for tolerance in (0.0, precision / 2, precision):
        begin = np.ceil((first - tolerance) * told / 360 - 1e-10)
        end = np.floor((last + tolerance) * told / 360 + 1e-10)
        lengths = np.clip(end - begin + 1, 0, told).astype(np.int64)
        cut = Rows(lengths, told, begin.astype(np.int64))
        if points is None or points == int(lengths.sum()):
            break
    return cut
