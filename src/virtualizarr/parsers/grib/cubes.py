"""Fields to hypercubes: variables over members, times, steps and levels.

The axes of a group are the union over its variables; cells without a field are missing chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.grib.axes import WITHOUT_VALUES
from virtualizarr.parsers.grib.layout import Field
from virtualizarr.parsers.grib.product import Meaning, Product

ALWAYS_NAMED = ("prob", "p", "q")
DECREASING = frozenset({"isobaricInhPa", "isobaricInPa"})


class Item(NamedTuple):
    """A field and what it is."""

    field: Field
    product: Product


@dataclass(frozen=True, slots=True)
class Axes:
    """The coordinates of a group; `levels` by type of level. None: there is no such axis."""

    times: tuple[int, ...]
    steps: tuple[int, ...]
    numbers: tuple[int, ...] | None
    levels: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Cube:
    """One variable: its fields and their places along the axes (number, time, step, level)."""

    name: str
    items: Sequence[Item]


def _span_suffix(item: Item) -> str:
    span = item.product.span
    return f"{span // 3600}h" if span % 3600 == 0 else f"{span // 60}min"


DISCRIMINATORS: tuple[Callable[[Item], str], ...] = (
    lambda item: item.product.meaning.kind,
    lambda item: item.product.meaning.band,
    _span_suffix,
    lambda item: f"to_{item.product.meaning.bottom:g}",
    lambda item: f"process_{item.product.meaning.process}",
    lambda item: item.product.meaning.centre,
    lambda item: f"subcentre_{item.product.meaning.sub_centre}",
    lambda item: f"edition_{item.product.meaning.edition}",
)
"""What may tell fields of one cell apart, as a suffix for the variable's name, in this order."""


def cubes_of(items: Iterable[Item], skipped: list[str] | None) -> list[Cube]:
    """Return the variables of a group.

    Fields for one cell are told apart by what differs; where nothing does, UnsupportedFeatureError
    or, if `skipped` is a list, the later ones are left out and added to it.
    """
    by_name: dict[str, dict[tuple[str, str], list[Item]]] = {}
    for item in items:
        meaning = item.product.meaning
        name = meaning.variable
        if meaning.kind and meaning.kind.startswith(ALWAYS_NAMED):
            name = f"{name}_{meaning.kind}"
        identity = (meaning.code, meaning.kind)
        by_name.setdefault(name.replace("/", "_"), {}).setdefault(identity, []).append(item)
    found: list[Cube] = []
    for name, alike in by_name.items():
        for (code, kind), members in alike.items():
            one_code = len({each for each, _ in alike}) == 1
            one_kind = len({each for _, each in alike}) == 1
            parts = [name]
            if not one_code and not _same_parameter(alike):
                parts.append(code.replace(".", "_"))
            if not one_kind and kind and not name.endswith(kind):
                parts.append(kind)
            found += _told_apart("_".join(parts), members, 0, skipped)
    return _merged(found)


def _same_parameter(alike: Mapping[tuple[str, str], list[Item]]) -> bool:
    """Say whether codes of two editions or tables mean one parameter."""
    parameters = [items[0].product.meaning.parameter for items in alike.values()]
    numbers = {parameter.param_id for parameter in parameters}
    return len(set(parameters)) == 1 or (len(numbers) == 1 and 0 not in numbers)


def _merged(cubes: Sequence[Cube]) -> list[Cube]:
    """Join cubes of one name, which hold one parameter by several codes."""
    merged: dict[str, list[Item]] = {}
    for cube in cubes:
        merged.setdefault(cube.name, []).extend(cube.items)
    return [Cube(name, items) for name, items in merged.items()]


def cell_of(item: Item) -> tuple[int | None, int, int, float]:
    """Return the coordinates of a field: member, time, step, level."""
    product = item.product
    return product.meaning.number, product.time, product.step, product.meaning.level


def _told_apart(name: str, items: list[Item], rank: int, skipped: list[str] | None) -> list[Cube]:
    if len({cell_of(item) for item in items}) == len(items):
        return [Cube(name, items)]
    for place in range(rank, len(DISCRIMINATORS)):
        parts: dict[str, list[Item]] = {}
        for item in items:
            parts.setdefault(DISCRIMINATORS[place](item), []).append(item)
        if len(parts) > 1 and _helps(parts.values(), len({cell_of(item) for item in items})):
            return [
                cube
                for suffix, part in parts.items()
                for cube in _told_apart(
                    f"{name}_{suffix}" if suffix else name, part, place + 1, skipped
                )
            ]
    return [Cube(name, _first_of_each(name, items, skipped))]


def _helps(parts: Iterable[list[Item]], cells: int) -> bool:
    """Say whether the parts hold more cells together than they did as one."""
    return sum(len({cell_of(item) for item in part}) for part in parts) > cells


def _first_of_each(name: str, items: list[Item], skipped: list[str] | None) -> list[Item]:
    first: dict[tuple[int | None, int, int, float], Item] = {}
    for item in items:
        known = first.setdefault(cell_of(item), item)
        if known is item:
            continue
        reason = (
            f"two fields for one time, step and level, at bytes {known.field.offset} and "
            f"{item.field.offset}"
        )
        if skipped is None:
            raise UnsupportedFeatureError(
                f'{reason}; errors="skip" takes the first of them', node=name, at=item.field.message
            )
        skipped.append(f"{name}: {reason}")
    return list(first.values())


def axes_of(cubes: Sequence[Cube]) -> Axes:
    """Return the union of the coordinates of all variables."""
    meanings: dict[Meaning, None] = {}
    times: set[int] = set()
    steps: set[int] = set()
    for cube in cubes:
        for item in cube.items:
            meanings[item.product.meaning] = None
            times.add(item.product.time)
            steps.add(item.product.step)
    numbers = {meaning.number for meaning in meanings if meaning.number is not None}
    levels: dict[str, set[float]] = {}
    for meaning in meanings:
        levels.setdefault(meaning.type_of_level, set()).add(meaning.level)
    return Axes(
        tuple(sorted(times)),
        tuple(sorted(steps)),
        tuple(sorted(numbers)) if numbers else None,
        {
            kind: tuple(sorted(values, reverse=kind in DECREASING))
            for kind, values in levels.items()
        },
    )


def has_level_axis(kind: str, levels: Sequence[float]) -> bool:
    """Say whether levels of a type are a dimension, even where there is one."""
    return len(levels) > 1 or kind not in WITHOUT_VALUES
