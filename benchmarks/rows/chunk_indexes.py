"""Many chunks in one dataset, under every kind of HDF5 chunk index, to a virtual Dataset."""

from pathlib import Path

from benchmarks import hdf5_files, references
from benchmarks.cases import Case, Row, Target

KINDS = ("btree1", "btree2", "fixed", "extensible")
COUNTS = {"200k": 200_000, "2M": 2_000_000}


def _path(data: Path, case: str) -> Path:
    return data / f"index_{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    kind, size = case.split()
    if not _path(data, case).exists():
        hdf5_files.chunk_index(_path(data, case), COUNTS[size], kind)


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


def hidefix(data: Path, case: str):
    from hidefix import Index

    path = str(_path(data, case))
    return lambda: Index(path)


def found(result, side: str):
    if side == "hidefix":
        shapes = {name: result.dataset(name).shape() for name in result.datasets()}
        return {name: [int(length) for length in shape] for name, shape in shapes.items()}
    return references.of_dataset(result)


ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(
            f"{kind} {size}",
            (Target(1 / 40, "VirtualiZarr"), Target(1 / 3, "hidefix")),
            kind,
            count,
            quick=size == "200k",
        )
        for kind in KINDS
        for size, count in COUNTS.items()
    ),
    make=make,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2, "hidefix": hidefix},
    found=found,
    differences={("hidefix", "*"): "hidefix shows the dataset, not its chunks"},
    repeat=3,
)
