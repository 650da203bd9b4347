"""Many variables, or many groups of one variable, of an HDF5 file to xarray, nothing loaded."""

from functools import partial
from pathlib import Path

from benchmarks import references
from benchmarks.case_file import DATASET, TREE, CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work

SECONDS_OF = {"variables": 0.1, "groups": 0.3}
LIMITS = {"variables": 0.1 / 15.4, "groups": 0.3 / 25.6}
FILE = CaseFile("wide_{}.h5")


def make(data: Path, case: str) -> None:
    count, kind = case.split()
    made_whole(FILE.path(data, case), partial(write, int(count), kind))


def write(count: int, kind: str, path: Path) -> None:
    """Write `count` variables of two values, in one group or each in its own."""
    import h5py

    with h5py.File(path, "w") as f:
        for i in range(count):
            f.create_dataset(f"v{i}" if kind == "variables" else f"g{i}/v", data=[1.0, 2.0])


def _opener(case: str) -> str:
    return TREE if case.endswith("groups") else DATASET


def ours(data: Path, case: str) -> Work:
    return FILE.opened(data, case, _opener(case))


def virtualizarr_2(data: Path, case: str) -> Work:
    return FILE.opened_by_2(data, case, _opener(case))


ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(
            f"{count} {kind}",
            (Target(LIMITS[kind], "VirtualiZarr"), Target(SECONDS_OF[kind])) if large else (),
            kind,
            count,
            slow=("VirtualiZarr",) if large else (),
        )
        for kind, counts in {"variables": (100, 1000), "groups": (40, 400)}.items()
        for count, large in zip(counts, (False, True), strict=True)
    ),
    make=make,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=references.of_opened,
)
