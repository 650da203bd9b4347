"""netCDF-3: 5 variables of 100,000 records; 2,000 variables."""

from pathlib import Path

import numpy as np

from benchmarks import references
from benchmarks.rows import small_file

CASES = {"100000 records": 1 / 15, "10000 records": 1 / 15, "2000 variables": None}
QUICK = {"100000 records": 1 / 15, "2000 variables": None}
SIZES = {"10000 records": ("records", 10_000), "100000 records": ("records", 100_000)}
REPEAT = 3


def _name(case: str) -> str:
    return f"classic_{case.replace(' ', '_')}.nc"


def make(data: Path, case: str) -> None:
    import netCDF4

    path, (count, kind) = data / _name(case), case.split()
    if path.exists():
        return
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as nc:
        nc.createDimension("time", None if kind == "records" else 4)
        nc.createDimension("x", 4)
        names = [f"v{i}" for i in range(5 if kind == "records" else int(count))]
        for name in names:
            nc.createVariable(name, "f4", ("time", "x"))
        for name in names:
            nc[name][:] = np.zeros((int(count) if kind == "records" else 4, 4), "f4")


def ours(data: Path, case: str):
    import virtualizarr

    return virtualizarr.open_virtual_dataset(data / _name(case), loadable_variables=[])


def peer(data: Path, case: str):
    import virtualizarr
    from virtualizarr.parsers import NetCDF3Parser

    return virtualizarr.open_virtual_dataset(
        f"file://{data / _name(case)}",
        registry=references.peer_registry(),
        parser=NetCDF3Parser(),
        loadable_variables=[],
    )


found = small_file.found
