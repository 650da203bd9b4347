"""Measure one side of one case in this process, or make the data of a case."""

from __future__ import annotations

import gc
import importlib
import re
import time
from pathlib import Path
from typing import Any

from benchmarks.cases import SECONDS, Row

DATA = Path(__file__).resolve().parent / "data"
MAKE = "make"
PEAK = "peak MB"


def measure(name: str, case: str, side: str, patience: float) -> dict[str, Any]:
    """Return {"seconds": [of every turn that counts], "measures": {name: figure}, "found": what}.

    `measures` are of the last turn, the peak of memory is of the first. Turns go on while all of
    them together took less than `patience` seconds. With "make" as the side, the data of the case
    are made and nothing is returned.
    """
    row: Row = importlib.import_module(f"benchmarks.rows.{name}").ROW
    if side == MAKE:
        DATA.mkdir(exist_ok=True)
        row.make(DATA, case)
        return {}
    work = row.sides[side](DATA, case)
    clock = time.perf_counter if row.wall else time.process_time
    gc.collect()
    _forget_peak()
    before, peak = _memory("VmRSS"), 0.0
    took: list[float] = []
    result = None
    while len(took) < row.turns and sum(took) < patience:
        result = None
        start = clock()
        result = work()
        took.append(clock() - start)
        if len(took) == 1:
            peak = max(0.0, _memory("VmHWM") - before)
    also = row.also(result, side)
    seconds = [also[SECONDS]] if SECONDS in also else took[1:] if len(took) > 1 else took
    return {
        "seconds": seconds,
        "measures": {PEAK: peak, **also},
        "found": row.found(result, side),
    }


def _forget_peak() -> None:
    """Let Linux measure the peak from here on; where it refuses, the process's own peak counts."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _memory(field: str) -> float:
    """Return a field of the process's memory in MB; zero where there is no /proc."""
    try:
        found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0
