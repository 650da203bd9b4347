"""Damage files of every format and see that only errors of our tree come of it.

    uv run benchmarks/fuzz.py [--format NAME ...] [--without NAME ...] [--count N]
        [--minutes M] [--seed S] [--corpus DIR] [--keep DIR]

Every installed parser is fuzzed, and every kind of reference store: copies of small files with
bytes changed, structures cut off or swapped, lengths spliced, integers and numbers replaced by
extremes. Each mutant is parsed and some of its chunks are read through `ManifestStore`, in a child
process with limits: 2 s of CPU time, and 64 MB plus 20 times the size of the files of address
space. A death, a hang, too much memory, or an exception that is not of our tree is a finding: the
mutant is saved, and the exit status is 1.

Half of the mutants are of files that other libraries write on the spot, half of small files in the
corpora, where those are present. The same seed makes the same mutants. They come in batches, of
every format one before the second of any; a line is printed for each, and a table at the end, also
when the run is interrupted or its minutes are over.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
FINDINGS = HERE / "data" / "fuzz"
BATCH = 2000
COLUMNS = (
    *("format", "seeds", "mutants", "parsed", "refused"),
    *("deaths", "hangs", "memory", "foreign", "slowest", "grown"),
)
WIDTHS = "{:24}{:>6}{:>9}{:>8}{:>9}{:>8}{:>7}{:>8}{:>9}{:>9}{:>8}"
HANGS = ("hang", "stall")


@dataclass
class Tally:
    """What is known of one format, over all its batches."""

    format: str
    seeds: int = 0
    mutants: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    grown: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)

    def add(self, found: dict[str, Any]) -> None:
        """Add what a campaign printed."""
        self.seeds = max(self.seeds, found["seeds"])
        self.mutants += found["mutants"]
        self.outcomes.update(found["outcomes"])
        self.slowest = max(self.slowest, found["slowest"])
        self.grown = max(self.grown, found["grown"])
        self.bad += found["bad"]

    def row(self) -> str:
        """Return the line of the table."""
        refused = sum(n for what, n in self.outcomes.items() if what.startswith("refused"))
        foreign = sum(n for what, n in self.outcomes.items() if what.startswith("foreign"))
        return WIDTHS.format(
            self.format,
            self.seeds,
            self.mutants,
            self.mutants - refused - len(self.bad),
            refused,
            self.outcomes["death"],
            sum(self.outcomes[what] for what in HANGS),
            self.outcomes["memory"],
            foreign,
            f"{self.slowest:.2f} s",
            f"{self.grown / 1e6:.0f} MB",
        )

    def findings(self) -> Iterator[str]:
        """Yield what is bad, the like together, with the first mutant of each."""
        alike: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for bad in self.bad:
            alike.setdefault((bad["outcome"], bad["where"]), []).append(bad)
        for (outcome, where), those in alike.items():
            first = those[0]
            yield f"    {len(those)} x {outcome} at {where}: {first['text']:.120}"
            yield f"        first: mutant {first['k']} of {first['seed']}, --seed {first['salt']}"


def fuzz(
    formats: list[str], count: int, salt: str, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Run a campaign of each format in a process of their own; yield what each found."""
    command = [sys.executable, "-m", "fuzzing.campaign", *formats, "--keep", str(options.keep)]
    command += ["--count", str(count), "--seed", salt]
    if options.corpus is not None:
        command += ["--corpus", str(options.corpus)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                found: dict[str, Any] = json.loads(line)
                for bad in found["bad"]:
                    bad["salt"] = salt
                yield found
            process.wait()
        finally:
            process.kill()
            process.communicate()
        if process.returncode != 0:
            log.seek(0)
            raise SystemExit(log.read()[-3000:])


def batches(seed: str, count: int) -> Iterator[tuple[str, int]]:
    """Yield the seed and the number of mutants of each batch; the first has the seed as given."""
    for start in range(0, count, BATCH):
        yield seed if not start else f"{seed}.{start // BATCH}", min(BATCH, count - start)


def run(formats: list[str], options: argparse.Namespace, tallies: dict[str, Tally]) -> None:
    """Fuzz all formats, batch by batch, until all is done or the minutes are over."""
    end = time.monotonic() + 60 * options.minutes
    for salt, count in batches(options.seed, options.count):
        for found in fuzz(formats, count, salt, options):
            name = found["format"]
            tally = tallies.setdefault(name, Tally(name))
            known = len(tally.bad)
            tally.add(found)
            print(tally.row(), flush=True)
            if len(tally.bad) > known:
                print(*tally.findings(), sep="\n", flush=True)
            if time.monotonic() > end:
                return


def main() -> None:
    sys.path.insert(0, str(TESTS))
    from fuzzing.seed import format_names

    known = format_names()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--format", nargs="+", choices=known, default=known, metavar="NAME")
    parser.add_argument("--without", nargs="+", choices=known, default=(), metavar="NAME")
    parser.add_argument("--count", type=int, default=BATCH, help=f"mutants a format ({BATCH})")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no more then")
    parser.add_argument("--seed", default="0", help="another seed makes other mutants")
    parser.add_argument("--corpus", type=Path, default=None, help="a directory of real files")
    parser.add_argument("--keep", type=Path, default=FINDINGS, help="where findings are saved")
    options = parser.parse_args()
    formats = [name for name in options.format if name not in options.without]
    tallies: dict[str, Tally] = {}
    print(WIDTHS.format(*COLUMNS), flush=True)
    try:
        run(formats, options, tallies)
    except KeyboardInterrupt:
        print("interrupted")
    print("\n" + WIDTHS.format(*COLUMNS))
    for tally in tallies.values():
        print(tally.row())
        print(*tally.findings(), sep="\n", end="\n" if tally.bad else "")
    missing = [name for name in formats if name not in tallies]
    if missing:
        print(f"not reached: {', '.join(missing)}")
    raise SystemExit(any(tally.bad for tally in tallies.values()) or bool(missing))


if __name__ == "__main__":
    main()
