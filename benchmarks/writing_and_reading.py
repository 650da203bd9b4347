"""The cases that all reference formats share: written, and read back, by us and by VirtualiZarr."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import references, virtual_data
from benchmarks.cases import Case, Row, Side, Target, Work

type Write = Callable[[Any, Path], object]
type Read = Callable[[Path], Any]
type Tools = tuple[Write, Read]

PEAK = 400
"""MB over what there was before, for one million references."""
TINY = 10_000


def row(
    title: str,
    ending: str,
    ours: Callable[[], Tools],
    theirs: Callable[[], Tools],
    writing: float,
    reading: float,
) -> Row:
    """Return the row of a format.

    `ours` and `theirs` import what they need and return how to write a dataset, and to read it.
    `writing` and `reading` are the shares of VirtualiZarr's time to reach for a million references.
    """

    def make(data: Path, case: str) -> None:
        path = data / f"references_{case.split()[1]}.{ending}"
        if case.startswith("read") and not path.exists():
            write, _ = ours()
            write(virtual_data.dataset(virtual_data.COUNTS[case.split()[1]]), path)

    return Row(
        title=title,
        cases=_cases(writing, reading),
        make=make,
        made_by_ours=True,
        sides={
            "ours": _side("ours", ending, ours),
            "VirtualiZarr": _side("theirs", ending, theirs),
        },
        found=_found,
        shown=("seconds", "peak MB"),
        turns=1,
    )


def kerchunk_row(title: str, ending: str, parser: str, writing: float, reading: float) -> Row:
    """Return the row of a kerchunk format, which VirtualiZarr 2 reads with `parser`."""

    def write(dataset: Any, path: Path) -> None:
        dataset.virtualize.to_kerchunk(str(path), format=ending)

    def ours() -> Tools:
        import virtualizarr

        return write, virtualizarr.parse

    def virtualizarr_2() -> Tools:
        from virtualizarr import parsers

        registry, parse = references.peer_registry(), getattr(parsers, parser)()
        return write, lambda path: parse(f"file://{path}", registry)._group

    return row(title, ending, ours, virtualizarr_2, writing, reading)


def _side(name: str, ending: str, tools: Callable[[], Tools]) -> Side:
    def prepared(data: Path, case: str) -> Work:
        write, read = tools()
        verb, size = case.split()
        _warm_up(data / f"tiny_{name}.{ending}", write, read)
        if verb == "read":
            path = data / f"references_{size}.{ending}"
            return lambda: references.of_group(read(path))
        dataset = virtual_data.dataset(virtual_data.COUNTS[size])
        target = data / f"written_{name}_{size}.{ending}"
        _removed(target)

        def work() -> Any:
            write(dataset, target)
            return dataset

        return work

    return prepared


def _warm_up(path: Path, write: Write, read: Read) -> None:
    """Do all of it once, so that modules are imported."""
    _removed(path)
    write(virtual_data.dataset(TINY), path)
    read(path)


def _removed(path: Path) -> None:
    path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)


def _found(result: Any, side: str) -> Any:
    if hasattr(result, "variables"):
        return references.of_dataset(result)
    return {name.strip("/"): sums for name, sums in result.items()}


def _cases(writing: float, reading: float) -> tuple[Case, ...]:
    cases = []
    for verb, share in (("write", writing), ("read", reading)):
        targets = (Target(share, "VirtualiZarr"), Target(PEAK, measure="peak MB"))
        cases += [
            Case(f"{verb} 10k", (), verb, 10_000),
            Case(f"{verb} 100k", (Target(share, "VirtualiZarr"),), verb, 100_000),
            Case(f"{verb} 1M", targets, verb, 1_000_000, quick=False),
        ]
    return tuple(cases)
