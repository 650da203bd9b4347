"""Which variable a field belongs to, by its name, and what tells fields of one cell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.grib.fields import Fields
from virtualizarr.parsers.grib.product import Meaning
from virtualizarr.parsers.grib.times import Int64s

ALWAYS_NAMED = ("prob", "p", "q")


class Telling(NamedTuple):
    """What may tell a field from another: its meaning, and the length of its interval (seconds)."""

    meaning: Meaning
    span: int

    @property
    def hours(self) -> str:
        return f"{self.span // 3600}h" if self.span % 3600 == 0 else f"{self.span // 60}min"


DISCRIMINATORS: tuple[Callable[[Telling], str], ...] = (
    lambda field: field.meaning.kind,
    lambda field: field.meaning.band,
    lambda field: field.hours,
    lambda field: f"to_{field.meaning.bottom:g}",
    lambda field: f"process_{field.meaning.process}",
    lambda field: field.meaning.centre,
    lambda field: f"subcentre_{field.meaning.sub_centre}",
    lambda field: f"edition_{field.meaning.edition}",
    lambda field: f"increment_{field.meaning.increment}",
)
"""What may tell fields of one cell apart, as a suffix for the variable's name, in this order."""


def variables_of(meanings: Sequence[Meaning], numbers: Iterable[int]) -> Mapping[str, list[int]]:
    """Return which of the `numbers` of meanings each variable has, by the names of the variables.

    Codes of several editions or tables may mean one parameter, and so one variable.
    """
    same: dict[tuple[str, str, str], list[int]] = {}
    for number in numbers:
        meaning = meanings[number]
        same.setdefault((meaning.variable, meaning.code, meaning.kind), []).append(number)
    by_name: dict[str, dict[tuple[str, str], list[int]]] = {}
    for (name, code, kind), some in same.items():
        full = f"{name}_{kind}" if kind and kind.startswith(ALWAYS_NAMED) else name
        by_name.setdefault(full.replace("/", "_"), {})[code, kind] = some
    found: dict[str, list[int]] = {}
    for name, alike in by_name.items():
        if len(alike) == 1:
            (found[name],) = alike.values()
            continue
        one_kind = len({kind for _, kind in alike}) == 1
        one_code = len({code for code, _ in alike}) == 1
        if not one_code:
            one_code = _same_parameter([meanings[some[0]] for some in alike.values()])
        for (code, kind), some in alike.items():
            parts = [name]
            if not one_code:
                parts.append(code.replace(".", "_"))
            if not one_kind and kind and not name.endswith(kind):
                parts.append(kind)
            found.setdefault("_".join(parts), []).extend(some)
    return found


def _same_parameter(meanings: Iterable[Meaning]) -> bool:
    """Say whether codes of two editions or tables mean one parameter."""
    parameters = {meaning.parameter for meaning in meanings}
    numbers = {parameter.param_id for parameter in parameters}
    return len(parameters) == 1 or (len(numbers) == 1 and 0 not in numbers)


def told_apart(
    name: str, fields: Fields, cells: Int64s, rows: Int64s, skipped: list[str] | None
) -> Mapping[str, Int64s]:
    """Return the rows of each variable that the fields `rows` of one name are to become.

    `cells` are the places of all fields on the axes. Where fields of one cell differ in nothing,
    UnsupportedFeatureError or, if `skipped` is a list, the later ones are left out and added to it.
    """
    parts: dict[str, list[Int64s]] = {}
    for suffixed, part in _parts(name, fields, cells, rows, 0):
        parts.setdefault(suffixed, []).append(part)
    joined = {suffixed: np.sort(np.concatenate(some)) for suffixed, some in parts.items()}
    return {
        suffixed: first_of_each(suffixed, fields, cells, some, skipped)
        for suffixed, some in joined.items()
    }


def _parts(
    name: str, fields: Fields, cells: Int64s, rows: Int64s, rank: int
) -> list[tuple[str, Int64s]]:
    count = len(np.unique(cells[rows]))
    if count == len(rows):
        return [(name, rows)]
    spans = fields.moments.span[fields.moment[rows]]
    pairs = list(zip(fields.kind[rows].tolist(), spans.tolist(), strict=True))
    for place in range(rank, len(DISCRIMINATORS)):
        suffixes = {
            pair: DISCRIMINATORS[place](Telling(fields.meanings[pair[0]], pair[1]))
            for pair in dict.fromkeys(pairs)
        }
        kinds = list(dict.fromkeys(suffixes.values()))
        if len(kinds) == 1:
            continue
        codes = np.array([kinds.index(suffixes[pair]) for pair in pairs])
        parts = [rows[codes == code] for code in range(len(kinds))]
        if sum(len(np.unique(cells[part])) for part in parts) > count:
            return [
                found
                for suffix, part in zip(kinds, parts, strict=True)
                for found in _parts(
                    f"{name}_{suffix}" if suffix else name, fields, cells, part, place + 1
                )
            ]
    return [(name, rows)]


def first_of_each(
    name: str, fields: Fields, cells: Int64s, rows: Int64s, skipped: list[str] | None
) -> Int64s:
    """Return the rows without those whose cell an earlier one has; see `told_apart`."""
    _, first, which = np.unique(cells[rows], return_index=True, return_inverse=True)
    later = np.flatnonzero(first[which] != np.arange(len(rows)))
    for place in later.tolist():
        known, other = int(rows[first[which[place]]]), int(rows[place])
        reason = (
            f"two fields for one time, step and level, at bytes {fields.offset[known]} and "
            f"{fields.offset[other]}"
        )
        if skipped is None:
            raise UnsupportedFeatureError(
                f'{reason}; errors="skip" takes the first of them',
                node=name,
                at=int(fields.message[other]),
            )
        skipped.append(f"{name}: {reason}")
    return np.delete(rows, later)
