"""Times as GRIB counts them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

type Int64s = npt.NDArray[np.int64]

SECONDS = {0: 60, 1: 3600, 2: 86400, 10: 3 * 3600, 11: 6 * 3600, 12: 12 * 3600, 13: 1}
"""Units of time of code table 4.4 in seconds."""

DAYS_OF_MONTH = np.array((0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31))

MONTHS = {3: 1, 4: 12, 5: 120, 6: 360, 7: 1200}
"""Units of code table 4.4 in months."""


def instants(calendar: Int64s) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Return times in the proleptic Gregorian calendar as seconds since 1970.

    `calendar` is int64 `(n, 6)`: year, month, day, hour, minute, second. The second array, `(n,)`,
    says where there is such a time; elsewhere the first one holds what has no meaning.
    """
    year, month, day, hour, minute, second = calendar.T
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    known = (month >= 1) & (month <= 12)
    days = DAYS_OF_MONTH[np.where(known, month, 0)] + (leap & (month == 2))
    known &= (day >= 1) & (day <= days) & (hour <= 24) & (minute < 60) & (second <= 60)
    found: Int64s = (_days(year, month) + day - 1) * 86400 + hour * 3600 + minute * 60 + second
    return found, known


def no_instant(calendar: Sequence[int]) -> CorruptFileError:
    """Return the error for a time that does not exist."""
    year, month, day, hour, minute, second = calendar
    return CorruptFileError(f"there is no time {year}-{month}-{day}T{hour}:{minute}:{second}")


def _days[N: (int, Int64s)](year: N, month: N) -> N:
    """Return the days from 1970 to the first of a month (years begin in March here)."""
    from_march = (month - 3) % 12
    year = year - (month < 3)
    era = year // 400
    of_era = year - 400 * era
    of_year = (153 * from_march + 2) // 5
    days: N = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return days


def duration(count: int, unit: int, since: int) -> int:
    """Return `count` units of time in seconds; months and years count from `since`."""
    if unit in SECONDS:
        return count * SECONDS[unit]
    if unit in MONTHS:
        begin = int(np.datetime64(since, "s").astype("datetime64[M]").astype(np.int64))
        return (_first_day(begin + count * MONTHS[unit]) - _first_day(begin)) * 86400
    if count == 0:
        return 0
    raise UnsupportedFeatureError(f"unit of time {unit} (code table 4.4)")


def _first_day(months: int) -> int:
    """Return the days from 1970 to the first of a month that is so many months later."""
    return _days(1970 + months // 12, months % 12 + 1)
