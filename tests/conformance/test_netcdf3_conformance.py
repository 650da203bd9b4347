"""The netCDF-3 parser under the conformance suite; the oracle is netCDF4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from virtualizarr.parsers.netcdf3 import NetCDF3Parser
from virtualizarr.testing import ParserConformance

FORMATS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")


def write(path: Path, kind: Any) -> Path:
    """Write record and fixed variables of several types, with attributes."""
    random = np.random.default_rng(0)
    with netCDF4.Dataset(path, "w", format=kind) as nc:
        nc.title = "conformance"
        for name, size in {"time": None, "x": 5, "letters": 3}.items():
            nc.createDimension(name, size)
        nc.createVariable("fixed", "f8", ("x",))[:] = random.random(5)
        nc.createVariable("flags", "i1", ("time", "x"))[:] = random.integers(0, 9, (4, 5))
        nc.createVariable("record", "i2", ("time", "x"))[:] = random.integers(0, 99, (4, 5))
        nc.createVariable("number", "i4", ())[...] = 7
        nc.createVariable("name", "S1", ("x", "letters"))[:] = np.full((5, 3), b"q")
        nc["record"].setncatts({"units": "K", "scale_factor": np.float32(0.5)})
    return path


class TestNetCDF3(ParserConformance):
    parser = NetCDF3Parser()
    max_rounds = 1

    def files(self, folder: Path) -> Sequence[Path]:
        return [write(folder / f"{kind}.nc", kind) for kind in FORMATS]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        with netCDF4.Dataset(path) as nc:
            nc.set_auto_maskandscale(False)
            nc.set_auto_chartostring(False)
            return {name: variable[...] for name, variable in nc.variables.items()}

    def oracle_attributes(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        return {
            "": {"title": "conformance"},
            "record": {"units": "K", "scale_factor": 0.5},
            "fixed": {},
        }
