"""Hypercubes to the virtual Zarr model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import (
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
    RegularGrid,
)
from virtualizarr.parsers.grib.axes import (
    has_level_axis,
    level_array,
    number_array,
    step_array,
    time_array,
    valid_time_array,
)
from virtualizarr.parsers.grib.concepts import UNKNOWN
from virtualizarr.parsers.grib.cubes import Cube
from virtualizarr.parsers.grib.geometry import Geometry
from virtualizarr.parsers.grib.groups import Axes
from virtualizarr.parsers.grib.product import Meaning

CODEC = "virtualizarr.grib"
MOST_EMPTY = 16
"""How many cells to a field a manifest may have that is made with all its columns."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How groups are made: see the parser's options of the same names."""

    dtype: str
    squeeze: bool
    location: Location
    skipped: list[str] | None = field(default=None)


def to_group(cubes: Sequence[Cube], axes: Axes, geometry: Geometry, rules: Rules) -> ManifestGroup:
    """Return the variables of fields on one grid, with their coordinates."""
    layout = _Layout(axes, geometry, rules)
    arrays: dict[str, ManifestArray] = dict(layout.coordinates())
    for cube in cubes:
        if cube.name in arrays:
            raise UnsupportedFeatureError(
                f"a variable has the name of the coordinate {cube.name!r}", node=cube.name
            )
        arrays[cube.name] = layout.variable(cube)
    return ManifestGroup(arrays, attributes=_group_attributes(cubes[0].meaning))


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


@dataclass(frozen=True, slots=True)
class _Form:
    """The shape of variables; `coordinates` are those that are no dimensions."""

    shape: tuple[int, ...]
    grid_shape: tuple[int, ...]
    chunks: RegularGrid
    dimensions: tuple[str, ...]
    coordinates: str


class _Layout:
    """The axes of a group and what they are made into."""

    def __init__(self, axes: Axes, geometry: Geometry, rules: Rules) -> None:
        self.axes, self.geometry = axes, geometry
        self.locations = (rules.location,)
        self.forms: dict[tuple[str, bool], _Form] = {}
        squeeze = rules.squeeze
        self.kept = {
            "number": axes.ensemble and not (squeeze and len(axes.numbers or ()) == 1),
            "time": not (squeeze and len(axes.times) == 1),
            "step": not (squeeze and len(axes.steps) == 1),
        }
        self.level_kept = {
            kind: has_level_axis(kind, levels) and not (squeeze and len(levels) == 1)
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
                at=int(cube.offset.min()),
            )
        form = self._form(cube.meaning.type_of_level, self.kept["number"] and cube.members)
        metadata = ArrayMetadata(
            shape=form.shape,
            data_type=self.stored.data_type,
            chunk_grid=form.chunks,
            codecs=self.stored.codecs,
            fill_value=self.stored.fill_value,
            attributes=self._attributes(cube.meaning, form),
            dimension_names=form.dimensions,
        )
        return ManifestArray(metadata, self._manifest(cube, form.grid_shape))

    def _form(self, level: str, members: bool) -> _Form:
        """Return what variables on one type of level have in common."""
        known = self.forms.get((level, members))
        if known is None:
            known = self.forms[level, members] = self._formed(level, members)
        return known

    def _formed(self, level: str, members: bool) -> _Form:
        axes, kept, geometry = self.axes, self.kept, self.geometry
        sizes = [("number", len(axes.numbers or ()))] if members else []
        sizes += [
            (name, len(values))
            for name, values in (("time", axes.times), ("step", axes.steps))
            if kept[name]
        ]
        if self.level_kept[level]:
            sizes.append((level, len(axes.levels[level])))
        lengths = [size for _, size in sizes]
        loose = ["valid_time", *geometry.auxiliary]
        if not kept["number"] and axes.numbers and len(axes.numbers) == 1:
            loose.append("number")
        loose += [name for name in ("time", "step") if not kept[name]]
        if level != UNKNOWN and not self.level_kept[level]:
            loose.append(level)
        return _Form(
            shape=(*lengths, *geometry.shape),
            grid_shape=(*lengths, *(1,) * len(geometry.shape)),
            chunks=_chunks(len(lengths), geometry.shape),
            dimensions=(*[name for name, _ in sizes], *geometry.dimensions),
            coordinates=" ".join(loose),
        )

    def _manifest(self, cube: Cube, grid_shape: tuple[int, ...]) -> ChunkManifest:
        cells, offsets, lengths = cube.cells, cube.offset, cube.length
        count = prod(grid_shape)
        if len(cells) == count:
            return ChunkManifest.from_columns(
                self.locations,
                _first_location(grid_shape),
                offsets.reshape(grid_shape),
                lengths.reshape(grid_shape),
            )
        if self.axes.ensemble and not cube.members:
            cells = cells - len(self.axes.numbers or ()) * count
        if count > MOST_EMPTY * len(cells):
            return ChunkManifest.from_rows(
                grid_shape, *self.locations, cells, offsets, lengths, self.locations[0].size
            )
        offset, length = np.zeros(count, np.uint64), np.zeros(count, lengths.dtype)
        offset[cells], length[cells] = offsets, lengths
        codes = np.full(count, MISSING, np.uint32)
        codes[cells] = 0
        return ChunkManifest.from_columns(
            self.locations,
            codes.reshape(grid_shape),
            offset.reshape(grid_shape),
            length.reshape(grid_shape),
        )

    def _attributes(self, meaning: Meaning, form: _Form) -> dict[str, Any]:
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
            **({"GRIB_totalNumber": meaning.total_number} if self.kept["number"] else {}),
            **self.geometry.attributes,
            "long_name": parameter.name if parameter.name != UNKNOWN else meaning.variable,
            "units": parameter.units if parameter.units != UNKNOWN else "1",
        }
        if meaning.cf_name != UNKNOWN:
            found["standard_name"] = meaning.cf_name
        if self.geometry.mapping is not None:
            found["grid_mapping"] = self.geometry.mapping
        found["coordinates"] = form.coordinates
        return found


def _group_attributes(meaning: Meaning) -> dict[str, Any]:
    return {
        "GRIB_edition": meaning.edition,
        "GRIB_centre": meaning.centre,
        "GRIB_centreDescription": meaning.centre_name,
        "GRIB_subCentre": meaning.sub_centre,
        "Conventions": "CF-1.7",
        "institution": meaning.centre_name,
    }
