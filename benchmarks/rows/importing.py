"""`import virtualizarr` against importing xarray and zarr alone."""

import subprocess
import sys
import time
from pathlib import Path

CASES = {"import": 1.05}
QUICK = CASES
REPEAT = 5
WALL = True


def make(data: Path, case: str) -> None:
    pass


def _seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def ours(data: Path, case: str):
    times = [(_seconds("import virtualizarr"), _seconds("import xarray, zarr")) for _ in range(5)]
    return min(ours for ours, _ in times), min(floor for _, floor in times)


def found(result, side):
    return None


def extra(result, side):
    package, floor = result
    return {"seconds": package, "over_xarray_and_zarr": round(package / floor, 3)}
