"""Many variables, or many groups of one variable, of an HDF5 file to xarray, nothing loaded."""

from pathlib import Path

from benchmarks import references
from benchmarks.cases import Case, Row, Target

LIMITS = {"variables": 0.1 / 15.4, "groups": 0.3 / 25.6}


def _path(data: Path, case: str) -> Path:
    return data / f"wide_{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    import h5py

    path, (count, kind) = _path(data, case), case.split()
    if path.exists():
        return
    with h5py.File(path, "w") as f:
        for i in range(int(count)):
            f.create_dataset(f"v{i}" if kind == "variables" else f"g{i}/v", data=[1.0, 2.0])


def ours(data: Path, case: str):
    import virtualizarr

    path = _path(data, case)
    if case.endswith("groups"):
        return lambda: virtualizarr.open_virtual_datatree(path, loadable_variables=[])
    return lambda: virtualizarr.open_virtual_dataset(path, loadable_variables=[])


def virtualizarr_2(data: Path, case: str):
    import virtualizarr
    from virtualizarr.parsers import HDFParser

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    opener = virtualizarr.open_virtual_dataset
    if case.endswith("groups"):
        opener = virtualizarr.open_virtual_datatree
    return lambda: opener(url, registry=registry, parser=HDFParser(), loadable_variables=[])


def found(result, side: str):
    return (
        references.of_tree(result) if hasattr(result, "subtree") else references.of_dataset(result)
    )


ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(
            f"{count} {kind}",
            (Target(LIMITS[kind], "VirtualiZarr"),) if large else (),
            kind,
            count,
            once=True,
        )
        for kind, counts in {"variables": (250, 1000), "groups": (100, 400)}.items()
        for count, large in zip(counts, (False, True), strict=True)
    ),
    make=make,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=found,
    repeat=2,
)
