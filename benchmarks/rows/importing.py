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


def _importing(side: str) -> Side:
    def prepared(data: Path, case: str) -> Work:
        return lambda: min(_seconds(STATEMENTS[side]) for _ in range(TURNS[side]))

    return prepared


def _seconds(statement: str) -> float:
    arguments = [sys.executable, "-W", "ignore", "-c", statement]
    process = os.posix_spawn(sys.executable, arguments, os.environ)
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
