"""Fields to hypercubes: variables over members, times, steps and levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.grib.fields import Fields, Lengths
from virtualizarr.parsers.grib.groups import Group, cells_of
from virtualizarr.parsers.grib.names import first_of_each, told_apart, variables_of
from virtualizarr.parsers.grib.product import Meaning
from virtualizarr.parsers.grib.times import Int64s

type Rows = Int64s | slice


@dataclass(frozen=True, slots=True)
class Cube:
    """One variable: its fields by the order of `cells`, which are as `cells_of` has them.

    `meaning` is that of the first field in the file. `members` says whether the fields are members
    of an ensemble whose members are an axis.
    """

    name: str
    meaning: Meaning
    members: bool
    cells: Int64s
    offset: npt.NDArray[np.uint64]
    length: Lengths


def cubes_of(
    fields: Fields, groups: Sequence[Group], skipped: list[str] | None
) -> list[list[Cube]]:
    """Return the variables of each group; errors and `skipped` as for `told_apart`.

    Raises UnsupportedFeatureError also where a variable has members of an ensemble and others.
    """
    names: list[str] = []
    kinds: list[list[int]] = []
    counts: list[int] = []
    for group in groups:
        variables = variables_of(fields.meanings, group.kinds)
        names += variables
        kinds += variables.values()
        counts.append(len(variables))
    variable_of = np.empty(len(fields.meanings), np.int64)
    for number, some in enumerate(kinds):
        variable_of[some] = number
    cells, variable = cells_of(fields, groups), variable_of[fields.kind]
    order = np.lexsort((cells, variable))
    placed, sorted_out = cells[order], variable[order]
    again = (placed[1:] == placed[:-1]) & (sorted_out[1:] == sorted_out[:-1])
    doubtful = set(sorted_out[1:][again].tolist())
    columns = _Columns(fields, order, placed, fields.offset[order], fields.length[order])
    columns.offset.flags.writeable = columns.length.flags.writeable = False
    bounds = [0, *np.cumsum(np.bincount(variable, minlength=len(names))).tolist()]
    found: list[list[Cube]] = []
    start = 0
    for group, count in zip(groups, counts, strict=True):
        ensemble = group.axes.ensemble
        own = range(start, start + count)
        start += count
        if doubtful.isdisjoint(own):
            found.append(
                [
                    columns.cube(names[i], kinds[i], slice(bounds[i], bounds[i + 1]), ensemble)
                    for i in own
                ]
            )
        else:
            rows = {names[i]: np.sort(order[bounds[i] : bounds[i + 1]]) for i in own}
            apart = _told_apart(fields, cells, rows, {names[i] for i in doubtful & {*own}}, skipped)
            found.append(
                [columns.cube_of_rows(name, cells, some, ensemble) for name, some in apart.items()]
            )
    return found


def _told_apart(
    fields: Fields,
    cells: Int64s,
    variables: Mapping[str, Int64s],
    doubtful: set[str],
    skipped: list[str] | None,
) -> Mapping[str, Int64s]:
    """Return the rows of variables, of which `doubtful` ones have several fields for one cell."""
    found: dict[str, list[Int64s]] = {}
    for name, rows in variables.items():
        parts: Mapping[str, Int64s] = {name: rows}
        if name in doubtful:
            parts = told_apart(name, fields, cells, rows, skipped)
        for suffixed, part in parts.items():
            found.setdefault(suffixed, []).append(part)
    return {
        name: first_of_each(name, fields, cells, np.sort(np.concatenate(several)), skipped)
        for name, several in found.items()
    }


@dataclass(frozen=True, slots=True)
class _Columns:
    """Fields by variable and cell: `order` are their rows; the other columns are in that order."""

    fields: Fields
    order: Int64s
    cells: Int64s
    offset: npt.NDArray[np.uint64]
    length: Lengths

    def cube(self, name: str, kinds: Sequence[int], places: slice, ensemble: bool) -> Cube:
        """Return the variable of some kinds, whose fields are at `places`."""
        meaning = self.fields.meanings[kinds[0]]
        if ensemble and len({self.fields.meanings[kind].number is None for kind in kinds}) > 1:
            self._refuse(name, self.order[places])
        columns = self.cells[places], self.offset[places], self.length[places]
        return Cube(name, meaning, ensemble and meaning.number is not None, *columns)

    def cube_of_rows(self, name: str, cells: Int64s, rows: Int64s, ensemble: bool) -> Cube:
        """Return the variable of some fields, of which all the `cells` are given."""
        kinds = list(dict.fromkeys(self.fields.kind[rows].tolist()))
        order = rows[np.argsort(cells[rows])]
        columns = _Columns(
            self.fields, order, cells[order], self.fields.offset[order], self.fields.length[order]
        )
        return columns.cube(name, kinds, slice(None), ensemble)

    def _refuse(self, name: str, rows: Int64s) -> None:
        fields = self.fields
        alone = [row for row in rows if fields.meanings[fields.kind[row]].number is None]
        raise UnsupportedFeatureError(
            "some fields of the variable are members of an ensemble, others are not; "
            "filter_by_keys can choose",
            node=name,
            at=int(fields.message[min(alone)]),
        )
