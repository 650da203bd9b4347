"""Many chunks in one dataset, under every kind of HDF5 chunk index, to a virtual Dataset."""

from pathlib import Path
from typing import Any

from benchmarks import hdf5_files, references
from benchmarks.case_file import CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work

KINDS = ("btree1", "btree2", "fixed", "extensible")
COUNTS = {"20k": 20_000, "200k": 200_000, "2M": 2_000_000}
FILE = CaseFile("index_{}.h5")


def make(data: Path, case: str) -> None:
    kind, size = case.split()
    path = FILE.path(data, case)
    made_whole(path, lambda part: hdf5_files.chunk_index(part, COUNTS[size], kind))


def hidefix(data: Path, case: str) -> Work:
    from hidefix import Index

    path = str(FILE.path(data, case))
    return lambda: Index(path)


def found(result: Any, side: str) -> Any:
    if side == "hidefix":
        shapes = {name: result.dataset(name).shape() for name in result.datasets()}
        return {name: [int(length) for length in shape] for name, shape in shapes.items()}
    return references.of_dataset(result)


ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(
            f"{kind} {size}",
            (Target(1 / 40, "VirtualiZarr"), Target(1 / 3, "hidefix")) if size != "20k" else (),
            kind,
            count,
            quick=size != "2M",
        )
        for kind in KINDS
        for size, count in COUNTS.items()
    ),
    make=make,
    sides={"ours": FILE.opened, "VirtualiZarr": FILE.opened_by_2, "hidefix": hidefix},
    found=found,
    differences={("hidefix", "*"): "hidefix shows the dataset, not its chunks"},
)
