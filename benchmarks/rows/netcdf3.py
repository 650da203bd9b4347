"""netCDF-3, 5 variables of 100,000 records, and 2,000 variables, to a virtual Dataset."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import references
from benchmarks.case_file import CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work

LIMITS = {"records": 10 / 151, "variables": 60 / 405}
FILE = CaseFile("classic_{}.nc")


def make(data: Path, case: str) -> None:
    count, kind = case.split()
    made_whole(FILE.path(data, case), partial(write, int(count), kind))


def write(count: int, kind: str, path: Path) -> None:
    """Write 5 variables of `count` records, or `count` variables without."""
    import netCDF4

    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as nc:
        nc.createDimension("time", None if kind == "records" else 4)
        nc.createDimension("x", 4)
        names = [f"v{i}" for i in range(5 if kind == "records" else count)]
        for name in names:
            nc.createVariable(name, "f4", ("time", "x"))
        for name in names:
            nc[name][:] = np.zeros((count if kind == "records" else 4, 4), "f4")


def virtualizarr_2(data: Path, case: str) -> Work:
    return FILE.parsed_by_2(data, case, "NetCDF3Parser")


def found(result: Any, side: str) -> Any:
    if hasattr(result, "variables"):
        return references.of_dataset(result)
    return {name: references.of_manifest(a.manifest) for name, a in sorted(result.arrays.items())}


ROW = Row(
    title=__doc__ + " VirtualiZarr only parses.",
    cases=tuple(
        Case(
            f"{count} {kind}",
            (Target(LIMITS[kind], "VirtualiZarr"),) if large else (),
            kind,
            count,
        )
        for kind, counts in {"records": (10_000, 100_000), "variables": (500, 2000)}.items()
        for count, large in zip(counts, (False, True), strict=True)
    ),
    make=make,
    sides={"ours": FILE.opened, "VirtualiZarr": virtualizarr_2},
    found=found,
)
