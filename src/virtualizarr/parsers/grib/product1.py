"""The product definition of edition 1: section 1, with ECMWF's and NCEP's local parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from virtualizarr.parsers.grib.concepts import UNKNOWN, cf_variable_name, tables
from virtualizarr.parsers.grib.layout import MISSING_BYTE
from virtualizarr.parsers.grib.moments import Moments, Steps, moments_of
from virtualizarr.parsers.grib.product import Meaning
from virtualizarr.parsers.grib.times import duration

ECMWF = 98
LAYERS = frozenset({101, 104, 106, 108, 110, 112, 114, 116, 120, 121, 128, 141})
"""Types of level (code table 3) whose two octets are two levels."""

MEMBER_AT = 49
WIDE_MEMBERS = {4: 0, 12: 62, 15: 55, 16: 62, 23: 80}
"""ECMWF's local definitions with two octets for the member; where the number of members lies."""

NARROW_MEMBERS = frozenset(
    {
        *(1, 2, 5, 7, 10, 13, 14, 17, 18, 19, 25, 26, 27, 28, 29, 30, 31, 32, 36, 37, 39, 40),
        *(49, 50, 218, 244, 245),
    }
)
"""Those with one octet, mostly followed by the number of members."""

ALONE = frozenset({19, 25, 39})

SPECTRA, DIRECTION_AT, FREQUENCY_AT = 13, 51, 52
"""ECMWF's local definition for spectra of waves; where it numbers direction and frequency."""

RANGES = frozenset({2, 3, 4, 5})
LOCAL_RANGES = frozenset({118, 119, 120, 128, 129, 130, 131, 133})
"""Ranges from P1 to P2 that ECMWF and JMA define, as ecCodes reads them from every centre."""

QUARTER_HOUR, HALF_HOUR = 13, 14
SECONDS = 254
MINUTES_OF = {QUARTER_HOUR: 15, HALF_HOUR: 30}


def moments_1(moments: Sequence[bytes]) -> Moments:
    """Return the times that moments of edition 1 tell; see `headers`.

    A year that is missing, as in climatologies, is year 0.
    """
    table = np.frombuffer(b"".join(moments), np.uint8).reshape(len(moments), -1).astype(np.int64)
    year, century = table[:, 1], table[:, 10]
    missing = (year == MISSING_BYTE) & (century == MISSING_BYTE)
    calendar = np.zeros((len(moments), 6), np.int64)
    calendar[:, 0] = np.where(missing, 0, (century - 1) * 100 + year)
    calendar[:, 1:5] = table[:, 2:6]
    return moments_of(calendar, [each[6:10] for each in moments], STEPS)


def step_1(octets: bytes, time: int) -> tuple[int, int]:
    """Return the step and the length of the interval in seconds (code tables 4 and 5).

    `octets` are 18 to 21 of section 1. Raises UnsupportedFeatureError for an unknown unit of time.
    """
    unit, first, second, indicator = octets

    def seconds(count: int) -> int:
        if unit in MINUTES_OF:
            return count * MINUTES_OF[unit] * 60
        return count if unit == SECONDS else duration(count, unit, time)

    if indicator in (0, 1, 13, 51):
        return seconds(first), 0
    if indicator == 10:
        return seconds(first * 256 + second), 0
    if indicator in LOCAL_RANGES and second < first:
        return seconds(first), 0
    if indicator in RANGES or indicator in LOCAL_RANGES:
        return seconds(second), seconds(second) - seconds(first)
    if indicator == 6:
        return -seconds(second), seconds(first) - seconds(second)
    if indicator == 7:
        return seconds(second), seconds(first) + seconds(second)
    return seconds(first), 0


STEPS = Steps(lambda octets: octets[:1], step_1)


@lru_cache(maxsize=65536)
def meaning_1(section: bytes) -> Meaning:
    """Return the meaning of a header of edition 1: section 1 with its times set to zero."""
    version, centre, process = section[3:6]
    parameter_code, kind_of_level, first, second = section[8:12]
    sub_centre = section[25]
    layer = kind_of_level in LAYERS
    level = first if layer else first * 256 + second
    known = tables(1)
    abbreviation, centre_name = known.part("centres").get(str(centre), [str(centre), UNKNOWN])
    values: dict[str, Any] = {
        "table2Version": version,
        "indicatorOfParameter": parameter_code,
        "indicatorOfTypeOfLevel": kind_of_level,
        "level": None if not layer and level == 0xFFFF else level,
        "topLevel": first,
        "bottomLevel": second if layer else level,
        "timeRangeIndicator": section[20],
        "centre": centre,
        "localElementNumber": None,
    }
    step_type = known.concept("steps", [abbreviation], values.get)
    values["stepType"] = step_type = step_type if step_type is not None else str(section[20])
    type_of_level = known.concept("levels", [abbreviation, "ecmf"], values.get)
    code = f"{version}.{parameter_code}"
    lists = [abbreviation, "ecmf"]
    parameter = known.parameter(lists, code, values.get)
    cf_name = known.concept("cfName", lists, values.get)
    variable = known.concept("cfVarName", lists, values.get)
    if variable is None:
        variable = cf_variable_name(parameter.short_name, parameter.param_id)
    number, total = _member(section, centre, sub_centre)
    return Meaning(
        edition=1,
        parameter=parameter,
        code=code,
        cf_name=cf_name if cf_name is not None else UNKNOWN,
        variable=variable if variable != UNKNOWN else f"unknown_{version}_{parameter_code}",
        type_of_level=type_of_level if type_of_level is not None else UNKNOWN,
        level=float(level),
        bottom=float(second if layer else level),
        number=number,
        total_number=total,
        kind="",
        band=_wave(section, centre, sub_centre),
        step_type=step_type,
        process=process,
        centre=abbreviation,
        centre_name=centre_name,
        sub_centre=sub_centre,
    )


def _member(section: bytes, centre: int, sub_centre: int) -> tuple[int | None, int | None]:
    """Return the ensemble member and how many there are, where a local part tells."""
    if ECMWF not in (centre, sub_centre) or len(section) < MEMBER_AT + 3:
        return None, None
    definition, at = section[40], MEMBER_AT
    if definition in NARROW_MEMBERS:
        return section[at], section[at + 1] if definition not in ALONE else None
    if definition in WIDE_MEMBERS:
        total = WIDE_MEMBERS[definition]
        count = int.from_bytes(section[total : total + 2], "big") if total else None
        return int.from_bytes(section[at : at + 2], "big"), count
    return None, None


def _wave(section: bytes, centre: int, sub_centre: int) -> str:
    """Return the direction and the frequency of a wave, "" for all but spectra of waves."""
    if ECMWF not in (centre, sub_centre) or len(section) <= FREQUENCY_AT:
        return ""
    if section[40] != SPECTRA:
        return ""
    return f"direction_{section[DIRECTION_AT]}_frequency_{section[FREQUENCY_AT]}"
