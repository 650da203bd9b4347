"""A small netCDF-4 file (11 variables, 800 chunks) opened to a virtual Dataset, nothing loaded."""

from pathlib import Path

from benchmarks import archive, references

CASES = {"small": 1 / 8, "large": 1 / 8}
QUICK = {"small": 1 / 8}
STEPS = {"small": 400, "large": 4000}
SIZES = {"small": ("steps", 400), "large": ("steps", 4000)}
REPEAT = 7


def make(data: Path, case: str) -> None:
    path = data / f"small_{case}.nc"
    if not path.exists():
        archive.small_netcdf4(path, STEPS[case])


def ours(data: Path, case: str):
    import virtualizarr

    return virtualizarr.open_virtual_dataset(data / f"small_{case}.nc", loadable_variables=[])


def peer(data: Path, case: str):
    import virtualizarr
    from virtualizarr.parsers import HDFParser

    return virtualizarr.open_virtual_dataset(
        f"file://{data}/small_{case}.nc",
        registry=references.peer_registry(),
        parser=HDFParser(),
        loadable_variables=[],
    )


def found(result, side):
    return references.of_dataset(result)
