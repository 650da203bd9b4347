"""The product definition of edition 2: sections 1, 2 (ECMWF's) and 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from struct import Struct, unpack_from
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.grib.concepts import (
    UNKNOWN,
    Lookup,
    cf_variable_name,
    tables,
)
from virtualizarr.parsers.grib.headers import FIXED_2
from virtualizarr.parsers.grib.kinds import INSTANT, STATISTICS, band_of, kind_of, scaled
from virtualizarr.parsers.grib.moments import Moments, Steps, moments_of
from virtualizarr.parsers.grib.product import Meaning
from virtualizarr.parsers.grib.times import duration
from virtualizarr.parsers.grib.varying import form_of, template_in

ECMWF = 98
CHEMICAL, CHEMICAL_SOURCE = (40, 41, 42, 43), (76, 77, 78, 79)
AEROSOL, AEROSOL_OPTICAL = (44, 45, 46, 47, 50), (48, 49)
DATASETS = {
    4: "tigge",
    5: "tigge",
    6: "s2s",
    7: "s2s",
    8: "uerra",
    9: "uerra",
    10: "uerra",
    11: "uerra",
    12: "destine",
    13: "destine",
}
"""Lists that take the place of the centre's, by code table 1.3."""

CLASSES = {
    **dict.fromkeys((3, 5, 14, 21, 22, 23, 24, 30, 33), "era"),
    42: "hydro",
    43: "hydro",
    48: "hydro",
    49: "hydro",
    39: "fire",
    50: "cerise",
    40: "era6",
    35: "hydro_legacy",
    38: "hydro_legacy",
    53: "nextgems",
}
"""Lists that take the place of the centre's, by MARS class."""

BY_TABLES_VERSION = frozenset(
    {"ecmf", "s2s", "tigge", "uerra", "nextgems", "destine", "hydro", "fire"}
)
SPLIT_CLASSES = (19, 36)
"""MARS classes whose chemical parameters are named without the chemical since version 34."""

LAST_OLD_TABLES = 33
BOTTOM_COUNTS = (151, 152, 168, 114)
PRESSURE, POTENTIAL_VORTICITY = 100, 109
NO_SURFACE = 255
SINGLE_PASCALS = 100
SIGN = 0x80000000

_HEAD = Struct(">HH").unpack_from
_UNIT = Struct(">BI").unpack_from
_RANGE = Struct(">BBI").unpack_from

SUCCESSIVE_REFERENCES, SAME_REFERENCE = 1, 2
"""Code table 4.11: what differs between the fields that a statistic is made of."""


def moments_2(moments: Sequence[bytes]) -> Moments:
    """Return the times that moments of edition 2 tell; see `headers`."""
    table = np.frombuffer(b"".join(each[1:8] for each in moments), np.uint8).reshape(-1, 7)
    calendar = table[:, 1:].astype(np.int64)
    calendar[:, 0] += table[:, 0].astype(np.int64) << 8
    return moments_of(calendar, [each[8:] for each in moments], STEPS)


@lru_cache(maxsize=65536)
def meaning_2(header: bytes) -> Meaning:
    """Return the meaning of a header of edition 2; see `headers`.

    Raises UnsupportedFeatureError for an unknown product definition template, CorruptFileError for
    a short section 4.
    """
    discipline, origin, status, mars = header[0], header[1:7], header[7:9], header[9:FIXED_2]
    section_4 = header[FIXED_2:]
    centre, sub_centre, version, local_version = unpack_from(">HHBB", origin)
    nv, template = _HEAD(section_4, 5)
    layout = template_in(section_4)
    if layout is None:
        raise UnsupportedFeatureError(f"product definition template 4.{template}")
    if len(section_4) < layout.octets:
        raise CorruptFileError(f"section 4 of {len(section_4)} octets")
    known = tables(2)
    abbreviation, centre_name = known.part("centres").get(str(centre), [str(centre), UNKNOWN])
    ecmwf = ECMWF in (centre, sub_centre)
    mars_class = int.from_bytes(mars[1:], "big") if ecmwf and mars[0] else None
    dataset = DATASETS.get(status[0])
    if dataset is None and mars_class is not None:
        dataset = CLASSES.get(mars_class)
    local = dataset if dataset is not None else abbreviation
    values: dict[str, Any] = {
        "discipline": discipline,
        "tablesVersion": version,
        "localTablesVersion": local_version,
        "productionStatusOfProcessedData": status[0],
        "marsClass": mars_class,
        "is_chemical": int(template in CHEMICAL),
        "is_chemical_srcsink": int(template in CHEMICAL_SOURCE),
        "is_aerosol": int(template in AEROSOL),
        "is_aerosol_optical": int(template in AEROSOL_OPTICAL),
        "NV": nv,
    }
    value = _lookup(section_4, layout.places, values)
    values["genVertHeightCoords"] = int(value("typeOfFirstFixedSurface") == 150)
    old = _is_old(known.concept("switch", [local], value), local, sub_centre, version)
    values["stepType"] = step_type = _step_type(value, old)
    top, bottom, pascals = _levels(value)
    values["pressureUnits"] = "Pa" if pascals else "hPa"
    type_of_level = known.concept("levels", [local], value)
    split = mars_class in SPLIT_CLASSES and not old and version > LAST_OLD_TABLES
    suffix = ".lte33" if old else ".chemsplit" if split else ""
    lists = [f"{local}{suffix}", f"ecmf{suffix}", "ecmf.legacy"]
    code = ".".join(
        str(value(key)) for key in ("discipline", "parameterCategory", "parameterNumber")
    )
    parameter = known.parameter(lists, code, value)
    cf_name = known.concept("cfName", [local, "ecmf"], value)
    variable = known.concept("cfVarName", [local], value)
    if variable is None:
        variable = cf_variable_name(parameter.short_name, parameter.param_id)
    return Meaning(
        edition=2,
        parameter=parameter,
        code=code,
        cf_name=cf_name if cf_name is not None else UNKNOWN,
        variable=variable if variable != UNKNOWN else f"unknown_{code.replace('.', '_')}",
        type_of_level=type_of_level if type_of_level is not None else UNKNOWN,
        level=top,
        bottom=bottom,
        number=value("perturbationNumber"),
        total_number=value("numberOfForecastsInEnsemble"),
        kind=kind_of(value),
        band=band_of(value),
        step_type=step_type,
        process=value("typeOfGeneratingProcess"),
        centre=abbreviation,
        centre_name=centre_name,
        sub_centre=sub_centre,
        increment=value("typeOfTimeIncrement"),
    )


def _lookup(
    section: bytes, places: Mapping[str, tuple[int, int, int]], values: dict[str, Any]
) -> Lookup:
    """Return the function that gives a key's value, None where it is missing or not there.

    What it has found it keeps in `values`.
    """

    def value(key: str) -> Any:
        if key in values:
            return values[key]
        place = places.get(key)
        values[key] = found = None if place is None else _number(section, key, *place)
        return found

    return value


def _number(section: bytes, key: str, at: int, size: int, sign: int) -> int | None:
    number = int.from_bytes(section[at : at + size], "big")
    most = (1 << (8 * size)) - 1
    if number == most and key.startswith(("scale", "perturb", "numberOf")):
        return None
    top = (most >> 1) + 1
    return top - number if sign and number & top else number


def _is_old(switch: str | None, local: str, sub_centre: int, version: int) -> bool:
    """Say whether names are those of before table version 34, which ECMWF's data may need."""
    if switch in ("0", "1"):
        return switch == "0"
    by_version = local in BY_TABLES_VERSION or sub_centre == ECMWF
    return by_version and version <= LAST_OLD_TABLES


def _step_type(value: Lookup, old: bool) -> str:
    ranges = value("numberOfTimeRanges")
    if ranges is None:
        return INSTANT
    if ranges not in (1, 2):
        return "multiple_steps"
    process = value("typeOfStatisticalProcessing")
    if old and process == 0 and value("typeOfTimeIncrement") == 1:
        return "avgd"
    return STATISTICS.get(process, f"statistic_{process}")


def _levels(value: Lookup) -> tuple[float, float, bool]:
    """Return the level (the top of a layer), its bottom, and whether pressures are in Pa."""
    first, second = value("typeOfFirstFixedSurface"), value("typeOfSecondFixedSurface")
    top = scaled(value, "FirstFixedSurface")
    bottom = scaled(value, "SecondFixedSurface") if second != NO_SURFACE else top
    pascals = first == PRESSURE and 0 < top < SINGLE_PASCALS
    if first == PRESSURE and not value("scaleFactorOfFirstFixedSurface"):
        pascals |= value("scaledValueOfFirstFixedSurface") == 0
    top, bottom = _in_units(first, top, pascals), _in_units(second, bottom, pascals)
    if second == NO_SURFACE:
        bottom = top
    if first == second and first in BOTTOM_COUNTS:
        top = bottom
    return top, bottom, pascals


def _in_units(kind: int, level: float, pascals: bool) -> float:
    if kind == PRESSURE and not pascals:
        return level / 100
    return level * 1e9 if kind == POTENTIAL_VORTICITY else level


def step_2(octets: bytes, time: int) -> tuple[int, int]:
    """Return the step and the length of the interval, both in seconds.

    `octets` are those of a moment behind the reference time. Raises UnsupportedFeatureError for an
    unknown unit of time.
    """
    template = form_of(int.from_bytes(octets[:2], "big"))
    if template is None or template.forecast_time is None:
        return 0, 0
    unit, count = _UNIT(octets, 2)
    if count & SIGN:
        count = SIGN - count
    start = duration(count, unit, time) if count else 0
    if template.ranges is None or template.interval_end is None:
        return start, 0
    tail = octets[7:]
    first = template.ranges - template.interval_end
    for place in range(first, len(tail) - 11, 12)[: tail[7]]:
        increment, unit, length = _RANGE(tail, place + 1)
        if increment == SAME_REFERENCE or (tail[7] == 1 and increment != SUCCESSIVE_REFERENCES):
            span = duration(length, unit, time + start) if length else 0
            return start + span, span
    return start, 0


def _units(octets: bytes) -> bytes:
    """Return which octets of those that tell a step are units of time, and maybe some more."""
    return octets[2:3] + octets[15:]


STEPS = Steps(_units, step_2)
