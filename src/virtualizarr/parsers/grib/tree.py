"""The tree of groups that a file becomes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.grib.convert import Rules, to_group
from virtualizarr.parsers.grib.cubes import Item
from virtualizarr.parsers.grib.geometry import Geometry, geometry_of
from virtualizarr.parsers.grib.layout import Field, Inventory
from virtualizarr.parsers.grib.packing import check_packing
from virtualizarr.parsers.grib.product import keys_of
from virtualizarr.parsers.grib.product1 import product_1
from virtualizarr.parsers.grib.product2 import product_2


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
    geometries: dict[int, Geometry] = {}
    items: list[tuple[Item, int]] = []
    same: dict[Hashable, int] = {}
    alike: dict[int, int] = {}
    checked: set[Hashable] = set()
    for field in inventory.fields:
        try:
            item = Item(field, product_1(field) if field.edition == 1 else product_2(field))
            if options.filter_by_keys and not _wanted(item, options.filter_by_keys):
                continue
            if field.grid not in geometries:
                geometry = geometry_of(inventory.grids[field.grid])
                geometries[field.grid] = geometry
                alike[field.grid] = same.setdefault(geometry.points, field.grid)
            packing = field.edition, field.packing, field.grid, field.values
            if packing not in checked:
                check_packing(field, geometries[field.grid].grid)
                checked.add(packing)
        except VirtualizeError as error:
            if options.skipped is None:
                raise error.located(at=field.message) from error.__cause__
            options.skipped.append(f"field at byte {field.offset}: {error.reason}")
            continue
        items.append((item, alike[field.grid]))
    if not items:
        return ManifestGroup()
    rules = Rules(options.dtype, options.squeeze, location, options.skipped)
    if options.tree:
        return _tree(items, geometries, rules, options.drop_variables)
    return _flat(items, geometries, rules, options.drop_variables)


def _wanted(item: Item, filters: Mapping[str, Any]) -> bool:
    keys = keys_of(item.product)
    for key, wanted in filters.items():
        if key not in keys:
            raise UnsupportedFeatureError(
                f"filter_by_keys does not know {key!r}; it knows {', '.join(keys)}"
            )
        several = isinstance(wanted, list | tuple | set | frozenset)
        if keys[key] not in (wanted if several else (wanted,)):
            return False
    return True


def _tree(
    items: Sequence[tuple[Item, int]],
    geometries: Mapping[int, Geometry],
    rules: Rules,
    dropped: frozenset[str],
) -> ManifestGroup:
    """Return groups by type of level, then kind of step, then grid where there are several."""
    sorted_out: dict[str, dict[str, dict[int, list[Item]]]] = {}
    for item, grid in items:
        meaning = item.product.meaning
        steps = sorted_out.setdefault(meaning.type_of_level, {})
        steps.setdefault(meaning.step_type, {}).setdefault(grid, []).append(item)
    return ManifestGroup(
        groups={
            level: ManifestGroup(
                groups={
                    step: _on_grids(grids, geometries, rules, dropped)
                    for step, grids in steps.items()
                }
            )
            for level, steps in sorted_out.items()
        }
    )


def _on_grids(
    grids: Mapping[int, list[Item]],
    geometries: Mapping[int, Geometry],
    rules: Rules,
    dropped: frozenset[str],
) -> ManifestGroup:
    groups: dict[str, ManifestGroup] = {}
    for number, items in grids.items():
        label = geometries[number].grid.label
        taken = sum(name == label or name.startswith(f"{label}_") for name in groups)
        group = _without(to_group(items, geometries[number], rules), dropped)
        if len(grids) == 1:
            return group
        groups[f"{label}_{taken + 1}" if taken else label] = group
    return ManifestGroup(groups=groups)


def _flat(
    items: Sequence[tuple[Item, int]],
    geometries: Mapping[int, Geometry],
    rules: Rules,
    dropped: frozenset[str],
) -> ManifestGroup:
    grids = {number for _, number in items}
    if len(grids) > 1:
        labels = sorted(geometries[number].grid.label for number in grids)
        raise UnsupportedFeatureError(
            f"the file has several grids ({', '.join(labels)}); leave out tree=False"
        )
    kinds: dict[str, set[tuple[str, str]]] = {}
    for item, _ in items:
        meaning = item.product.meaning
        kinds.setdefault(meaning.variable, set()).add((meaning.type_of_level, meaning.step_type))
    for name, several in kinds.items():
        if len(several) > 1:
            places = ", ".join(f"{level} ({step})" for level, step in sorted(several))
            raise UnsupportedFeatureError(
                f"the variable is on several types of level or steps: {places}; choose with "
                "filter_by_keys={'typeOfLevel': ..., 'stepType': ...} or leave out tree=False",
                node=name,
            )
    group = to_group([item for item, _ in items], geometries[items[0][1]], rules)
    return _without(group, dropped)


def _without(group: ManifestGroup, dropped: frozenset[str]) -> ManifestGroup:
    if not dropped:
        return group
    arrays: dict[str, ManifestArray] = {
        name: array for name, array in group.arrays.items() if name not in dropped
    }
    return ManifestGroup(arrays, attributes=group.attributes)


def fields_of(inventory: Inventory) -> Sequence[Field]:
    """Return the fields of a file in its order."""
    return inventory.fields
