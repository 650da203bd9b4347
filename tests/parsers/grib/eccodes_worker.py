"""Run by the corpus test in a process of its own: what ecCodes says of every field of a file."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import eccodes
import numpy as np

KEYS = ("shortName", "cfVarName", "units", "typeOfLevel", "stepType", "gridType", "dataDate")
MISSING = 1e36
MOST = 200_000
"""Of larger fields, about so many values are compared, evenly spread."""


def alternates(handle: Any) -> bool:
    """Say whether rows alternate in direction; grids without rows have no such key."""
    key = "alternativeRowScanning"
    return bool(eccodes.codes_is_defined(handle, key) and eccodes.codes_get(handle, key))


def main(source: str, target: str) -> None:
    fields: list[tuple[dict[str, Any], Any]] = []
    eccodes.codes_grib_multi_support_on()
    with Path(source).open("rb") as file:
        while True:
            try:
                handle = eccodes.codes_grib_new_from_file(file)
            except eccodes.CodesInternalError:
                break
            if handle is None:
                break
            known: dict[str, Any] = {}
            for key in KEYS:
                try:
                    known[key] = eccodes.codes_get(handle, key)
                except eccodes.CodesInternalError:
                    known[key] = None
            try:
                eccodes.codes_set(handle, "missingValue", MISSING)
                values: Any = eccodes.codes_get_values(handle)
                values = np.where(values == MISSING, np.nan, values)
                if alternates(handle):
                    along = "Ny" if eccodes.codes_get(handle, "jPointsAreConsecutive") else "Nx"
                    rows = values.reshape(-1, eccodes.codes_get(handle, along))
                    rows[1::2] = rows[1::2, ::-1].copy()
                step = max(1, values.size // MOST)
                present = values[~np.isnan(values)]
                spread = float(np.ptp(present)) if present.size else 0.0
                values = (values.size, spread, values[::step].copy())
            except eccodes.CodesInternalError as error:
                values = str(error)
            fields.append((known, values))
            eccodes.codes_release(handle)
    Path(target).write_bytes(pickle.dumps(fields))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
