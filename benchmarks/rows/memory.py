"""Memory that a reference takes, in a parsed or built array, beyond what was there before."""

import gc
import tracemalloc
from pathlib import Path
from typing import Any

from benchmarks import hdf5_files, references, virtual_data
from benchmarks.case_file import made_whole
from benchmarks.cases import Case, Row, Target, Work

COUNTS = {"40k": 40_000, "200k": 200_000, "1M": 1_000_000}
BYTES = "bytes a reference"


def _path(data: Path, case: str) -> Path:
    size, _, kind = case.partition(" ")
    return data / f"{'index_btree1' if kind == 'of one file' else 'implicit'}_{size}.h5"


def make(data: Path, case: str) -> None:
    path = _path(data, case)
    count = COUNTS[case.split()[0]]
    if case.endswith("of one file"):
        made_whole(path, lambda part: hdf5_files.chunk_index(part, count, "btree1"))
    elif not case.endswith("files"):
        made_whole(path, lambda part: hdf5_files.implicit(part, count))


def _builder(data: Path, case: str) -> Work:
    if case.startswith("1M of"):
        return lambda: virtual_data.chunk_manifest(1_000_000)
    path = _path(data, case)
    name = "empty" if case.endswith("unwritten") else "data"
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
    return 17 if case.endswith(("file", "files")) else 0.1


KINDS = ("of one file", "uncompressed, in order", "unwritten")
CASES = (
    *(f"{size} {kind}" for kind in KINDS for size in COUNTS if size != "1M"),
    "1M of 1,000 files",
)
ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(name, (Target(_limit(name), measure=BYTES),), quick=name.startswith("40k"))
        for name in CASES
    ),
    make=make,
    sides={"ours": measured, "VirtualiZarr": measured},
    found=found,
    also=also,
    shown=(BYTES,),
    turns=1,
)
