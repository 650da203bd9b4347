"""A small netCDF-4 file (11 variables, 800 chunks) opened to a virtual Dataset, nothing loaded."""

from pathlib import Path
from typing import Any

from benchmarks import hdf5_files, references
from benchmarks.case_file import CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work

STEPS = {"400 steps": 400, "1600 steps": 1600}
FILE = CaseFile("small_{}.nc")


def make(data: Path, case: str) -> None:
    path = FILE.path(data, case)
    made_whole(path, lambda part: hdf5_files.small_netcdf4(part, STEPS[case]))


def kerchunk(data: Path, case: str) -> Work:
    from kerchunk.hdf import SingleHdf5ToZarr

    path = str(FILE.path(data, case))
    return lambda: SingleHdf5ToZarr(path, inline_threshold=0).translate()


def found(result: Any, side: str) -> Any:
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
    sides={"ours": FILE.opened, "VirtualiZarr": FILE.opened_by_2, "kerchunk": kerchunk},
    found=found,
    differences={("VirtualiZarr", "time"): WHOLE},
    turns=5,
)
