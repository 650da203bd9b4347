# /// script
# requires-python = ">=3.12"
# dependencies = ["matplotlib>=3.9", "virtualizarr[codecs,icechunk,parquet]"]
#
# [tool.uv.sources]
# virtualizarr = { path = "..", editable = true }
# ///
"""Run the benchmark rows, ours and the peers' side by side, and print one table.

    uv run benchmarks/run.py [--quick] [--only NAME ...] [--rounds N] [--readme]

Each measurement is a fresh process. Ours and the peers' alternate; the table shows medians of CPU
time (user + system) for local work, and wall time, requests and bytes for remote work. Absolute
figures mean little on a shared machine; the ratios are from the same minutes. Both sides must find
the same references, or the line says so.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks import peers, report  # noqa: E402
from benchmarks.cases import OURS, Case, Row  # noqa: E402
from benchmarks.judging import Line, growth, lines_of  # noqa: E402

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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS, metavar="ROW")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, one round")
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes a side")
    parser.add_argument("--readme", action="store_true", help="put the table into the README")
    arguments = parser.parse_args()
    began = time.monotonic()
    peers.install()
    (HERE / "data").mkdir(exist_ok=True)
    rows = {name: _row(name) for name in arguments.only}
    lines: list[Line] = []
    print(report.HEADER)
    for name, row in rows.items():
        for case in row.cases:
            if case.quick or not arguments.quick:
                found = _measured(name, row, case, 1 if arguments.quick else arguments.rounds)
                lines += found
                print(*(report.show(line) for line in found), sep="\n", flush=True)
    grown = [text for name, row in rows.items() for text in growth(name, row, lines)]
    text = report.as_text({name: row.title for name, row in rows.items()}, lines, grown)
    whole = len(rows) == len(ROWS)
    if whole:
        report.write(text, lines, plot=True)
    if arguments.readme:
        report.write_readme(lines)
    print("\n" + text)
    print(f"{time.monotonic() - began:.0f} s in all")


def _row(name: str) -> Row:
    row: Row = importlib.import_module(f"benchmarks.rows.{name}").ROW
    return row


def _measured(name: str, row: Row, case: Case, rounds: int) -> list[Line]:
    made = peers.run(name, case.name, "make", row.made_by_ours)
    if "error" in made:
        raise SystemExit(f"the data of {name}, {case.name} cannot be made: {made['error']}")
    results: dict[str, list[dict[str, Any]]] = {
        side: [] for side in row.sides if side not in case.skip
    }
    for _ in range(1 if case.once else rounds):
        for side, found in results.items():
            found.append(peers.run(name, case.name, side, side == OURS or side in row.here))
    return lines_of(name, row, case, results)


if __name__ == "__main__":
    main()
