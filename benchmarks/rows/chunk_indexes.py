"""Many chunks in one dataset, under every kind of HDF5 chunk index."""

from pathlib import Path

from benchmarks import archive, references
from benchmarks.rows import small_file

KINDS = ("btree1", "btree2", "fixed", "extensible")
COUNTS = {"200k": 200_000, "2M": 2_000_000}
CASES = {f"{kind} {size}": 1 / 40 for kind in KINDS for size in COUNTS}
QUICK = {f"{kind} 200k": 1 / 40 for kind in KINDS}
SIZES = {f"{kind} {size}": (kind, count) for kind in KINDS for size, count in COUNTS.items()}
REPEAT = 2


def _name(case: str) -> str:
    return f"index_{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    kind, size = case.split()
    if not (data / _name(case)).exists():
        archive.chunk_index(data / _name(case), COUNTS[size], kind)


def ours(data: Path, case: str):
    import virtualizarr

    return virtualizarr.open_virtual_dataset(data / _name(case), loadable_variables=[])


def peer(data: Path, case: str):
    import virtualizarr
    from virtualizarr.parsers import HDFParser

    return virtualizarr.open_virtual_dataset(
        f"file://{data / _name(case)}",
        registry=references.peer_registry(),
        parser=HDFParser(),
        loadable_variables=[],
    )


found = small_file.found
