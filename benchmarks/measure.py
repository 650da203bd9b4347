"""Run one side of one case in this process and print seconds and findings as one line of JSON."""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"


def main(row: str, case: str, side: str, repeat: int) -> None:
    module = importlib.import_module(f"benchmarks.rows.{row}")
    work = getattr(module, side)
    clock = time.perf_counter if getattr(module, "WALL", False) else time.process_time
    best, found = float("inf"), None
    for _ in range(repeat):
        start = clock()
        result = work(DATA, case)
        best = min(best, clock() - start)
        found = module.found(result, side)
    extra = module.extra(result, side) if hasattr(module, "extra") else {}
    seconds = extra.pop("seconds", best)
    print(json.dumps({"seconds": seconds, "found": found, "extra": extra}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
