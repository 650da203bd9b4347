"""Coordinate arrays: few values, kept inline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray

TIME = {
    "units": "seconds since 1970-01-01T00:00:00",
    "calendar": "proleptic_gregorian",
    "standard_name": "forecast_reference_time",
    "long_name": "initial time of forecast",
}
VALID_TIME = {
    "units": "seconds since 1970-01-01T00:00:00",
    "calendar": "proleptic_gregorian",
    "standard_name": "time",
    "long_name": "time",
}
STEP = {
    "units": "seconds",
    "dtype": "timedelta64[ns]",
    "standard_name": "forecast_period",
    "long_name": "time since forecast_reference_time",
}
NUMBER = {
    "units": "1",
    "standard_name": "realization",
    "long_name": "ensemble member numerical id",
}
_PRESSURE = {"positive": "down", "standard_name": "air_pressure", "long_name": "pressure"}
_DEPTH = {"units": "m", "positive": "down", "standard_name": "depth", "long_name": "soil depth"}
LEVELS: Mapping[str, Mapping[str, Any]] = {
    "isobaricInhPa": {"units": "hPa", **_PRESSURE, "stored_direction": "decreasing"},
    "isobaricInPa": {"units": "Pa", **_PRESSURE, "stored_direction": "decreasing"},
    "isobaricLayer": {"units": "hPa", **_PRESSURE},
    "depthBelowLand": _DEPTH,
    "depthBelowLandLayer": _DEPTH,
    "heightAboveGround": {
        "units": "m",
        "positive": "up",
        "standard_name": "height",
        "long_name": "height above the surface",
    },
    "heightAboveSea": {
        "units": "m",
        "positive": "up",
        "standard_name": "altitude",
        "long_name": "height above mean sea level",
    },
    "hybrid": {
        "units": "1",
        "positive": "down",
        "long_name": "hybrid level",
        "standard_name": "atmosphere_hybrid_sigma_pressure_coordinate",
    },
    "sigma": {
        "units": "1",
        "positive": "down",
        "long_name": "sigma",
        "standard_name": "atmosphere_sigma_coordinate",
    },
    "theta": {"units": "K", "positive": "up", "standard_name": "air_potential_temperature"},
    "potentialVorticity": {"units": "1e-9 K m2 kg-1 s-1", "long_name": "potential vorticity"},
    "pressureFromGroundLayer": {"units": "Pa", "long_name": "pressure difference to the ground"},
    "depthBelowSea": {"units": "m", "positive": "down", "standard_name": "depth"},
}
"""Attributes of levels, by type, in cfgrib's words where it has them."""

DECREASING = frozenset({"isobaricInhPa", "isobaricInPa"})
"""Types of level whose levels are listed from the greatest value to the least."""

WITHOUT_VALUES = frozenset(
    {
        *("surface", "meanSea", "tropopause", "nominalTop", "seaBottom", "atmosphere", "maxWind"),
        *("isothermZero", "cloudBase", "cloudTop", "entireAtmosphere", "entireOcean", "entireLake"),
        *("adiabaticCondensation", "atmosphereSingleLayer", "oceanSingleLayer", "troposphere"),
        *("highestTroposphericFreezing", "gridScaleCloudBottom", "gridScaleCloudTop"),
        *("boundaryLayerCloudBottom", "boundaryLayerCloudTop", "boundaryLayerCloudLayer"),
        *("lowCloudBottom", "lowCloudTop", "lowCloudLayer", "cloudCeiling", "stratosphere"),
        *("middleCloudBottom", "middleCloudTop", "middleCloudLayer", "mediumCloudLayer"),
        *("highCloudBottom", "highCloudTop", "highCloudLayer", "planetaryBoundaryLayer"),
        *("convectiveCloudBottom", "convectiveCloudTop", "convectiveCloudLayer", "stratopause"),
        *("shallowConvectiveCloudBottom", "shallowConvectiveCloudTop", "hygropause"),
        *("deepConvectiveCloudBottom", "deepConvectiveCloudTop", "lowestLevelWetBulb0"),
        *("equilibrium", "mostUnstableParcel", "mixedLayerParcel", "freeConvection"),
        *("convectiveCondensation", "neutralBuoyancy", "cumulonimbusBase", "cumulonimbusTop"),
        *("oceanSurface", "lakeBottom", "mixingLayer", "iceTopOnWater", "iceLayerOnWater"),
        *("iceTopUnderSnowOnWater", "iceLayerUnderSnowOnWater", "iceBottomOnWater", "rootZone"),
        *("totalSoilLayer", "indefiniteSoilDepth", "snowTopOverIceOnWater", "oceanMixedLayer"),
        *("EffectiveInflowLayer", "EffectiveInflowLayerBase", "EffectiveInflowLayerTop"),
        *("abstractSingleLevel", "abstractLevel", "meltPondTop", "meltPondBottom"),
        *("oceanSurfaceToBottom", "entireMeltPond", "snowLayerOverIceOnWater"),
    }
)
"""Types of level that are one level by nature: no dimension, whatever the file holds."""


def has_level_axis(kind: str, levels: Sequence[float]) -> bool:
    """Say whether levels of a type are a dimension, even where there is one."""
    return len(levels) > 1 or kind not in WITHOUT_VALUES


def inline_array(
    values: np.ndarray[Any, Any], dimensions: Sequence[str], attributes: Mapping[str, Any]
) -> ManifestArray:
    """Return an array whose values are kept in its manifest as one chunk."""
    metadata = ArrayMetadata.create(
        shape=values.shape,
        dtype=values.dtype,
        chunk_shape=values.shape,
        attributes=attributes,
        dimension_names=dimensions,
    )
    if 0 in values.shape:
        return ManifestArray(metadata, ChunkManifest.empty(metadata.grid_shape))
    manifest = ChunkManifest.inlined(values.tobytes()).reshape_grid((1,) * values.ndim)
    return ManifestArray(metadata, manifest)


@lru_cache(maxsize=1024)
def time_array(times: tuple[int, ...], squeezed: bool) -> ManifestArray:
    """Return the reference times."""
    return _axis(np.array(times, np.int64), "time", TIME, squeezed)


@lru_cache(maxsize=1024)
def step_array(steps: tuple[int, ...], squeezed: bool) -> ManifestArray:
    """Return the steps, in seconds."""
    return _axis(np.array(steps, np.int64), "step", STEP, squeezed)


@lru_cache(maxsize=1024)
def number_array(numbers: tuple[int, ...], squeezed: bool) -> ManifestArray:
    """Return the ensemble members."""
    return _axis(np.array(numbers, np.int64), "number", NUMBER, squeezed)


@lru_cache(maxsize=4096)
def level_array(kind: str, levels: tuple[float, ...], squeezed: bool) -> ManifestArray:
    """Return the levels of one type."""
    known = {"long_name": f"level of type {kind}", "units": "1", **LEVELS.get(kind, {})}
    return _axis(np.array(levels, np.float64), kind, known, squeezed)


@lru_cache(maxsize=1024)
def valid_time_array(
    times: tuple[int, ...], steps: tuple[int, ...], squeezed: tuple[bool, bool]
) -> ManifestArray:
    """Return the sum of times and steps; an axis that is squeezed is no dimension."""
    table = np.add.outer(np.array(times, np.int64), np.array(steps, np.int64))
    dimensions = [name for name, gone in zip(("time", "step"), squeezed, strict=True) if not gone]
    shape = tuple(size for size, gone in zip(table.shape, squeezed, strict=True) if not gone)
    return inline_array(table.reshape(shape), dimensions, VALID_TIME)


def _axis(
    values: np.ndarray[Any, Any], name: str, attributes: Mapping[str, Any], squeezed: bool
) -> ManifestArray:
    if squeezed:
        return inline_array(values.reshape(()), (), attributes)
    return inline_array(values, (name,), attributes)
