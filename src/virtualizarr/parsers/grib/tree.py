"""The tree of groups that a file becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.grib.convert import Rules, to_group
from virtualizarr.parsers.grib.cubes import cubes_of
from virtualizarr.parsers.grib.fields import Fields
from virtualizarr.parsers.grib.geometry import Geometry
from virtualizarr.parsers.grib.groups import groups_of
from virtualizarr.parsers.grib.judging import fields_of, judge
from virtualizarr.parsers.grib.layout import Inventory


@dataclass(frozen=True, slots=True)
class Options:
    """The parser's options; `skipped` is None where nothing may be left out."""

    tree: bool
    filter_by_keys: Mapping[str, Any]
    dtype: str
    squeeze: bool
    drop_variables: frozenset[str]
    skipped: list[str] | None


def build(inventory: Inventory, location: Location, options: Options) -> ManifestGroup:
    """Return the fields of a file as groups of hypercubes.

    Raises UnsupportedFeatureError for fields that cannot be represented, CorruptFileError for
    sections that break the rules.
    """
    judged = judge(inventory, options.filter_by_keys)
    fields, grids = fields_of(inventory, judged, options.filter_by_keys, options.skipped)
    if not len(fields):
        return ManifestGroup()
    rules = Rules(options.dtype, options.squeeze, location, options.skipped)
    arranged = Arranged(fields, grids, judged.geometries, rules, options.drop_variables)
    return arranged.tree() if options.tree else arranged.flat()


@dataclass(frozen=True, slots=True)
class Arranged:
    """Fields that become groups; `grids` are the grids of their meanings, by number."""

    fields: Fields
    grids: Sequence[int]
    geometries: Mapping[int, Geometry]
    rules: Rules
    dropped: frozenset[str]

    def tree(self) -> ManifestGroup:
        """Return groups by type of level, then kind of step, then grid where there are several."""
        sorted_out: dict[str, dict[str, dict[int, list[int]]]] = {}
        for number, (meaning, grid) in enumerate(
            zip(self.fields.meanings, self.grids, strict=True)
        ):
            steps = sorted_out.setdefault(meaning.type_of_level, {})
            steps.setdefault(meaning.step_type, {}).setdefault(grid, []).append(number)
        leaves = [
            kinds
            for steps in sorted_out.values()
            for grids in steps.values()
            for kinds in grids.values()
        ]
        parts = iter(self._groups(leaves))
        return ManifestGroup(
            groups={
                level: ManifestGroup(
                    groups={
                        step: self._on_grids({grid: next(parts) for grid in grids})
                        for step, grids in steps.items()
                    }
                )
                for level, steps in sorted_out.items()
            }
        )

    def _groups(self, kinds: Sequence[Sequence[int]]) -> Iterator[ManifestGroup]:
        """Yield a group for each of some kinds of fields; those of one group are on one grid."""
        groups = groups_of(self.fields, kinds)
        for group, cubes in zip(
            groups, cubes_of(self.fields, groups, self.rules.skipped), strict=True
        ):
            geometry = self.geometries[self.grids[group.kinds[0]]]
            yield _without(to_group(cubes, group.axes, geometry, self.rules), self.dropped)

    def _on_grids(self, parts: Mapping[int, ManifestGroup]) -> ManifestGroup:
        if len(parts) == 1:
            return next(iter(parts.values()))
        groups: dict[str, ManifestGroup] = {}
        for grid, group in parts.items():
            label = self.geometries[grid].grid.label
            taken = sum(name == label or name.startswith(f"{label}_") for name in groups)
            groups[f"{label}_{taken + 1}" if taken else label] = group
        return ManifestGroup(groups=groups)

    def flat(self) -> ManifestGroup:
        """Return one group; UnsupportedFeatureError where names or grids do not allow it."""
        numbers = set(self.grids)
        if len(numbers) > 1:
            labels = sorted(self.geometries[number].grid.label for number in numbers)
            raise UnsupportedFeatureError(
                f"the file has several grids ({', '.join(labels)}); leave out tree=False"
            )
        kinds: dict[str, set[tuple[str, str]]] = {}
        for meaning in self.fields.meanings:
            places = kinds.setdefault(meaning.variable, set())
            places.add((meaning.type_of_level, meaning.step_type))
        for name, several in kinds.items():
            if len(several) > 1:
                said = ", ".join(f"{level} ({step})" for level, step in sorted(several))
                raise UnsupportedFeatureError(
                    f"the variable is on several types of level or steps: {said}; choose with "
                    "filter_by_keys={'typeOfLevel': ..., 'stepType': ...} or leave out tree=False",
                    node=name,
                )
        (group,) = self._groups([range(len(self.fields.meanings))])
        return group


def _without(group: ManifestGroup, dropped: frozenset[str]) -> ManifestGroup:
    if not dropped:
        return group
    arrays: dict[str, ManifestArray] = {
        name: array for name, array in group.arrays.items() if name not in dropped
    }
    return ManifestGroup(arrays, attributes=group.attributes)
