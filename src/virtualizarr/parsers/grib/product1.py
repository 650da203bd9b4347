"""The product definition of edition 1: section 1, with ECMWF's and NCEP's local parts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from virtualizarr.parsers.grib.concepts import UNKNOWN, cf_variable_name, tables
from virtualizarr.parsers.grib.layout import MISSING_BYTE, Field
from virtualizarr.parsers.grib.product import Meaning, Product
from virtualizarr.parsers.grib.times import duration, instant

ECMWF = 98
LAYERS = frozenset({101, 104, 106, 108, 110, 112, 114, 116, 120, 121, 128, 141})
"""Types of level (code table 3) whose two octets are two levels."""

MEMBER_AT = 49
WIDE_MEMBERS = {4: 0, 12: 62, 15: 55, 16: 62, 23: 80}
"""ECMWF's local definitions with two octets for the member; where the number of members lies."""

NARROW_MEMBERS = frozenset(
    {1, 13, 14, 17, 18, 19, 218, 244, 245, 26, 27, 28, 30, 31, 36, 37, 40, 49, 50}
)
"""Those with one octet, mostly followed by the number of members."""

ALONE = 19

QUARTER_HOUR, HALF_HOUR = 13, 14
SECONDS = 254
MINUTES_OF = {QUARTER_HOUR: 15, HALF_HOUR: 30}


def product_1(field: Field) -> Product:
    """Return what a field of edition 1 is.

    A year that is missing, as in climatologies, is year 0. Raises UnsupportedFeatureError for an
    unknown unit of time, CorruptFileError for a time that does not exist.
    """
    section = field.section_1
    time = _reference(section[12:17], section[24])
    # octets 13 to 20 and the number of parts of an average belong to the times
    steady = section[:12] + bytes(8) + section[20:21] + bytes(3) + bytes(1) + section[25:]
    step, span = _step(section[17], section[18], section[19], section[20], time)
    return Product(_meaning(steady), time, step, span)


@lru_cache(maxsize=4096)
def _reference(octets: bytes, century: int) -> int:
    year, month, day, hour, minute = octets
    full = 0 if year == century == MISSING_BYTE else (century - 1) * 100 + year
    return instant(full, month, day, hour, minute, 0)


@lru_cache(maxsize=4096)
def _step(unit: int, first: int, second: int, indicator: int, time: int) -> tuple[int, int]:
    """Return the step and the length of the interval in seconds (code tables 4 and 5)."""

    def seconds(count: int) -> int:
        if unit in MINUTES_OF:
            return count * MINUTES_OF[unit] * 60
        return count if unit == SECONDS else duration(count, unit, time)

    if indicator in (0, 1, 13, 51):
        return seconds(first), 0
    if indicator == 10:
        return seconds(first * 256 + second), 0
    if indicator in (2, 3, 4, 5):
        return seconds(second), seconds(second) - seconds(first)
    if indicator == 6:
        return -seconds(second), seconds(first) - seconds(second)
    if indicator == 7:
        return seconds(second), seconds(first) + seconds(second)
    return seconds(first), 0


@lru_cache(maxsize=65536)
def _meaning(section: bytes) -> Meaning:
    """Return the meaning of section 1 with its times set to zero."""
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
        band="",
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
        return section[at], section[at + 1] if definition != ALONE else None
    if definition in WIDE_MEMBERS:
        total = WIDE_MEMBERS[definition]
        count = int.from_bytes(section[total : total + 2], "big") if total else None
        return int.from_bytes(section[at : at + 2], "big"), count
    return None, None
