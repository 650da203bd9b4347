"""Run in a process of its own: a message of ecCodes, and where it says that the points lie.

ecCodes frees some memory twice when a process that asked for reduced grids ends, hence `_exit`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import eccodes
import numpy as np

LAMBERT: dict[str, Any] = {
    "gridType": "lambert",
    "Nx": 7,
    "Ny": 6,
    "DxInMetres": 3000,
    "DyInMetres": 3000,
    "LoVInDegrees": 262.5,
    "LaDInDegrees": 38.5,
    "Latin1InDegrees": 38.5,
    "Latin2InDegrees": 38.5,
    "latitudeOfFirstGridPointInDegrees": 21.138,
    "longitudeOfFirstGridPointInDegrees": 237.28,
    "jScansPositively": 1,
}
SAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "lambert": ("GRIB2", LAMBERT),
    "polar_stereographic": (
        "polar_stereographic_pl_grib2",
        {"jScansPositively": 1, "LaDInDegrees": 60},
    ),
    "rotated_ll": ("rotated_ll_pl_grib2", {}),
    **{f"reduced_gg_{n}": (f"reduced_gg_pl_{n}_grib2", {}) for n in (32, 48, 80, 160, 320)},
}


def main(kind: str, target: str) -> None:
    sample, keys = SAMPLES[kind]
    handle = eccodes.codes_grib_new_from_samples(sample)
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    if kind == "lambert":
        eccodes.codes_set_values(handle, np.arange(42.0))
    found = {key: eccodes.codes_get_array(handle, key) for key in ("latitudes", "longitudes")}
    if kind.startswith("reduced"):
        found["distinct"] = eccodes.codes_get_array(handle, "distinctLatitudes")
    message = np.frombuffer(bytes(eccodes.codes_get_message(handle)), np.uint8)
    with Path(target).open("wb") as file:
        np.savez(file, message=message, **found)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
