"""Fuzzing of formats: many mutants, in children with limits, and what went wrong with which.

    python -m fuzzing.campaign FORMAT ... --count N --seed S [--corpus DIR] [--keep DIR] [--asked]

prints a line of JSON for each format: when it is its turn or, if `--asked`, whenever a line of
standard input names it. Every child handles many mutants, one after the other; when one kills it,
the next child goes on behind it. The kernel enforces the limits, per mutant: address space, CPU
time (by the profiling timer, so that a busy machine does not count) and, ten times as much, wall
time.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from fuzzing.seed import CORPUS, SHARED, TESTS, Seed, read_index

SECONDS = 2.0
WALL_SECONDS = 20.0
FREE_BYTES = 64 << 20
BYTES_PER_BYTE = 20
DETECT_EVERY = 16
BATCHED_EVERY = 10  # zarr's other pipeline, which is slow
LEAST_SHARE = 20  # mutants of one seed
MALLOC_ARENAS = -8  # M_ARENA_MAX of glibc's mallopt
KILLED_BY = {signal.SIGPROF: "hang", signal.SIGALRM: "stall"}


@dataclass(slots=True)
class Findings:
    """What a campaign found: outcomes counted, and what must not happen, with its mutant."""

    seeds: int = 0
    mutants: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    grown: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)

    def note(self, event: dict[str, Any]) -> None:
        self.mutants += 1
        self.slowest = max(self.slowest, event.get("seconds", 0.0))
        self.grown = max(self.grown, event.get("grown", 0))
        self.outcomes[event["outcome"]] += 1
        if event.get("bad"):
            self.bad.append(event)


def build(names: Sequence[str], corpus: Path, folder: Path) -> dict[str, tuple[str, list[Seed]]]:
    """Return the parser and the seeds of formats, made by another process.

    Libraries that make seeds start threads; this process must stay without, to be forked.
    """
    command = [sys.executable, "-m", "fuzzing.seeds", str(corpus), str(folder), *names]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    # The path that hdf5plugin leaves to children may bind its plugins to another libhdf5.
    environment.pop("HDF5_PLUGIN_PATH", None)
    subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
    return {name: read_index(folder / name) for name in names}


def shares(seeds: Sequence[Seed], count: int, salt: str) -> list[tuple[Seed, int]]:
    """Return how many mutants each seed gets; those made here get half, those of corpora half.

    Of very many, some are chosen: each costs a process.
    """
    made = [seed for seed in seeds if not seed.folder.name.startswith(CORPUS)]
    found = [seed for seed in seeds if seed.folder.name.startswith(CORPUS)]
    chance = random.Random(salt)
    shared: list[tuple[Seed, int]] = []
    for kind, part in ((made, count - count // 2), (found, count // 2)):
        share = part if made and found else count * bool(kind)
        chosen = chance.sample(kind, min(len(kind), max(1, share // LEAST_SHARE)))
        ends = [round(share * i / len(chosen)) for i in range(len(chosen) + 1)] if chosen else []
        counts = [stop - start for start, stop in pairwise(ends)]
        shared += zip(chosen, counts, strict=True)
    return shared


class Mutants:
    """The damaged copies of one seed: number `k` is the same every time."""

    def __init__(self, seed: Seed, salt: str) -> None:
        from fuzzing.seals import sealed_spans

        self.seed, self.salt = seed, salt
        self.whole = {name: (seed.folder / name).read_bytes() for name in seed.damaged}
        self.spans = {name: sealed_spans(data) for name, data in self.whole.items()}
        self.edges: dict[str, list[int]] = {}
        weights = {name: 3 if is_document(name) else 1 for name in self.whole}
        self.names, self.weights = list(weights), list(weights.values())

    def learn_edges(self, parser: str) -> None:
        """Note where the parser looks for structures."""
        from virtualizarr.plugins import parser_named
        from virtualizarr.testing import cut_points

        for name, data in self.whole.items():
            edges = {len(data) * i // 8 for i in range(8)}
            if len(self.whole) == 1:
                with suppress(Exception):
                    edges |= cut_points(parser_named(parser), data)
            self.edges[name] = sorted(edges)

    def number(self, k: int) -> tuple[str, bytes]:
        """Return the name of the file that mutant `k` damages, and its content."""
        from fuzzing.mutate import mutant
        from fuzzing.seals import resealed

        chance = random.Random(f"{self.salt}/{self.seed.name}/{k}")
        (name,) = chance.choices(self.names, self.weights)
        data = mutant(self.whole[name], self.edges[name], chance)
        if self.spans[name] and chance.random() < 0.7:
            data = resealed(data, self.spans[name])
        return name, data


def is_document(name: str) -> bool:
    """Say whether a file of a store describes it, and is no chunk."""
    last = name.rpartition("/")[2]
    return last.startswith(".z") or "." in last.strip("0123456789.") or "/" not in name


def work(mutants: Mutants, parser: str, first: int, count: int, events: int, log: int) -> None:
    """Be the child: examine mutants from `first` on, and tell of each what came of it."""
    from fuzzing.examine import BATCHED, FUSED, outcome

    place = Path(tempfile.mkdtemp(dir=scratch()))
    shutil.copytree(mutants.seed.folder, place, dirs_exist_ok=True)
    target = place / mutants.seed.target
    tell(events, {"scratch": str(place)})
    ctypes.CDLL(None).mallopt(MALLOC_ARENAS, 1)
    faulthandler.enable(log)
    faulthandler.register(signal.SIGPROF, log, chain=True)
    faulthandler.register(signal.SIGALRM, log, chain=True)
    mutants.learn_edges(parser)
    pristine = [outcome(target, parser, pipeline) for pipeline in (BATCHED, FUSED)]
    tell(events, {"edges": mutants.edges, "pristine": pristine})
    allowance = FREE_BYTES + BYTES_PER_BYTE * mutants.seed.size
    for k in range(first, count):
        name, data = mutants.number(k)
        (place / name).write_bytes(data)
        tell(events, {"begins": k})
        chosen = None if k % DETECT_EVERY == 0 else parser
        pipeline = BATCHED if k % BATCHED_EVERY == 0 else FUSED
        event = examined(target, chosen, allowance, partial(outcome, pipeline=pipeline))
        (place / name).write_bytes(mutants.whole[name])
        tell(events, {"k": k, **event})


def examined(target: Path, parser: str | None, allowance: int, outcome: Any) -> dict[str, Any]:
    """Examine what is at `target` under limits; return what came of it."""
    bad = False
    start, before = time.process_time(), peak()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + allowance, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    told: dict[str, Any] = {}
    try:
        result = outcome(target, parser)
    except BaseException as error:
        bad = True
        result = "memory" if isinstance(error, MemoryError) else f"foreign {type(error).__name__}"
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        told = {"text": f"{error}"[:300], "where": where(error), "trace": shown(error)}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    seconds = time.process_time() - start
    return {"outcome": result, "bad": bad, "seconds": seconds, "grown": peak() - before, **told}


def where(error: BaseException) -> str:
    """Return the last place in our own code that an exception passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f"virtualizarr{os.sep}" in f.filename]
    last = (ours if ours else frames)[-1]
    return f"{last.filename.rpartition('virtualizarr' + os.sep)[2]}:{last.lineno} {last.name}"


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-3000:]


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def scratch() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def tell(events: int, event: dict[str, Any]) -> None:
    os.write(events, json.dumps(event).encode() + b"\n")


def run_seed(
    mutants: Mutants, parser: str, count: int, findings: Findings, keep: Path | None
) -> None:
    """Examine `count` mutants of one seed, with as many children as it takes."""
    first = 0
    while first < count:
        events, status, log = child_told(mutants, parser, first, count)
        begun = max((e["begins"] for e in events if "begins" in e), default=None)
        done = [event for event in events if "k" in event]
        for event in events:
            mutants.edges = event.get("edges", mutants.edges)
            if "scratch" in event:
                shutil.rmtree(event["scratch"], ignore_errors=True)
        first = done[-1]["k"] + 1 if done else first
        if status != 0:
            killer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            kind = KILLED_BY.get(signal.Signals(killer), "death") if killer else "death"
            if begun is None or begun < first:
                raise SystemExit(f"{mutants.seed.name}, undamaged, ends in {kind} {killer}: {log}")
            trace = {"text": f"signal {killer}", "where": first_frame(log), "trace": log}
            done.append({"k": begun, "outcome": kind, "bad": True, **trace})
            first = begun + 1
        for event in done:
            findings.note({**event, "seed": mutants.seed.name})
            if event["bad"] and keep is not None:
                preserve(mutants, event, keep)


def fork() -> int:
    """Fork. The one other thread is the memory allocator's of a library, which knows of forks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def child_told(
    mutants: Mutants, parser: str, first: int, count: int
) -> tuple[list[dict[str, Any]], int, str]:
    """Run one child to its end; return what it told, its exit status, and its last traceback."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as log:
        child = fork()
        if child == 0:
            status = 1
            try:
                os.close(reader)
                quiet = os.open(os.devnull, os.O_WRONLY)
                os.dup2(quiet, 1)
                os.dup2(log.fileno(), 2)
                work(mutants, parser, first, count, writer, log.fileno())
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader) as lines:
            events = [json.loads(line) for line in lines if line.endswith("\n")]
        _, status = os.waitpid(child, 0)
        log.seek(0)
        return events, status, log.read().decode(errors="replace")[-3000:]


def first_frame(log: str) -> str:
    """Return the innermost line of ours in a traceback by faulthandler."""
    for line in log.splitlines():
        if f"virtualizarr{os.sep}" in line and "site-packages" not in line:
            return line.strip().rpartition("virtualizarr" + os.sep)[2]
    return ""


def preserve(mutants: Mutants, event: dict[str, Any], keep: Path) -> None:
    """Save a mutant that went wrong, whole, with what it did."""
    slug = "".join(c if c.isalnum() else "-" for c in f"{mutants.seed.name}-{event['k']}")
    place = keep / slug
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(mutants.seed.folder, place)
    name, data = mutants.number(event["k"])
    (place / name).write_bytes(data)
    told = {**event, "file": name, "target": mutants.seed.target, "seed": mutants.seed.name}
    (keep / f"{slug}.json").write_text(json.dumps(told, indent=1))


def preload() -> None:
    """Import what parsing needs, so that children start with it."""
    ours = ("fuzzing.examine", "fuzzing.mutate", "fuzzing.seals")
    ours += ("virtualizarr.api", "virtualizarr.store", "virtualizarr.testing")
    for module in (*ours, "imagecodecs.imagecodecs", "importlib.resources.readers", "pyproj"):
        importlib.import_module(module)
    plugins = importlib.import_module("virtualizarr.plugins")
    plugins.installed_parsers()


def campaign(
    parser: str, seeds: Sequence[Seed], count: int, salt: str, keep: Path | None
) -> Findings:
    """Fuzz one format with `count` mutants over its seeds."""
    findings = Findings()
    shared = shares(seeds, count, salt)
    findings.seeds = len(shared)
    for seed, share in shared:
        run_seed(Mutants(seed, salt), parser, share, findings, keep)
    return findings


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="+")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--corpus", type=Path, default=SHARED)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--asked", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        built = build(options.formats, options.corpus, Path(place))
        preload()
        for name in map(str.strip, sys.stdin) if options.asked else options.formats:
            keep = options.keep / name if options.keep else None
            found = campaign(*built[name], options.count, options.seed, keep)
            told = {each.name: getattr(found, each.name) for each in fields(found)}
            print(json.dumps({"format": name, **told}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
