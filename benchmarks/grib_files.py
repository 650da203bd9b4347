"""GRIB files written byte by byte: fields of constant size, the values of simple packing.

FM 92, editions 1 and 2; the numbers of parameters and levels are those of GFS and ERA5.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from struct import pack

import numpy as np

NX, NY = 144, 73
COLUMNS, ROWS = 61, 41
ISOBARIC, GROUND, SEA, PV, SURFACE, SIGMA, BELOW_LAND = 100, 103, 102, 109, 1, 104, 106
TROPOPAUSE, MAX_WIND, MEAN_SEA, ATMOSPHERE = 7, 6, 101, 10
LEVELS = (10, 20, 30, 50, 70, *range(100, 901, 50), 925, 950, 975, 1000)
U, V, TMP, HGT, PRES, RH, SPFH = (2, 2), (2, 3), (0, 0), (3, 5), (3, 0), (1, 1), (1, 0)
VVEL, ABSV, CLWMR, SNMR, O3MR = (2, 8), (2, 10), (1, 22), (1, 25), (14, 192)
type Parameter = tuple[int, int]
type Level = tuple[int, int, int]


def gfs(path: Path, steps: int) -> None:
    """Write, for each of `steps` lead times, 343 fields in 307 messages; 36 hold two winds."""
    values = np.random.default_rng(0)
    with path.open("wb") as file:
        for step in range(steps):
            for discipline, parameters, level, statistic in _gfs_fields():
                body = b"".join(
                    _field(each, level, 6 * (step + 1), statistic, values) for each in parameters
                )
                body = _IDENTIFICATION + _GRID + body + b"7777"
                file.write(b"GRIB\0\0" + pack(">BBQ", discipline, 2, 16 + len(body)) + body)


def _gfs_fields() -> Iterator[tuple[int, tuple[Parameter, ...], Level, int | None]]:
    """Yield (discipline, parameters of one message, (type, scale, value), statistic)."""
    isobaric = [(ISOBARIC, 0, 100 * level) for level in LEVELS]
    several = {TMP: 26, HGT: 26, RH: 26, VVEL: 26, ABSV: 26, SPFH: 26}
    several |= {CLWMR: 21, O3MR: 17, SNMR: 16}
    for parameter, count in several.items():
        for level in isobaric[-count:]:
            yield 0, (parameter,), level, None
    above = [(GROUND, 0, metres) for metres in (10, 80, 100)]
    sea = [(SEA, 0, metres) for metres in (1829, 2743, 3658)]
    surfaces = [(PV, 9, 2000), (PV, 9, 1000)]
    single = [(TROPOPAUSE, 0, 0), (MAX_WIND, 0, 0)]
    for level in (*isobaric, *above, *sea, *surfaces, *single):
        yield 0, (U, V), level, None
    for parameter in (TMP, SPFH, RH, (0, 6)):
        yield 0, (parameter,), (GROUND, 0, 2), None
    for level in (*above[1:], *sea):
        yield 0, (TMP,), level, None
    for parameter in (PRES, TMP, HGT, (1, 11), (1, 13), (7, 6), (7, 7), (2, 22), (19, 0), (3, 18)):
        yield 0, (parameter,), (SURFACE, 0, 0), None
    yield 2, ((0, 0),), (SURFACE, 0, 0), None
    yield 10, ((2, 0),), (SURFACE, 0, 0), None
    for parameter in ((0, 2), (0, 192)):
        for depth in (0, 10, 40, 100):
            yield 2, (parameter,), (BELOW_LAND, 2, depth), None
    for parameter in (TMP, RH, VVEL):
        yield 0, (parameter,), (SIGMA, 4, 9950), None
    for parameter in ((1, 8), (1, 10)):
        yield 0, (parameter,), (SURFACE, 0, 0), 1
    for parameter in ((5, 192), (5, 193), (4, 192), (4, 193), (0, 10), (0, 11)):
        yield 0, (parameter,), (SURFACE, 0, 0), 0
    for statistic in (2, 3):
        yield 0, (TMP,), (GROUND, 0, 2), statistic
    for cloud in (214, 224, 234):
        yield 0, ((6, 1),), (cloud, 0, 0), 0
    for parameter in ((1, 3), (6, 6), (14, 0)):
        yield 0, (parameter,), (ATMOSPHERE, 0, 0), None
    for level in (*single, *surfaces):
        for parameter in (PRES, HGT, TMP):
            yield 0, (parameter,), level, None
    yield 0, ((3, 1),), (MEAN_SEA, 0, 0), None


_IDENTIFICATION = pack(">IBHHBBBHBBBBBBB", 21, 1, 7, 0, 2, 1, 1, 2026, 1, 2, 0, 0, 0, 0, 1)
_GRID = pack(">IBBIBBH", 72, 3, 0, NX * NY, 0, 0, 0) + pack(">BBIBIBI", 6, 0, 0, 0, 0, 0, 0)
_GRID += pack(">IIIIiIB", NX, NY, 0, 0xFFFFFFFF, 90_000_000, 0, 48)
_GRID += pack(">IIIIB", 0x80000000 | 90_000_000, 357_500_000, 2_500_000, 2_500_000, 0)
BITS = 12


def _field(
    parameter: Parameter,
    level: Level,
    hours: int,
    statistic: int | None,
    values: np.random.Generator,
) -> bytes:
    """Return sections 4 to 7."""
    kind, scale, value = level
    start = hours if statistic is None else hours - 6
    product = pack(">BBBBBHBBI", *parameter, 2, 0, 96, 0, 0, 1, start)
    product += pack(">BBIBBI", kind, scale, value, 255, 255, 0xFFFFFFFF)
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
