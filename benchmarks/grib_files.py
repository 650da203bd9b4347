"""GRIB files written byte by byte: fields of constant size, the values of simple packing.

FM 92, editions 1 and 2; the numbers of parameters and levels are those of GFS and ERA5.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np

NX, NY = 144, 73
COLUMNS, ROWS = 61, 41
LEVELS = (10, 20, 30, 50, 70, *range(100, 901, 50), 925, 950, 975, 1000)
BITS = 8

type Parameter = tuple[int, int]
type Surface = tuple[int, int, int]
"""Kind, scale and value."""

type Message = tuple[int, tuple[Parameter, ...], Surface, Surface | None, int | None]
"""Discipline, parameters, surface, where it is a layer the other one, statistic."""

U, V, T, Z, P, RH = (2, 2), (2, 3), (0, 0), (3, 5), (3, 0), (1, 1)
WIND, CLOUD, RAIN, SUNSHINE, HEAT = (U, V), (6, 1), (1, 7), (4, 192), (5, 192)
AVERAGE, SUM, OTHER = 0, 1, 255

ISOBARIC = {
    **{(parameter,): LEVELS for parameter in (Z, T, (2, 10))},
    (RH,): (10, *LEVELS[2:]),
    WIND: LEVELS,
    ((14, 192),): LEVELS[:6],
    **{(parameter,): LEVELS[5:] for parameter in ((2, 8), (1, 22))},
    ((3, 193),): (500,),
    ((3, 9),): (500, 1000),
    ((3, 197),): (500,),
}
AT_SURFACE = (
    *(P, Z, T, (1, 13), (1, 200), (6, 201), (7, 192), (7, 6), (7, 7), (7, 193), (3, 196), (2, 22)),
)
AVERAGES = (
    *((1, 196), RAIN, (1, 195), (1, 194), (1, 193), (1, 192), (0, 10), (0, 11), (2, 17), (2, 18)),
    *((3, 194), (3, 195), SUNSHINE, HEAT, (4, 193), (5, 193), (19, 1)),
)
SURFACE: Surface = (1, 0, 0)
PLACES: tuple[tuple[Surface, Surface | None, int | None, tuple[Any, ...]], ...] = (
    (SURFACE, None, None, AT_SURFACE),
    ((103, 0, 2), None, None, (T, (1, 0), RH)),
    ((103, 0, 2), None, OTHER, ((0, 4), (0, 5))),
    ((103, 0, 10), None, None, (WIND,)),
    (SURFACE, None, AVERAGE, AVERAGES),
    (SURFACE, None, SUM, ((1, 8), (1, 10))),
    ((200, 0, 0), None, None, ((1, 3), (6, 6), RH, (14, 0))),
    *(((kind, 0, 0), None, AVERAGE, (CLOUD,)) for kind in (214, 224, 234, 211)),
    ((200, 0, 0), None, AVERAGE, (CLOUD, (6, 193))),
    *(((kind, 0, 0), None, None, (P,)) for kind in (242, 243)),
    *(((kind, 0, 0), None, AVERAGE, (P,)) for kind in (212, 222, 232)),
    *(((kind, 0, 0), None, AVERAGE, (P, T)) for kind in (213, 223, 233)),
    ((244, 0, 0), None, None, (CLOUD,)),
    ((8, 0, 0), None, AVERAGE, ((4, 193), (5, 193))),
    *(((103, 0, height), (103, 0, 0), None, ((7, 8),)) for height in (3000, 1000)),
    ((103, 0, 6000), (103, 0, 0), None, ((2, 194), (2, 195))),
    ((7, 0, 0), None, None, (P, (3, 3), Z, T, WIND, (2, 192))),
    ((6, 0, 0), None, None, (P, (3, 3), Z, WIND, T)),
    *(((102, 0, height), None, None, (T, WIND)) for height in (1829, 2743, 3658)),
    *(((kind, 0, 0), None, None, (Z, RH)) for kind in (4, 204)),
    ((108, 0, 3000), (108, 0, 0), None, (T, RH, (1, 0), WIND)),
    ((108, 0, 18000), (108, 0, 0), None, ((7, 6), (7, 7))),
    *(
        ((104, 2, top), (104, 2, bottom), None, (RH,))
        for top, bottom in ((33, 100), (44, 100), (72, 94), (44, 72))
    ),
    ((104, 4, 9950), None, None, (T, (0, 2), RH, WIND, (2, 8))),
    *(
        ((109, 9, value), None, None, (WIND, T, Z, P, (2, 192)))
        for value in (2000, 0x80000000 | 2000)
    ),
    ((101, 0, 0), None, None, ((3, 1),)),
)


def gfs(path: Path, steps: int) -> None:
    """Write, for each of `steps` lead times, 343 fields in 307 messages; 36 hold two winds.

    They are those of a file of GFS at 2.5 degrees, of about its length; the values are noise.
    """
    values = np.random.default_rng(0)
    with path.open("wb") as file:
        for step in range(steps):
            for discipline, parameters, *place in _gfs_messages():
                body = b"".join(
                    _field(each, *place, hours=6 * (step + 1), values=values) for each in parameters
                )
                body = _IDENTIFICATION + _GRID + body + b"7777"
                file.write(b"GRIB\0\0" + pack(">BBQ", discipline, 2, 16 + len(body)) + body)


def _gfs_messages() -> Iterator[Message]:
    for parameters, levels in ISOBARIC.items():
        for level in levels:
            yield 0, parameters, (100, 0, 100 * level), None, None
    for first, second, statistic, several in PLACES:
        for each in several:
            yield 0, each if each == WIND else (each,), first, second, statistic
    for top, bottom in ((0, 10), (10, 40), (40, 100), (100, 200)):
        for discipline, parameter in ((0, T), (2, (0, 192))):
            yield discipline, (parameter,), (106, 2, top), (106, 2, bottom), None
    for parameter, statistic in (((0, 5), SUM), ((0, 193), AVERAGE)):
        yield 2, (parameter,), SURFACE, None, statistic
    for parameter in ((0, 201), (3, 203), (0, 0)):
        yield 2, (parameter,), SURFACE, None, None
    yield 10, ((2, 0),), SURFACE, None, None


_IDENTIFICATION = pack(">IBHHBBBHBBBBBBB", 21, 1, 7, 0, 2, 1, 1, 2026, 1, 2, 0, 0, 0, 0, 1)
_GRID = pack(">IBBIBBH", 72, 3, 0, NX * NY, 0, 0, 0) + pack(">BBIBIBI", 6, 0, 0, 0, 0, 0, 0)
_GRID += pack(">IIIIiIB", NX, NY, 0, 0xFFFFFFFF, 90_000_000, 0, 48)
_GRID += pack(">IIIIB", 0x80000000 | 90_000_000, 357_500_000, 2_500_000, 2_500_000, 0)


def _field(
    parameter: Parameter,
    first: Surface,
    second: Surface | None,
    statistic: int | None,
    *,
    hours: int,
    values: np.random.Generator,
) -> bytes:
    """Return sections 4 to 7."""
    start = hours if statistic is None else hours - 6
    product = pack(">BBBBBHBBI", *parameter, 2, 0, 96, 0, 0, 1, start)
    product += pack(">BBIBBI", *first, *(second or (255, 255, 0xFFFFFFFF)))
    template = 0
    if statistic is not None:
        template = 8
        end = datetime(2026, 1, 2) + timedelta(hours=hours)
        product += pack(">HBBBBB", end.year, end.month, end.day, end.hour, 0, 0)
        product += pack(">BIBBBIBI", 1, 0, statistic, 2, 1, 6, 255, 0)
    product = pack(">IBHH", 9 + len(product), 4, 0, template) + product
    packing = pack(">IBIHfHHBB", 21, 5, NX * NY, 0, 250.0, 0x8000 | 4, 0, BITS, 0)
    data = values.bytes(NX * NY * BITS // 8)
    return product + packing + pack(">IBB", 6, 6, 255) + pack(">IB", 5 + len(data), 7) + data


def era5(path: Path, hours: int) -> None:
    """Write the two metre temperature of so many hours, a GRIB1 message each."""
    values = np.random.default_rng(0)
    columns, rows = COLUMNS, ROWS
    grid = pack(">BBBHH", 0, 255, 0, columns, rows) + _signed(60_000) + _signed(-10_000) + b"\x80"
    grid += _signed(60_000 - 250 * (rows - 1)) + _signed(-10_000 + 250 * (columns - 1))
    grid = _sized(grid + pack(">HHBI", 250, 250, 0, 0))
    with path.open("wb") as file:
        for hour in range(hours):
            at = datetime(2017, 1, 1) + timedelta(hours=hour)
            product = pack(">BBBBBBBH", 128, 98, 145, 255, 128, 167, 1, 0)
            product += pack(">BBBBB", at.year % 100, at.month, at.day, at.hour, 0)
            product += pack(">BBBBHBBBH", 1, 0, 0, 0, 0, 0, 21, 0, 0)
            packing = pack(">BHIB", 0, 0x8000 | 10, 0x43100000, 16)
            body = _sized(product) + grid + _sized(packing + values.bytes(2 * columns * rows))
            length = 8 + len(body) + 4
            file.write(b"GRIB" + length.to_bytes(3, "big") + b"\x01" + body + b"7777")


def _sized(section: bytes) -> bytes:
    return (3 + len(section)).to_bytes(3, "big") + section


def _signed(value: int) -> bytes:
    return (abs(value) | (0x800000 if value < 0 else 0)).to_bytes(3, "big")
