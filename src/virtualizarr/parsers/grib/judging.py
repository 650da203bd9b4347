"""Which fields of a file are wanted and can be represented, judged once a distinct header."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.grib.fields import Fields, narrow
from virtualizarr.parsers.grib.geometry import Geometry, geometry_of
from virtualizarr.parsers.grib.layout import KIND, Inventory, Kind
from virtualizarr.parsers.grib.moments import Moments
from virtualizarr.parsers.grib.packing import check_packing
from virtualizarr.parsers.grib.product import KEYS, Meaning
from virtualizarr.parsers.grib.product1 import meaning_1, moments_1
from virtualizarr.parsers.grib.product2 import meaning_2, moments_2
from virtualizarr.parsers.grib.times import Int64s

MEANINGS = {1: meaning_1, 2: meaning_2}
MOMENTS = {1: moments_1, 2: moments_2}
TIME_KEYS = ("time", "step", "endStep")
"""Keys of `filter_by_keys` that headers do not tell: seconds since 1970, hours."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the kinds of an inventory are, by number: the meaning, or why there is none.

    None in `found` is a kind that is not wanted. `grid` is the number of the first grid with the
    same points, of those in `geometries`.
    """

    found: list[Meaning | VirtualizeError | None]
    grid: list[int]
    geometries: Mapping[int, Geometry]


def judge(inventory: Inventory, filters: Mapping[str, Any]) -> Judged:
    """Judge all kinds; UnsupportedFeatureError for unknown keys of `filters`."""
    _check_keys(filters)
    sections = list(inventory.grids)
    geometries: dict[int, Geometry] = {}
    same: dict[Hashable, int] = {}
    alike: dict[int, int] = {}
    checked: dict[bytes, int] = {}
    found: list[Meaning | VirtualizeError | None] = []
    grid: list[int] = []
    for octets in inventory.kinds:
        try:
            meaning = MEANINGS[octets[0]](octets[KIND.size :])
            if filters and not _is_wanted(meaning, filters):
                found.append(None)
                grid.append(0)
                continue
            packing = octets[: KIND.size]
            number = checked.get(packing)
            if number is None:
                kind = Kind.unpacked(octets)
                if kind.grid not in geometries:
                    geometry = geometries[kind.grid] = geometry_of(sections[kind.grid])
                    alike[kind.grid] = same.setdefault(geometry.points, kind.grid)
                check_packing(kind, geometries[kind.grid].grid)
                number = checked[packing] = alike[kind.grid]
            found.append(meaning)
            grid.append(number)
        except VirtualizeError as error:
            found.append(error)
            grid.append(0)
    return Judged(found, grid, geometries)


def _is_wanted(meaning: Meaning, filters: Mapping[str, Any]) -> bool:
    return all(
        KEYS[key](meaning) in _choices(wanted) for key, wanted in filters.items() if key in KEYS
    )


def _check_keys(filters: Mapping[str, Any]) -> None:
    for key in filters:
        if key not in KEYS and key not in TIME_KEYS:
            known = ", ".join((*KEYS, *TIME_KEYS))
            raise UnsupportedFeatureError(f"filter_by_keys does not know {key!r}; it knows {known}")


def _choices(wanted: Any) -> Collection[Any]:
    several = isinstance(wanted, list | tuple | set | frozenset)
    return wanted if several else (wanted,)


def fields_of(
    inventory: Inventory, judged: Judged, filters: Mapping[str, Any], skipped: list[str] | None
) -> tuple[Fields, list[int]]:
    """Return the wanted fields, and the number of the grid of each of their meanings.

    Raises the error of the first field that has one, with the byte where its message begins; with
    a list `skipped`, such fields are left out and added to it.
    """
    moments = read_moments(list(inventory.moments))
    kind, moment = np.array(inventory.kind, np.int64), np.array(inventory.moment, np.int64)
    message, offset, length = (
        np.array(column, np.int64)
        for column in (inventory.message, inventory.offset, inventory.length)
    )
    wanted = np.array([each is not None for each in judged.found], np.bool_)[kind]
    failed = np.array([isinstance(each, VirtualizeError) for each in judged.found], np.bool_)[kind]
    if moments.errors:
        failed |= wanted & np.isin(moment, list(moments.errors))
    for row in np.flatnonzero(failed).tolist():
        found = judged.found[kind[row]]
        error = found if isinstance(found, VirtualizeError) else moments.errors[int(moment[row])]
        if skipped is None:
            raise error.located(at=int(message[row])) from error.__cause__
        skipped.append(f"field at byte {offset[row]}: {error.reason}")
    wanted &= ~failed
    for key in filters.keys() & set(TIME_KEYS):
        values = moments.time if key == "time" else moments.step / 3600
        wanted &= np.isin(values, list(_choices(filters[key])))[moment]
    rows: Int64s | slice = slice(None) if wanted.all() else np.flatnonzero(wanted)
    kept = kind[rows]
    present = _in_order(kept, len(judged.found))
    numbers = np.empty(len(judged.found), np.int64)
    numbers[present] = np.arange(len(present))
    fields = Fields(
        [each for i in present if isinstance(each := judged.found[i], Meaning)],
        moments,
        *(numbers[kept], moment[rows], message[rows]),
        *(offset[rows].astype(np.uint64), narrow(length[rows])),
    )
    return fields, [judged.grid[i] for i in present]


def _in_order(kind: Int64s, count: int) -> list[int]:
    """Return which of `count` kinds there are, in the order in which they first come."""
    first = np.full(count, len(kind))
    first[kind[::-1]] = np.arange(len(kind) - 1, -1, -1)
    order = np.argsort(first, kind="stable")
    present: list[int] = order[: int(np.count_nonzero(first < len(kind)))].tolist()
    return present


def read_moments(texts: Sequence[bytes]) -> Moments:
    """Return the moments of both editions, in the order of `texts`."""
    editions = np.array([text[0] for text in texts], np.int64)
    times = np.zeros((3, len(texts)), np.int64)
    errors: dict[int, VirtualizeError] = {}
    for edition, read in MOMENTS.items():
        places = np.flatnonzero(editions == edition)
        if len(places):
            found = read([texts[i] for i in places.tolist()])
            times[:, places] = found.time, found.step, found.span
            errors |= {int(places[i]): error for i, error in found.errors.items()}
    time, step, span = times
    return Moments(time, step, span, errors)
