"""The GRIB parser under the conformance suite; the oracle is ecCodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grib_oracle
from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.testing import ParserConformance

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

DATES = (20240101, 20240102, 20240104)
LEVELS = (850, 500)
COLUMNS, ROWS = 9, 7


def write(path: Path, edition: int, packing: str) -> Path:
    """Write a cube of dates and levels, of one parameter."""
    random = np.random.default_rng(edition)
    messages = []
    for date in DATES:
        for level in LEVELS:
            keys: dict[str, Any] = {"Ni": COLUMNS, "Nj": ROWS, "dataDate": date, "level": level}
            keys |= {"bitsPerValue": 10 + DATES.index(date) * 2 + LEVELS.index(level)}
            keys |= {"latitudeOfLastGridPointInDegrees": 60 - 2 * (ROWS - 1)}
            keys |= {"longitudeOfLastGridPointInDegrees": 2 * (COLUMNS - 1)}
            keys |= {"shortName": "t", "packingType": packing}
            values = random.random(COLUMNS * ROWS) * 50 + 250
            messages.append(grib_oracle.message(f"regular_ll_pl_grib{edition}", values, keys))
    path.write_bytes(b"".join(messages))
    return path


def messages_in(path: Path) -> Iterator[bytes]:
    """Yield the messages of a file that has nothing between them."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        place = slice(at + 4, at + 7) if data[at + 7] == 1 else slice(at + 8, at + 16)
        length = int.from_bytes(data[place], "big")
        yield data[at : at + length]
        at += length


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
        for data in messages_in(path):
            keys = grib_oracle.keys_of(data, ["dataDate", "level", "dataTime"])
            cell = DATES.index(keys["dataDate"]), 0, LEVELS.index(keys["level"])
            values[cell] = grib_oracle.values_of(data).reshape(ROWS, COLUMNS)
        latitude = grib_oracle.array_of(data, "distinctLatitudes")
        longitude = grib_oracle.array_of(data, "distinctLongitudes")
        time = keys["dataTime"] // 100 * 3600
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
