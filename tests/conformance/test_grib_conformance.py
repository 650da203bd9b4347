"""The GRIB parser under the conformance suite; the oracle is ecCodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.testing import ParserConformance

eccodes = pytest.importorskip("eccodes")

DATES = (20240101, 20240102, 20240104)
LEVELS = (850, 500)
COLUMNS, ROWS = 9, 7


def write(path: Path, edition: int, packing: str) -> Path:
    """Write a cube of dates and levels, of one parameter."""
    random = np.random.default_rng(edition)
    with path.open("wb") as file:
        for date in DATES:
            for level in LEVELS:
                handle = eccodes.codes_grib_new_from_samples(f"regular_ll_pl_grib{edition}")
                keys = {"Ni": COLUMNS, "Nj": ROWS, "dataDate": date, "level": level}
                keys |= {"bitsPerValue": 10 + DATES.index(date) * 2 + LEVELS.index(level)}
                keys |= {"latitudeOfLastGridPointInDegrees": 60 - 2 * (ROWS - 1)}
                keys |= {"longitudeOfLastGridPointInDegrees": 2 * (COLUMNS - 1)}
                for key, value in {**keys, "shortName": "t"}.items():
                    eccodes.codes_set(handle, key, value)
                eccodes.codes_set(handle, "packingType", packing)
                eccodes.codes_set_values(handle, random.random(COLUMNS * ROWS) * 50 + 250)
                eccodes.codes_write(handle, file)
                eccodes.codes_release(handle)
    return path


class TestGrib(ParserConformance):
    parser = GRIBParser(dtype="float64")
    max_rounds = 1

    def files(self, folder: Path) -> Sequence[Path]:
        return [
            write(folder / "edition1.grib", 1, "grid_simple"),
            write(folder / "edition2.grib2", 2, "grid_simple"),
            write(folder / "complex.grib2", 2, "grid_complex"),
        ]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        values = np.empty((len(DATES), 1, len(LEVELS), ROWS, COLUMNS))
        with path.open("rb") as file:
            while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
                i = DATES.index(eccodes.codes_get(handle, "dataDate"))
                j = LEVELS.index(eccodes.codes_get(handle, "level"))
                values[i, 0, j] = eccodes.codes_get_values(handle).reshape(ROWS, COLUMNS)
                latitude = eccodes.codes_get_array(handle, "distinctLatitudes")
                longitude = eccodes.codes_get_array(handle, "distinctLongitudes")
                time = eccodes.codes_get(handle, "dataTime") // 100 * 3600
                eccodes.codes_release(handle)
        days = [np.datetime64(f"{str(d)[:4]}-{str(d)[4:6]}-{str(d)[6:]}", "s") for d in DATES]
        times = np.array(days).astype(np.int64) + time
        place = "isobaricInhPa/instant/"
        return {
            f"{place}t": values,
            f"{place}time": times,
            f"{place}step": np.zeros(1, np.int64),
            f"{place}valid_time": times[:, None],
            f"{place}isobaricInhPa": np.array(LEVELS, np.float64),
            f"{place}latitude": latitude,
            f"{place}longitude": longitude,
            **({f"{place}number": np.zeros((), np.int64)} if path.name == "edition1.grib" else {}),
        }

    def oracle_attributes(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        return {}
