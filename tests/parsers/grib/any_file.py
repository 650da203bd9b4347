"""GRIB files of random make, by a seed: what ecCodes writes when its keys are mixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import grib_oracle
from random_files import Rng, often, pick

GRIDS = ("regular_ll_sfc", "regular_ll_pl", "rotated_ll_sfc", "polar_stereographic_sfc")
FIXED = ("regular_gg_sfc", "rotated_gg_sfc", "reduced_gg_pl_32", "sh_ml", "sh_sfc")
PACKINGS = (
    *("grid_simple", "grid_simple", "grid_ccsds", "grid_jpeg", "grid_png", "grid_ieee"),
    *("grid_complex", "grid_complex_spatial_differencing", "grid_simple_log_preprocessing"),
    *("grid_second_order", "grid_second_order_SPD1", "grid_second_order_row_by_row"),
    *("grid_second_order_constant_width", "grid_run_length"),
)
SCANNING = (
    *("iScansNegatively", "jScansPositively"),
    *("jPointsAreConsecutive", "alternativeRowScanning"),
)
PARAMETERS = ("t", "u", "v", "q", "2t", "msl", "tp", "gh", "r", "10u", "lsm", "ci", "z")


def write_any(path: Path, seed: int) -> int:
    """Write a file that only `seed` decides; return how many messages ecCodes did not refuse."""
    rng = np.random.default_rng(seed)
    found = [message for _ in range(int(rng.integers(1, 5))) if (message := _message(rng))]
    junk = bytes(int(rng.integers(1, 30))) if often(rng, 0.1) else b""
    path.write_bytes(junk.join(found))
    return len(found)


def _message(rng: Rng) -> bytes:
    edition = int(rng.integers(1, 3))
    kind = pick(rng, GRIDS) if often(rng, 0.6) else pick(rng, FIXED)
    sample = f"{kind}_grib{edition}"
    keys: dict[str, Any] = {
        "dataDate": 20200100 + int(rng.integers(1, 29)),
        "dataTime": 100 * int(rng.integers(0, 24)),
        "step": int(rng.integers(0, 100)),
    }
    if often(rng, 0.6):
        keys["shortName"] = pick(rng, PARAMETERS)
    packing = {} if kind.startswith("sh") else {"packingType": pick(rng, PACKINGS)}
    if often(rng, 0.7):
        packing["bitsPerValue"] = int(rng.integers(0, 33))
    elif often(rng, 0.6):
        packing["decimalScaleFactor"] = int(rng.integers(-3, 5))
    try:
        if kind in FIXED:
            count = len(grib_oracle.values_of(grib_oracle.message(sample)))
        else:
            columns, rows = rng.integers(1, 40, 2).tolist()
            count = rows * columns
            keys |= {"Nx": columns, "Ny": rows}
            keys |= {flag: 1 for flag in SCANNING[: 2 + edition] if often(rng, 0.25)}
        values = _values(rng, count)
        if kind.startswith("sh"):
            values = np.nan_to_num(values)
        return grib_oracle.message(sample, values, keys, packing)
    except grib_oracle.EccodesError:
        return b""


def _values(rng: Rng, count: int) -> np.ndarray[Any, Any]:
    """Return values of one of several kinds, of which some may be missing."""
    kind = rng.random()
    if kind < 0.1:
        found = np.full(count, 100 * rng.normal())
    elif kind < 0.3:
        found = rng.integers(0, 7, count).astype(np.float64)
    elif kind < 0.6:
        found = 250 + np.cumsum(rng.normal(size=count))
    else:
        found = rng.normal(size=count) * 10.0 ** rng.integers(-8, 9)
    if often(rng, 0.35):
        found[rng.random(count) < pick(rng, (0.02, 0.3, 0.9))] = np.nan
    return found
