"""Levels, members and steps of every product definition template and local part, by ecCodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import grib_oracle
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.grib.judging import read_moments
from virtualizarr.parsers.grib.layout import Field
from virtualizarr.parsers.grib.product1 import meaning_1
from virtualizarr.parsers.grib.product2 import meaning_2
from virtualizarr.parsers.grib.scan import read_inventory
from virtualizarr.parsers.grib.varying import LISTS, NOT_KNOWN
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

KEYS = ("typeOfLevel", "level", "perturbationNumber", "endStep", "shortName")
SATELLITES = (33, 34)
LENGTHS = dict.fromkeys((53, 54), "numberOfPartitions") | dict.fromkeys(SATELLITES, "NB")
PARAMETERS = "numberOfDistributionFunctionParameters"
ABOVE_GROUND = {
    "typeOfFirstFixedSurface": 103,
    "scaleFactorOfFirstFixedSurface": 0,
    "scaledValueOfFirstFixedSurface": 2,
}
LISTS_OF_NOTHING = (30, 31, 32, 35, 51, 88, *range(92, 96))
"""Templates whose lists ecCodes makes empty, as no file has them."""

MEMBER_AT_THE_END = 106
"""Its member, behind a list of time ranges, is not shown."""


def message(edition: int, **keys: Any) -> bytes:
    return grib_oracle.message(
        f"regular_ll_sfc_grib{edition}", np.arange(4.0), {"Ni": 2, "Nj": 2, **keys}
    )


def field_of(data: bytes) -> Field:
    (field,) = run(read_inventory(), BytesSource(data)).fields
    return field


def said(data: bytes) -> dict[str, Any]:
    """Return what we say for `KEYS`; the step in hours."""
    field = field_of(data)
    meaning = (meaning_1 if field.kind.edition == 1 else meaning_2)(field.kind.header)
    step = read_moments([field.moment]).step[0] / 3600
    names = (meaning.type_of_level, meaning.level, meaning.number, step)
    return dict(zip(KEYS, (*names, meaning.parameter.short_name), strict=True))


def compared(several: list[bytes]) -> int:
    """Compare what is said of messages with what ecCodes says; return how many were compared."""
    wrong = []
    count = 0
    for data, known in zip(several, grib_oracle.keys_of_many(several, KEYS), strict=True):
        if known["endStep"] is None:
            continue  # a template that has none
        found = said(data)
        count += 1
        told = [key for key in KEYS if known[key] is not None or key == "perturbationNumber"]
        wrong += [(key, found[key], known[key]) for key in told if found[key] != known[key]]
    assert not wrong
    return count


def with_level(number: int, **keys: Any) -> bytes:
    level = {} if number in SATELLITES else ABOVE_GROUND
    return message(2, productDefinitionTemplateNumber=number, **keys, **level, forecastTime=6)


def test_every_template_tells_level_member_and_step() -> None:
    several = []
    for number in range(200):
        if number in LISTS_OF_NOTHING or number in NOT_KNOWN or number == MEMBER_AT_THE_END:
            continue
        try:
            several.append(with_level(number))
        except grib_oracle.EccodesError:
            continue  # one that ecCodes does not know, or that has no level
    assert compared(several) > 90


@pytest.mark.parametrize("number", LISTS)
def test_what_follows_a_list_moves_with_its_length(number: int) -> None:
    several = []
    for length in (1, 2, 5):
        member = {"perturbationNumber": 3} if number in (*SATELLITES, 54, 58, 68) else {}
        keys = {LENGTHS.get(number, PARAMETERS): length, **member}
        several.append(with_level(number, **keys))
    assert compared(several) == len(several)
    assert len({field_of(data).kind.header for data in several}) == len(several)
    inventory = run(read_inventory(), BytesSource(b"".join(several)))
    assert [each.kind.header for each in inventory.fields] == [
        field_of(data).kind.header for data in several
    ]


def test_generalised_tiles_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedFeatureError, match=r"template 4\.113"):
        said(with_level(113))


@pytest.mark.parametrize("definition", [1, 2, 5, 7, 10, 25, 29, 30, 32, 36, 39])
def test_local_parts_of_edition_1_tell_the_member(definition: int) -> None:
    data = message(1, setLocalDefinition=1, localDefinitionNumber=definition, number=7)
    field = field_of(data)
    assert meaning_1(field.kind.header).number == 7
    assert grib_oracle.keys_of(data, ("number",)) == {"number": 7}


@pytest.mark.parametrize("centre, indicators", [(98, (118, 119, 120, 128, 130, 133)), (34, (129,))])
def test_local_time_ranges_of_edition_1_end_at_their_second_time(
    centre: int, indicators: tuple[int, ...]
) -> None:
    several = []
    for indicator in (0, 2, 3, 4, 5, 113, 123, 124, *indicators):
        data = bytearray(message(1))
        data[12], data[25], data[26], data[27], data[28] = centre, 1, 6, 12, indicator
        several.append(bytes(data))
    known = grib_oracle.keys_of_many(several, ("endStep",))
    found = [said(data)["endStep"] for data in several]
    assert found == [each["endStep"] for each in known]


def test_a_pressure_of_nothing_is_in_pascals() -> None:
    keys = {"typeOfFirstFixedSurface": 100, "scaledValueOfFirstFixedSurface": 0}
    assert compared([message(2, scaleFactorOfFirstFixedSurface=n, **keys) for n in (0, 1)]) == 2
