"""A small netCDF-4 file (11 variables, 800 chunks) opened to a virtual Dataset, nothing loaded."""

from pathlib import Path

from benchmarks import hdf5_files, references
from benchmarks.cases import Case, Row, Target

STEPS = {"400 steps": 400, "4000 steps": 4000}


def _path(data: Path, case: str) -> Path:
    return data / f"small_{case.replace(' ', '_')}.nc"


def make(data: Path, case: str) -> None:
    if not _path(data, case).exists():
        hdf5_files.small_netcdf4(_path(data, case), STEPS[case])


def ours(data: Path, case: str):
    import virtualizarr

    path = _path(data, case)
    return lambda: virtualizarr.open_virtual_dataset(path, loadable_variables=[])


def virtualizarr_2(data: Path, case: str):
    import virtualizarr
    from virtualizarr.parsers import HDFParser

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    return lambda: virtualizarr.open_virtual_dataset(
        url, registry=registry, parser=HDFParser(), loadable_variables=[]
    )


def kerchunk(data: Path, case: str):
    from kerchunk.hdf import SingleHdf5ToZarr

    path = str(_path(data, case))
    return lambda: SingleHdf5ToZarr(path, inline_threshold=0).translate()


def found(result, side: str):
    if side == "kerchunk":
        return references.of_kerchunk(result)
    return references.of_dataset(result)


WHOLE = (
    "`time` has chunks of 512 and 400 steps: we refer to the stored chunk, "
    "VirtualiZarr to its first 400 values"
)
ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(name, (Target(1 / 8, "VirtualiZarr"),), "steps", steps)
        for name, steps in STEPS.items()
    ),
    make=make,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2, "kerchunk": kerchunk},
    found=found,
    differences={("VirtualiZarr", "time"): WHOLE},
    repeat=7,
)
