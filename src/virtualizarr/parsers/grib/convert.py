"""Hypercubes to the virtual Zarr model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import (
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
    RegularGrid,
)
from virtualizarr.model.manifest import Column
from virtualizarr.parsers.grib.axes import (
    level_array,
    number_array,
    step_array,
    time_array,
    valid_time_array,
)
from virtualizarr.parsers.grib.concepts import UNKNOWN
from virtualizarr.parsers.grib.cubes import Axes, Cube, Item, axes_of, cubes_of, has_level_axis
from virtualizarr.parsers.grib.geometry import Geometry
from virtualizarr.parsers.grib.product import Meaning

CODEC = "virtualizarr.grib"
NARROW = 1 << 32
MOST_EMPTY = 16
"""How many cells to a field a manifest may have that is made with all its columns."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How groups are made: see the parser's options of the same names."""

    dtype: str
    squeeze: bool
    location: Location
    skipped: list[str] | None = field(default=None)


def to_group(items: Sequence[Item], geometry: Geometry, rules: Rules) -> ManifestGroup:
    """Return the variables of fields on one grid, with their coordinates."""
    cubes = cubes_of(items, rules.skipped)
    axes = axes_of(cubes)
    ensemble = axes.numbers is not None and (
        len(axes.numbers) > 1 or any((item.product.meaning.total_number or 0) > 1 for item in items)
    )
    layout = _Layout(axes, geometry, rules, ensemble)
    arrays: dict[str, ManifestArray] = dict(layout.coordinates())
    for cube in cubes:
        if cube.name in arrays:
            raise UnsupportedFeatureError(
                f"a variable has the name of the coordinate {cube.name!r}", node=cube.name
            )
        arrays[cube.name] = layout.variable(cube)
    return ManifestGroup(arrays, attributes=_group_attributes(items[0].product.meaning))


@lru_cache(maxsize=64)
def _stored(dtype: str, row: int) -> ArrayMetadata:
    """Return metadata with the data type, the codecs and the fill value of all variables."""
    codec: dict[str, Any] = {"dtype": dtype, "row": row}
    return ArrayMetadata.create(
        shape=(),
        dtype=np.dtype(dtype).newbyteorder("<"),
        chunk_shape=(),
        codecs=({"name": CODEC, "configuration": codec},),
        fill_value=np.nan,
    )


@lru_cache(maxsize=256)
def _chunks(axes: int, shape: tuple[int, ...]) -> RegularGrid:
    """Return the chunk grid of one field to a chunk."""
    return RegularGrid((1,) * axes + tuple(max(1, size) for size in shape))


@lru_cache(maxsize=256)
def _first_location(grid_shape: tuple[int, ...]) -> npt.NDArray[np.uint32]:
    return np.broadcast_to(np.uint32(0), grid_shape)


class _Layout:
    """The axes of a group and what they are made into."""

    def __init__(self, axes: Axes, geometry: Geometry, rules: Rules, ensemble: bool) -> None:
        self.axes, self.geometry, self.rules = axes, geometry, rules
        squeeze = rules.squeeze
        self.kept = {
            "number": ensemble and not (squeeze and len(axes.numbers or ()) == 1),
            "time": not (squeeze and len(axes.times) == 1),
            "step": not (squeeze and len(axes.steps) == 1),
        }
        self.level_kept = {
            kind: has_level_axis(kind, levels) and not (squeeze and len(levels) == 1)
            for kind, levels in axes.levels.items()
        }
        self.place = {
            "number": {value: i for i, value in enumerate(axes.numbers or ())},
            "time": {value: i for i, value in enumerate(axes.times)},
            "step": {value: i for i, value in enumerate(axes.steps)},
        }
        self.level_place = {
            kind: {value: i for i, value in enumerate(levels)}
            for kind, levels in axes.levels.items()
        }
        self.stored = _stored(rules.dtype, geometry.grid.alternate_row)

    def coordinates(self) -> Mapping[str, ManifestArray]:
        """Return the coordinate arrays of the group."""
        axes, kept = self.axes, self.kept
        found = {
            "time": time_array(axes.times, not kept["time"]),
            "step": step_array(axes.steps, not kept["step"]),
            "valid_time": valid_time_array(
                axes.times, axes.steps, (not kept["time"], not kept["step"])
            ),
        }
        if axes.numbers is not None and (kept["number"] or len(axes.numbers) == 1):
            found["number"] = number_array(axes.numbers, not kept["number"])
        for kind, levels in axes.levels.items():
            if kind != UNKNOWN or self.level_kept[kind]:
                found[kind] = level_array(kind, levels, not self.level_kept[kind])
        return {**found, **self.geometry.coordinates}

    def variable(self, cube: Cube) -> ManifestArray:
        """Return the array of one variable; CorruptFileError if its grid has no points."""
        if 0 in self.geometry.shape:
            raise CorruptFileError(
                f"{cube.name}: a grid of shape {self.geometry.shape} has no points",
                at=cube.items[0].field.offset,
            )
        meaning = cube.items[0].product.meaning
        kind = meaning.type_of_level
        axes, kept = self.axes, self.kept
        sizes: list[tuple[str, int]] = []
        if kept["number"] and meaning.number is not None:
            sizes.append(("number", len(axes.numbers or ())))
        sizes += [
            (name, len(values))
            for name, values in (("time", axes.times), ("step", axes.steps))
            if kept[name]
        ]
        if self.level_kept[kind]:
            sizes.append((kind, len(axes.levels[kind])))
        lengths = [size for _, size in sizes]
        geometry = self.geometry
        metadata = ArrayMetadata(
            shape=(*lengths, *geometry.shape),
            data_type=self.stored.data_type,
            chunk_grid=_chunks(len(lengths), geometry.shape),
            codecs=self.stored.codecs,
            fill_value=self.stored.fill_value,
            attributes=self._attributes(meaning, kept["number"]),
            dimension_names=(*[name for name, _ in sizes], *geometry.dimensions),
        )
        grid_shape = (*lengths, *(1,) * len(geometry.shape))
        return ManifestArray(metadata, self._manifest(cube, sizes, grid_shape))

    def _manifest(
        self, cube: Cube, sizes: Sequence[tuple[str, int]], grid_shape: tuple[int, ...]
    ) -> ChunkManifest:
        items, location = cube.items, self.rules.location
        count = prod(grid_shape)
        if count == 1:
            field = items[0].field
            kind = np.uint32 if field.length < NARROW else np.uint64
            size: Column = np.full(grid_shape, field.length, kind)
            return ChunkManifest.from_columns(
                (location,),
                _first_location(grid_shape),
                np.array(field.offset, np.uint64).reshape(grid_shape),
                size,
            )
        cells = self._cells(cube, sizes)
        offsets = [item.field.offset for item in items]
        lengths = [item.field.length for item in items]
        if count > MOST_EMPTY * len(items):
            order = np.argsort(cells)
            rows = np.array([cells, offsets, lengths], np.int64)[:, order]
            columns = rows[1].astype(np.uint64), rows[2].astype(np.uint64)
            return ChunkManifest.from_rows(grid_shape, location, rows[0], *columns, location.size)
        offset = np.zeros(count, np.uint64)
        narrow = max(lengths) < NARROW
        length: Column = np.zeros(count, np.uint32) if narrow else np.zeros(count, np.uint64)
        offset[cells], length[cells] = offsets, lengths
        codes = _first_location(grid_shape)
        if len(items) < count:
            present = np.full(count, MISSING, np.uint32)
            present[cells] = 0
            codes = present.reshape(grid_shape)
        return ChunkManifest.from_columns(
            (location,), codes, offset.reshape(grid_shape), length.reshape(grid_shape)
        )

    def _cells(self, cube: Cube, sizes: Sequence[tuple[str, int]]) -> list[int]:
        """Return the place of each field in the C order of the chunk grid."""
        items = cube.items
        cells = [0] * len(items)
        for name, size in sizes:
            if size == 1:
                continue
            if name == "time":
                place = self.place["time"]
                along = [place[item.product.time] for item in items]
            elif name == "step":
                place = self.place["step"]
                along = [place[item.product.step] for item in items]
            elif name == "number":
                place = self.place["number"]
                along = [place[_member(item, cube)] for item in items]
            else:
                levels = self.level_place[name]
                along = [levels[item.product.meaning.level] for item in items]
            cells = [cell * size + more for cell, more in zip(cells, along, strict=True)]
        return cells

    def _attributes(self, meaning: Meaning, ensemble: bool) -> dict[str, Any]:
        parameter = meaning.parameter
        found: dict[str, Any] = {
            "GRIB_paramId": parameter.param_id,
            "GRIB_shortName": parameter.short_name,
            "GRIB_name": parameter.name,
            "GRIB_units": parameter.units,
            "GRIB_cfName": meaning.cf_name,
            "GRIB_cfVarName": meaning.variable,
            "GRIB_parameter": meaning.code,
            "GRIB_typeOfLevel": meaning.type_of_level,
            "GRIB_stepType": meaning.step_type,
            **({"GRIB_statistics": meaning.kind} if meaning.kind else {}),
            **({"GRIB_totalNumber": meaning.total_number} if ensemble else {}),
            **self.geometry.attributes,
            "long_name": parameter.name if parameter.name != UNKNOWN else meaning.variable,
            "units": parameter.units if parameter.units != UNKNOWN else "1",
        }
        if meaning.cf_name != UNKNOWN:
            found["standard_name"] = meaning.cf_name
        if self.geometry.mapping is not None:
            found["grid_mapping"] = self.geometry.mapping
        loose = ["valid_time", *self.geometry.auxiliary]
        loose += [name for name in ("number", "time", "step") if not self.kept[name]]
        if meaning.type_of_level != UNKNOWN and not self.level_kept[meaning.type_of_level]:
            loose.append(meaning.type_of_level)
        if "number" in loose and not (self.axes.numbers and len(self.axes.numbers) == 1):
            loose.remove("number")
        found["coordinates"] = " ".join(loose)
        return found


def _member(item: Item, cube: Cube) -> int:
    number = item.product.meaning.number
    if number is None:
        raise UnsupportedFeatureError(
            "some fields of the variable are members of an ensemble, others are not; "
            "filter_by_keys can choose",
            node=cube.name,
            at=item.field.message,
        )
    return number


def _group_attributes(meaning: Meaning) -> dict[str, Any]:
    return {
        "GRIB_edition": meaning.edition,
        "GRIB_centre": meaning.centre,
        "GRIB_centreDescription": meaning.centre_name,
        "GRIB_subCentre": meaning.sub_centre,
        "Conventions": "CF-1.7",
        "institution": meaning.centre_name,
    }


def skip_or_raise(error: VirtualizeError, item: str, skipped: list[str] | None) -> None:
    """Add the error to what was skipped, or raise it where nothing may be."""
    if skipped is None:
        raise error
    skipped.append(f"{item}: {error.reason}")
