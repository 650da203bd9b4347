"""300 variables in 36 groups, and 1,000 datasets of a granule, to a DataTree, nothing loaded."""

from collections.abc import Callable
from pathlib import Path

from benchmarks import hdf5_files, references
from benchmarks.case_file import TREE, CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work

MAKERS: dict[str, tuple[Callable[[Path, int], None], int, int]] = {
    "nested 50": (hdf5_files.nested_netcdf4, 1, 50),
    "nested 300": (hdf5_files.nested_netcdf4, 6, 300),
    "nested 1200": (hdf5_files.nested_netcdf4, 24, 1200),
    "granule 167": (hdf5_files.granule, 1, 167),
    "granule 1000": (hdf5_files.granule, 6, 1000),
    "granule 4000": (hdf5_files.granule, 24, 4000),
}
NESTED, GRANULE = Target(0.15 / 7.0, "VirtualiZarr"), Target(0.25 / 3.5, "VirtualiZarr")
TARGETS: dict[str, tuple[Target, ...]] = {
    "nested 300": (NESTED, Target(0.15)),
    "nested 1200": (NESTED,),
    "granule 1000": (GRANULE, Target(0.25)),
    "granule 4000": (GRANULE,),
}
FILE = CaseFile("{}.h5")


def make(data: Path, case: str) -> None:
    maker, size, _ = MAKERS[case]
    made_whole(FILE.path(data, case), lambda part: maker(part, size))


def ours(data: Path, case: str) -> Work:
    return FILE.opened(data, case, TREE)


def virtualizarr_2(data: Path, case: str) -> Work:
    if case.startswith("granule"):
        return FILE.parsed_by_2(data, case)
    return FILE.opened_by_2(data, case, TREE)


ROW = Row(
    title=__doc__ + " Of the granule VirtualiZarr makes no DataTree: there it only parses.",
    cases=tuple(
        Case(
            name,
            TARGETS.get(name, ()),
            name.split()[0],
            size,
            quick=name not in ("nested 1200", "granule 4000"),
            slow=("VirtualiZarr",) if name in ("nested 300", "granule 1000") else (),
        )
        for name, (_, _, size) in MAKERS.items()
    ),
    make=make,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=references.of_opened,
)
