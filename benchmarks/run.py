# /// script
# requires-python = ">=3.12"
# dependencies = ["virtualizarr[codecs,icechunk,parquet]"]
#
# [tool.uv.sources]
# virtualizarr = { path = "..", editable = true }
# ///
"""Run the benchmark rows, ours and the peers' side by side, and print one table.

    uv run benchmarks/run.py [--quick] [--only NAME ...] [--rounds N] [--readme]

Ours and the peers' alternate; the table shows medians of CPU time (user + system) for local work,
and wall time, requests and bytes for remote work. Absolute figures mean little on a shared machine;
the ratios are from the same minutes. Both sides must find the same references, or the line says so
and the exit status is 1. `benchmarks/README.md` says more.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks import peers, report  # noqa: E402
from benchmarks.cases import OURS, Case, Row  # noqa: E402
from benchmarks.judging import Line, growth, lines_of  # noqa: E402
from benchmarks.machine import Machine  # noqa: E402
from benchmarks.measure import MAKE  # noqa: E402

ROWS = (
    "small_file",
    "chunk_indexes",
    "many_variables",
    "remote",
    "many_files",
    "concat",
    "memory",
    "kerchunk_json",
    "kerchunk_parquet",
    "icechunk",
    "icechunk_first_chunk",
    "to_xarray",
    "reading",
    "grib",
    "tiff",
    "netcdf3",
    "importing",
)
QUICK_PATIENCE, PATIENCE = 2.0, 60.0
"""Seconds that a side may take for a case before its further turns are left out.

Half of that, with all that it takes to prepare, and its further rounds are left out.
"""


class Runner:
    """Measures cases with a worker of each environment, and keeps what it took."""

    def __init__(self, ours: peers.Worker, theirs: peers.Worker, rounds: int, quick: bool) -> None:
        self.ours, self.theirs = ours, theirs
        self.rounds, self.quick = rounds, quick
        self.patience = QUICK_PATIENCE if quick else PATIENCE
        self.spent: dict[tuple[str, str], tuple[float, float]] = {}

    def measured(self, name: str, row: Row, case: Case) -> list[Line]:
        """Make the data of a case, run its sides in turn, and return its lines."""
        made = self._asked(name, case, MAKE, row.made_by_ours)
        left_out = case.skip + (case.slow if self.quick else ())
        results: dict[str, list[dict[str, Any]]] = {
            side: [] for side in row.sides if side not in case.skip
        }
        took = dict.fromkeys(results, 0.0)
        for _ in range(self.rounds):
            for side, answers in results.items():
                if side in left_out or took[side] > self.patience / 2:
                    continue
                before = time.monotonic()
                here = side == OURS or side in row.here
                answers.append(made if "error" in made else self._asked(name, case, side, here))
                took[side] += time.monotonic() - before
        return lines_of(name, row, case, results)

    def _asked(self, name: str, case: Case, side: str, here: bool) -> dict[str, Any]:
        worker = self.ours if here else self.theirs
        before = time.monotonic()
        answer = worker.measure(name, case.name, side, self.patience)
        wall, cpu = self.spent.get((name, side), (0.0, 0.0))
        wall, cpu = wall + time.monotonic() - before, cpu + answer.get("cpu", 0.0)
        self.spent[name, side] = wall, cpu
        return answer


def main() -> None:
    options = _options()
    began = time.monotonic()
    peers.install()
    rows = {name: _row(name) for name in options.only}
    lines: list[Line] = []
    machine = Machine.now()
    with peers.our_worker() as ours, peers.their_worker() as theirs:
        runner = Runner(ours, theirs, options.rounds, options.quick)
        print(report.HEADER)
        for name, row in rows.items():
            for case in row.cases:
                if case.quick or not options.quick:
                    found = runner.measured(name, row, case)
                    lines += found
                    print(*(report.show(line) for line in found), sep="\n", flush=True)
    grown = [text for name, row in rows.items() for text in growth(name, row, lines)]
    whole = report.Report(machine.until_now(), options.rounds, options.quick, lines, grown)
    text = whole.as_text({name: row.title for name, row in rows.items()})
    if len(rows) == len(ROWS):
        whole.write(text)
    if options.readme:
        whole.write_readme()
    print(f"\n{text}\n{_times(runner.spent)}\n{time.monotonic() - began:.0f} s in all")
    raise SystemExit(any(line.failed for line in lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS, metavar="ROW")
    parser.add_argument("--quick", action="store_true", help="sizes that take minutes in all")
    parser.add_argument("--rounds", type=int, help="fresh processes a side: 3, or 2 if quick")
    parser.add_argument("--readme", action="store_true", help="put the table into the README")
    options = parser.parse_args()
    if options.readme and set(options.only) != set(ROWS):
        parser.error("the table of the README has all rows: --readme goes without --only")
    if options.rounds is None:
        options.rounds = 2 if options.quick else 3
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    return options


def _row(name: str) -> Row:
    row: Row = importlib.import_module(f"benchmarks.rows.{name}").ROW
    return row


def _times(spent: Mapping[tuple[str, str], tuple[float, float]]) -> str:
    """Return what the run itself took, by row and side: seconds on the clock, and of CPU."""
    by_row: dict[str, list[str]] = {}
    for (name, side), (wall, cpu) in spent.items():
        by_row.setdefault(name, []).append(f"{side} {wall:.1f} ({cpu:.1f})")
    return "\n".join(f"{name}: {', '.join(parts)}" for name, parts in by_row.items())


if __name__ == "__main__":
    main()
