"""netCDF-3, 5 variables of 100,000 records, and 2,000 variables, to a virtual Dataset."""

from pathlib import Path

import numpy as np

from benchmarks import references
from benchmarks.cases import Case, Row, Target

LIMITS = {"records": 10 / 151, "variables": 60 / 405}


def _path(data: Path, case: str) -> Path:
    return data / f"classic_{case.replace(' ', '_')}.nc"


def make(data: Path, case: str) -> None:
    import netCDF4

    path, (count, kind) = _path(data, case), case.split()
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

    path = _path(data, case)
    return lambda: virtualizarr.open_virtual_dataset(path, loadable_variables=[])


def virtualizarr_2(data: Path, case: str):
    from virtualizarr.parsers import NetCDF3Parser

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    return lambda: NetCDF3Parser()(url, registry)._group


def found(result, side: str):
    if hasattr(result, "variables"):
        return references.of_dataset(result)
    return {name: references.of_manifest(a.manifest) for name, a in sorted(result.arrays.items())}


ROW = Row(
    title=__doc__,
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
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=found,
    repeat=3,
)
