"""Which fields share a group, and the axes of the groups.

The axes of a group are the union over its variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.grib.axes import DECREASING
from virtualizarr.parsers.grib.fields import Fields
from virtualizarr.parsers.grib.product import Meaning
from virtualizarr.parsers.grib.times import Int64s

MOST_CELLS = 1 << 62


@dataclass(frozen=True, slots=True)
class Axes:
    """The coordinates of a group; `levels` by type of level. `numbers` None: there are no members.

    `ensemble` says whether members are an axis.
    """

    times: tuple[int, ...]
    steps: tuple[int, ...]
    numbers: tuple[int, ...] | None
    levels: Mapping[str, tuple[float, ...]]
    ensemble: bool

    @property
    def size(self) -> int:
        """How many cells there are at most, with a place for fields that are no members."""
        others = len(self.numbers or ()) + 1
        return others * len(self.times) * len(self.steps) * max(map(len, self.levels.values()))


@dataclass(frozen=True, slots=True)
class Group:
    """The fields of some kinds, which share their axes; `kinds` number `Fields.meanings`."""

    kinds: Sequence[int]
    axes: Axes


def groups_of(fields: Fields, kinds: Sequence[Sequence[int]]) -> list[Group]:
    """Return a group for each of `kinds`, which together are all kinds.

    Raises UnsupportedFeatureError where axes span more cells than can be counted.
    """
    group_of = np.empty(len(fields.meanings), np.int64)
    for number, some in enumerate(kinds):
        group_of[list(some)] = number
    count = len(fields.moments.time)
    pairs = np.unique(group_of[fields.kind] * count + fields.moment)
    groups, moments = np.divmod(pairs, count)
    bounds = np.cumsum(np.bincount(groups, minlength=len(kinds))).tolist()
    time, step = fields.moments.time[moments].tolist(), fields.moments.step[moments].tolist()
    found: list[Group] = []
    for some, begin, end in zip(kinds, [0, *bounds], bounds, strict=False):
        meanings = [fields.meanings[kind] for kind in some]
        axes = _axes(meanings, set(time[begin:end]), set(step[begin:end]))
        if axes.size > MOST_CELLS:
            raise UnsupportedFeatureError(f"axes that span {axes.size} cells")
        found.append(Group(some, axes))
    return found


def _axes(meanings: Sequence[Meaning], times: set[int], steps: set[int]) -> Axes:
    numbers: set[int] = set()
    levels: dict[str, set[float]] = {}
    most = 0
    for meaning in meanings:
        if meaning.number is not None:
            numbers.add(meaning.number)
            most = max(most, meaning.total_number or 0)
        levels.setdefault(meaning.type_of_level, set()).add(meaning.level)
    return Axes(
        tuple(sorted(times)),
        tuple(sorted(steps)),
        tuple(sorted(numbers)) if numbers else None,
        {
            kind: tuple(sorted(values, reverse=kind in DECREASING))
            for kind, values in levels.items()
        },
        bool(numbers) and (len(numbers) > 1 or most > 1),
    )


def cells_of(fields: Fields, groups: Sequence[Group]) -> Int64s:
    """Return the place of each field on the axes of its group, int64 `(n,)`.

    Places are those in the C order of (member, time, step, level). Fields that are no members, in
    an ensemble, are behind all others.
    """
    outer, level, height = (np.zeros(len(fields.meanings), np.int64) for _ in range(3))
    for group in groups:
        places = _places(group, fields.meanings)
        outer[list(group.kinds)], level[list(group.kinds)], height[list(group.kinds)] = places
    cells = outer[fields.kind]
    if any(len(group.axes.times) > 1 or len(group.axes.steps) > 1 for group in groups):
        cells = _with_times(cells, fields, groups)
    return cells * height[fields.kind] + level[fields.kind]


def _places(group: Group, meanings: Sequence[Meaning]) -> tuple[list[int], list[int], list[int]]:
    """Return the places of kinds among members, and of levels, and how many levels there are."""
    axes = group.axes
    members: dict[int | None, int] = {}
    if axes.ensemble:
        members = {number: place for place, number in enumerate(axes.numbers or ())}
    at = {
        kind: {level: place for place, level in enumerate(levels)}
        for kind, levels in axes.levels.items()
    }
    own = [meanings[kind] for kind in group.kinds]
    return (
        [members.get(meaning.number, len(members)) for meaning in own],
        [at[meaning.type_of_level][meaning.level] for meaning in own],
        [len(at[meaning.type_of_level]) for meaning in own],
    )


def _with_times(outer: Int64s, fields: Fields, groups: Sequence[Group]) -> Int64s:
    """Return the places on all axes but that of levels, from those among members."""
    group_of = np.empty(len(fields.meanings), np.int64)
    for number, group in enumerate(groups):
        group_of[list(group.kinds)] = number
    of_row = group_of[fields.kind]
    order = np.argsort(of_row, kind="stable")
    bounds = np.cumsum(np.bincount(of_row, minlength=len(groups))).tolist()
    found = outer.copy()
    for group, begin, end in zip(groups, [0, *bounds], bounds, strict=False):
        rows = order[begin:end]
        moments = fields.moment[rows]
        for values, column in (
            (group.axes.times, fields.moments.time),
            (group.axes.steps, fields.moments.step),
        ):
            if len(values) > 1:
                place = np.searchsorted(np.array(values), column[moments])
                found[rows] = found[rows] * len(values) + place
    return found
