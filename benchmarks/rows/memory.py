"""Memory that a reference takes, in a parsed or built array, beyond what was there before."""

import gc
import tracemalloc
from pathlib import Path
from typing import Any

from benchmarks import hdf5_files, references, virtual_data
from benchmarks.case_file import made_whole
from benchmarks.cases import Case, Row, Target, Work

BYTES = "bytes a reference"


def _path(data: Path, case: str) -> Path:
    return data / ("index_btree1_200k.h5" if case == "200k of one file" else "implicit_200k.h5")


def make(data: Path, case: str) -> None:
    path = _path(data, case)
    if case == "200k of one file":
        made_whole(path, lambda part: hdf5_files.chunk_index(part, 200_000, "btree1"))
    if case.startswith("200k un"):
        made_whole(path, lambda part: hdf5_files.implicit(part, 200_000))


def _builder(data: Path, case: str) -> Work:
    if case.startswith("1M of"):
        return lambda: virtual_data.chunk_manifest(1_000_000)
    path = _path(data, case)
    name = "empty" if case == "200k unwritten" else "data"
    return lambda: _parsed(path)[name].manifest


def _parsed(path: Path) -> Any:
    import virtualizarr

    if hasattr(virtualizarr, "parse"):
        return virtualizarr.parse(path).arrays
    from virtualizarr.parsers import HDFParser

    return HDFParser()(f"file://{path}", references.peer_registry())._group.arrays


def measured(data: Path, case: str) -> Work:
    build = _builder(data, case)
    build()

    def work() -> Any:
        gc.collect()
        tracemalloc.start()
        manifest = build()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return manifest, taken

    return work


def also(result: Any, side: str) -> dict[str, float]:
    manifest, taken = result
    cells = 1
    for count in manifest.shape_chunk_grid:
        cells *= count
    return {BYTES: taken / cells}


def found(result: Any, side: str) -> Any:
    return references.of_manifest(result[0])


def _limit(case: str) -> float:
    return 0.1 if case.startswith("200k un") else 17


CASES = (
    "200k of one file",
    "1M of 1,000 files",
    "200k uncompressed, in order",
    "200k unwritten",
)
ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(name, (Target(_limit(name), measure=BYTES),), quick=not name.startswith("1M"))
        for name in CASES
    ),
    make=make,
    sides={"ours": measured, "VirtualiZarr": measured},
    found=found,
    also=also,
    shown=(BYTES,),
    turns=1,
)
