"""`import virtualizarr` against importing xarray and zarr alone: CPU time of fresh processes."""

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Row, Side, Target, Work

STATEMENTS = {
    "ours": "import virtualizarr",
    "VirtualiZarr": "import virtualizarr",
    "xarray and zarr": "import xarray, zarr",
}
TURNS = {"ours": 2, "VirtualiZarr": 1, "xarray and zarr": 2}
"""Processes of a round; the least time counts. The target is against xarray and zarr."""

ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
"""Modules are compiled once, by a process before those that count, whatever this one was told."""


def _importing(side: str) -> Side:
    def prepared(data: Path, case: str) -> Work:
        _seconds(STATEMENTS[side])
        return lambda: min(_seconds(STATEMENTS[side]) for _ in range(TURNS[side]))

    return prepared


def _seconds(statement: str) -> float:
    arguments = [sys.executable, "-W", "ignore", "-c", statement]
    process = os.posix_spawn(sys.executable, arguments, ENVIRONMENT)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{statement!r} failed")
    return usage.ru_utime + usage.ru_stime


def also(result: Any, side: str) -> dict[str, float]:
    return {"seconds": result}


ROW = Row(
    title=__doc__,
    cases=(
        Case(
            "import virtualizarr",
            (Target(1.05, "xarray and zarr"),),
        ),
    ),
    sides={side: _importing(side) for side in STATEMENTS},
    here=("xarray and zarr",),
    also=also,
    turns=1,
)
