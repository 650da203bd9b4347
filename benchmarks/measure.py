"""Run one side of one case in this process, or make its data; the runner reads the last line.

python -m benchmarks.measure ROW CASE make
python -m benchmarks.measure ROW CASE SIDE
"""

from __future__ import annotations

import gc
import importlib
import json
import re
import sys
import time
from pathlib import Path

from benchmarks.cases import Row

DATA = Path(__file__).resolve().parent / "data"


def main(name: str, case: str, side: str) -> None:
    row: Row = importlib.import_module(f"benchmarks.rows.{name}").ROW
    if side == "make":
        row.make(DATA, case)
        return
    work = row.sides[side](DATA, case)
    clock = time.perf_counter if row.wall else time.process_time
    gc.collect()
    _forget_peak()
    before = _memory("VmRSS")
    best, peak, result = float("inf"), 0.0, None
    for turn in range(row.repeat):
        result = None
        start = clock()
        result = work()
        best = min(best, clock() - start)
        if turn == 0:
            peak = _memory("VmHWM") - before
    measures = {"seconds": best, "peak MB": peak, **row.also(result, side)}
    print(json.dumps({"measures": measures, "found": row.found(result, side)}))


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


if __name__ == "__main__":
    main(*sys.argv[1:])
