"""Many variables or many groups to xarray, nothing loaded."""

from pathlib import Path

from benchmarks import references

CASES = {"250 variables": None, "1000 variables": 1 / 150, "100 groups": None, "400 groups": 1 / 85}
QUICK = {"1000 variables": 1 / 150}
SIZES = {case: (case.split()[1], int(case.split()[0])) for case in CASES}
REPEAT = 2


def _name(case: str) -> str:
    return f"wide_{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    import h5py

    path, (count, kind) = data / _name(case), case.split()
    if path.exists():
        return
    with h5py.File(path, "w") as f:
        for i in range(int(count)):
            f.create_dataset(f"v{i}" if kind == "variables" else f"g{i}/v", data=[1.0, 2.0])


def ours(data: Path, case: str):
    import virtualizarr

    opener = virtualizarr.open_virtual_dataset
    if case.endswith("groups"):
        opener = virtualizarr.open_virtual_datatree
    return opener(data / _name(case), loadable_variables=[])


def peer(data: Path, case: str):
    import virtualizarr
    from virtualizarr.parsers import HDFParser

    opener = virtualizarr.open_virtual_dataset
    if case.endswith("groups"):
        opener = virtualizarr.open_virtual_datatree
    return opener(
        f"file://{data / _name(case)}",
        registry=references.peer_registry(),
        parser=HDFParser(),
        loadable_variables=[],
    )


def found(result, side):
    return (
        references.of_tree(result) if hasattr(result, "subtree") else references.of_dataset(result)
    )
