"""Run the benchmark rows, ours and the peer's side by side, and print one table.

    uv run --group bench benchmarks/run.py [--only NAME ...] [--quick] [--repeat N]

Each measurement is a fresh process. Ours and the peer's alternate; the table shows medians of CPU
time (user + system) for local work, and wall time, requests and bytes for remote work. Absolute
figures mean little on a shared machine; the ratios are from the same minutes. Both sides must find
the same references, or the row fails.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
RESULTS = HERE / "results"
PEERS = HERE / ".venv-peers"
PEER_PACKAGES = ("virtualizarr==2.8.0", "kerchunk==0.2.10", "h5py", "netCDF4", "h5netcdf", "scipy")
ROWS = (
    "small_file",
    "chunk_indexes",
    "many_variables",
    "remote",
    "concat",
    "kerchunk_json",
    "to_xarray",
    "reading",
    "netcdf3",
    "importing",
)

sys.path.insert(0, str(HERE.parent))


def peer_python() -> Path:
    """Return the interpreter of the peers' environment, made on first use."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.13", str(PEERS)], check=True)
        subprocess.run(
            ["uv", "pip", "install", "--quiet", "--python", str(python), *PEER_PACKAGES],
            check=True,
        )
    return python


def measure(python: Path, row: str, case: str, side: str, repeat: int) -> dict[str, Any]:
    """Run one side of one case in a fresh process; give seconds, and what it found."""
    done = subprocess.run(
        [str(python), "-W", "ignore", "-m", "benchmarks.measure", row, case, side, str(repeat)],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "died"}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_case(row: str, case: str, target: float | None, rounds: int) -> dict[str, Any]:
    """Measure both sides alternately and compare what they found."""
    module = importlib.import_module(f"benchmarks.rows.{row}")
    repeat = getattr(module, "REPEAT", 3)
    ours: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    for _ in range(rounds):
        ours.append(measure(Path(sys.executable), row, case, "ours", repeat))
        if hasattr(module, "peer"):
            peers.append(measure(peer_python(), row, case, "peer", repeat))
    line: dict[str, Any] = {"row": row, "case": case, "target": target}
    for name, found in (("ours", ours), ("peer", peers)):
        errors = [one["error"] for one in found if "error" in one]
        if errors:
            line[f"{name}_error"] = errors[0]
        elif found:
            line[name] = statistics.median(one["seconds"] for one in found)
            line[f"{name}_extra"] = found[0].get("extra", {})
            line[f"{name}_found"] = found[0]["found"]
    if "ours" in line and "peer" in line:
        line["ratio"] = line["ours"] / line["peer"]
        line["equal"] = line["ours_found"] == line["peer_found"]
    line.pop("ours_found", None)
    line.pop("peer_found", None)
    return line


def verdict(line: dict[str, Any]) -> str:
    """Say in a word whether a case reached its target."""
    if "ours_error" in line:
        return f"FAILED: {line['ours_error']}"
    if line.get("equal") is False:
        return "DIFFERS from the peer"
    if line["target"] is None or ("ratio" not in line and "limit" not in line):
        return f"peer failed: {line['peer_error']}" if "peer_error" in line else ""
    return "ok" if line["ratio"] <= line["target"] else "falls short"


def show(lines: list[dict[str, Any]]) -> str:
    """Return the table as Markdown."""
    out = [
        "| row | case | ours, s | peer, s | ours/peer | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        cells = [
            line["row"],
            line["case"],
            f"{line['ours']:.4f}" if "ours" in line else "-",
            f"{line['peer']:.4f}" if "peer" in line else "-",
            f"1/{1 / line['ratio']:.1f}" if "ratio" in line else "-",
            f"1/{1 / line['target']:.1f}" if line["target"] else "-",
            " ".join(
                [verdict(line), *(f"{k}={v}" for k, v in line.get("ours_extra", {}).items())]
            ).strip(),
        ]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def exponents(lines: list[dict[str, Any]]) -> list[str]:
    """Return how our time grows with size, for rows that were run at several sizes."""
    out = []
    for row in dict.fromkeys(line["row"] for line in lines):
        sizes = importlib.import_module(f"benchmarks.rows.{row}").__dict__.get("SIZES", {})
        series: dict[str, list[tuple[float, float]]] = {}
        for line in lines:
            if line["row"] == row and line["case"] in sizes and "ours" in line:
                name, size = sizes[line["case"]]
                series.setdefault(name, []).append((size, line["ours"]))
        for name, points in series.items():
            (small, quick), (large, slow) = min(points), max(points)
            if large > small:
                out.append(f"{row} {name}: exponent {log(slow / quick) / log(large / small):.2f}")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--repeat", type=int, default=3, help="rounds of fresh processes")
    arguments = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    RESULTS.mkdir(exist_ok=True)
    lines: list[dict[str, Any]] = []
    for row in arguments.only:
        module = importlib.import_module(f"benchmarks.rows.{row}")
        cases = module.QUICK if arguments.quick else module.CASES
        for case, target in cases.items():
            module.make(DATA, case)
            lines.append(run_case(row, case, target, 1 if arguments.quick else arguments.repeat))
            print(show(lines[-1:]).splitlines()[-1], flush=True)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = "\n".join(
        [
            f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine}.",
            "",
            show(lines),
            "",
            *exponents(lines),
        ]
    )
    print("\n" + text)
    (RESULTS / "latest.md").write_text(text + "\n")
    (RESULTS / "latest.json").write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
