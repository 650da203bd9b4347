"""Times as GRIB counts them."""

from __future__ import annotations

from datetime import UTC, datetime

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

SECONDS = {0: 60, 1: 3600, 2: 86400, 10: 3 * 3600, 11: 6 * 3600, 12: 12 * 3600, 13: 1}
"""Units of time of code table 4.4 in seconds."""

DAYS_OF_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

MONTHS = {3: 1, 4: 12, 5: 120, 6: 360, 7: 1200}
"""Units of code table 4.4 in months."""


def instant(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Return a time, in the proleptic Gregorian calendar, as seconds since 1970.

    Raises CorruptFileError where there is no such time.
    """
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = DAYS_OF_MONTH[month - 1] + (leap and month == 2) if 1 <= month <= 12 else 0
    if not (1 <= day <= days and hour <= 24 and minute < 60 and second <= 60):
        raise CorruptFileError(f"there is no time {year}-{month}-{day}T{hour}:{minute}:{second}")
    return (_days(year, month) + day - 1) * 86400 + hour * 3600 + minute * 60 + second


def _days(year: int, month: int) -> int:
    """Return the days from 1970 to the first of a month (years begin in March here)."""
    from_march = (month - 3) % 12
    year -= month < 3
    era, of_era = divmod(year, 400)
    of_year = (153 * from_march + 2) // 5
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def duration(count: int, unit: int, since: int) -> int:
    """Return `count` units of time in seconds; months and years count from `since`."""
    if unit in SECONDS:
        return count * SECONDS[unit]
    if unit in MONTHS:
        start = datetime.fromtimestamp(since, UTC)
        year, month = divmod(start.year * 12 + start.month - 1 + count * MONTHS[unit], 12)
        return (_days(year, month + 1) - _days(start.year, start.month)) * 86400
    if count == 0:
        return 0
    raise UnsupportedFeatureError(f"unit of time {unit} (code table 4.4)")
