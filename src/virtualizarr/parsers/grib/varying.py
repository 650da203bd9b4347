"""Product definition templates of edition 2 that hold a list: what follows it moves.

Manual on Codes, templates 4.33 and 4.34 (bands of a satellite, in an ensemble), 4.53 and 4.54
(partitioned parameters), 4.57, 4.58, 4.67 and 4.68 (constituents by a distribution function).
Behind the list they are like templates without one. Template 4.44 (aerosol) has a shorter forecast
time than all others. Template 4.15 tells which statistic over an area a field is.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from virtualizarr.parsers.grib.concepts import Template, laid_out, template_of


class List(NamedTuple):
    """Which octet of section 4 counts a list; the octets before what follows it, and of an item.

    What follows is as in the template `base` from the octet `begin` on.
    """

    counted_at: int
    fixed: int
    item: int
    base: int
    begin: int


LISTS = {
    33: List(22, 23, 11, 1, 34),
    34: List(22, 23, 11, 11, 34),
    53: List(12, 15, 2, 0, 11),
    54: List(12, 15, 2, 1, 11),
    57: List(19, 20, 5, 0, 11),
    58: List(19, 20, 5, 1, 11),
    67: List(19, 20, 5, 8, 11),
    68: List(19, 20, 5, 11, 11),
}
PARTITIONED = (53, 54)
AEROSOL_44, TIME_44 = 44, 2
AREA, STATISTIC_AT = 15, 34
"""A statistic over an area around each point; which octet, from 0, tells the statistic."""

NOT_KNOWN = frozenset({*range(113, 117), 206})
"""Generalised tiles, whose lists lie in one another, and a list before a time range."""


def template_in(section_4: bytes) -> Template | None:
    """Return the template of a section 4, as it lies there; None for one that is not known."""
    number = int.from_bytes(section_4[7:9], "big")
    known = LISTS.get(number)
    if known is None or len(section_4) <= known.counted_at:
        return _fixed(number)
    return _moved(number, section_4[known.counted_at])


def form_of(number: int) -> Template | None:
    """Return a template with its parts in order, wherever they lie; None for an unknown one."""
    return _moved(number, 0) if number in LISTS else _fixed(number)


def list_count(number: int) -> int | None:
    """Return which octet of section 4 tells how far a template is moved; None for a fixed one."""
    known = LISTS.get(number)
    return None if known is None else known.counted_at


def _fixed(number: int) -> Template | None:
    if number == AEROSOL_44:
        return _aerosol_44()
    if number == AREA:
        return _area()
    return None if number in NOT_KNOWN else template_of(number)


@lru_cache(maxsize=512)
def _moved(number: int, count: int) -> Template | None:
    known = LISTS[number]
    own, base = template_of(number), template_of(known.base)
    if own is None or base is None:
        return None
    end = known.fixed + known.item * count
    places = {key: place for key, place in own.places.items() if place[0] < end}
    places |= {
        key: (at + end - known.begin, size, sign)
        for key, (at, size, sign) in base.places.items()
        if at >= known.begin
    }
    if number in PARTITIONED:
        places["partitionNumber"] = (end - 2, 2, 0)
    return laid_out(places)


@lru_cache(maxsize=1)
def _aerosol_44() -> Template | None:
    """Return template 4.44; the table has its surfaces as far behind as if the time were longer."""
    known = template_of(AEROSOL_44)
    if known is None or known.forecast_time is None:
        return None
    behind = known.forecast_time + TIME_44
    shift = known.places["typeOfFirstFixedSurface"][0] - behind
    places = {
        key: (at - shift if at >= behind else at, size, sign)
        for key, (at, size, sign) in known.places.items()
    }
    return replace(laid_out(places), time_octets=TIME_44)


@lru_cache(maxsize=1)
def _area() -> Template | None:
    known = template_of(AREA)
    if known is None:
        return None
    return laid_out({**known.places, "statisticalProcess": (STATISTIC_AT, 1, 0)})
