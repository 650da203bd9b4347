"""Damage files of every format and see that only errors of our tree come of it.

    uv run benchmarks/fuzz.py [--format NAME ...] [--count N] [--seed S] [--corpus DIR]

Every installed parser is fuzzed, and every kind of reference store: copies of small files with
bytes changed, structures cut off or swapped, lengths spliced, integers and numbers replaced by
extremes. Each mutant is parsed and some of its chunks are read through `ManifestStore`, in a child
process with limits: 2 s of CPU time, and 64 MB plus 20 times the size of the files of address
space. A death, a hang, too much memory, or an exception that is not of our tree is a finding: the
mutant is saved, and the exit status is 1.

Half of the mutants are of files that other libraries write on the spot, half of small files in the
corpora, where those are present. The same seed makes the same mutants.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
FINDINGS = HERE / "data" / "fuzz"
ROW = "{:24}{:>6}{:>9}{:>8}{:>9}{:>9}{:>10}{:>10}"

sys.path.insert(0, str(TESTS))


def fuzz(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run the campaign of one format in a process of its own; return what it found."""
    keep = options.keep / name
    command = [sys.executable, "-m", "fuzzing.campaign", name, "--keep", str(keep)]
    command += ["--count", str(options.count), "--seed", options.seed]
    if options.corpus is not None:
        command += ["--corpus", str(options.corpus)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(found: dict[str, Any]) -> None:
    """Print one row of the table, and what is bad below it, the like together."""
    outcomes: Counter[str] = Counter(found["outcomes"])
    refused = sum(n for what, n in outcomes.items() if what.startswith("refused"))
    parsed = found["mutants"] - refused - len(found["bad"])
    slowest, grown = f"{found['slowest']:.2f} s", f"{found['grown'] / 1e6:.0f} MB"
    numbers = (found["seeds"], found["mutants"], parsed, refused, len(found["bad"]))
    print(ROW.format(found["format"], *numbers, slowest, grown), flush=True)
    alike = Counter((bad["outcome"], bad["where"]) for bad in found["bad"])
    for (outcome, where), count in alike.most_common():
        of_these = [b for b in found["bad"] if (b["outcome"], b["where"]) == (outcome, where)]
        first = of_these[0]
        print(f"    {count} x {outcome} at {where}: {first['text']:.120}")
        print(f"        first: mutant {first['k']} of {first['seed']}", flush=True)


def main() -> None:
    from fuzzing.seed import format_names

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--format", action="append", choices=format_names(), dest="formats")
    parser.add_argument("--count", type=int, default=2000, help="mutants a format (2000)")
    parser.add_argument("--seed", default="0", help="another seed makes other mutants")
    parser.add_argument("--corpus", type=Path, default=None, help="a directory of real files")
    parser.add_argument("--keep", type=Path, default=FINDINGS, help="where findings are saved")
    options = parser.parse_args()
    print(ROW.format("format", "seeds", "mutants", "parsed", "refused", "bad", "slowest", "grown"))
    bad = 0
    for name in options.formats if options.formats is not None else format_names():
        found = fuzz(name, options)
        show(found)
        bad += len(found["bad"])
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
