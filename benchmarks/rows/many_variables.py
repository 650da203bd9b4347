"""300 variables in 36 groups, and 1,000 datasets of a granule, to a DataTree, nothing loaded."""

from pathlib import Path

from benchmarks import hdf5_files, references
from benchmarks.cases import Case, Row, Target

MAKERS = {
    "nested 300": (hdf5_files.nested_netcdf4, 6, 300),
    "nested 1200": (hdf5_files.nested_netcdf4, 24, 1200),
    "granule 1000": (hdf5_files.granule, 6, 1000),
    "granule 4000": (hdf5_files.granule, 24, 4000),
}
NESTED = 0.15 / 7.0
GRANULE = 0.25 / 3.5


def _path(data: Path, case: str) -> Path:
    return data / f"{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    maker, size, _ = MAKERS[case]
    if not _path(data, case).exists():
        maker(_path(data, case), size)


def ours(data: Path, case: str):
    import virtualizarr

    path = _path(data, case)
    return lambda: virtualizarr.open_virtual_datatree(path, loadable_variables=[])


def virtualizarr_2(data: Path, case: str):
    import virtualizarr
    from virtualizarr.parsers import HDFParser

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    if case.startswith("granule"):
        return lambda: HDFParser()(url, registry)._group
    return lambda: virtualizarr.open_virtual_datatree(
        url, registry=registry, parser=HDFParser(), loadable_variables=[]
    )


def found(result, side: str):
    return references.of_tree(result) if hasattr(result, "subtree") else references.of_group(result)


ROW = Row(
    title=__doc__ + " Of the granule VirtualiZarr makes no DataTree: there it only parses.",
    cases=tuple(
        Case(
            name,
            (Target(NESTED if name.startswith("nested") else GRANULE, "VirtualiZarr"),),
            name.split()[0],
            size,
            quick=name in ("nested 300", "granule 1000"),
            once=name not in ("nested 300", "granule 1000"),
        )
        for name, (_, _, size) in MAKERS.items()
    ),
    make=make,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=found,
    repeat=2,
)
