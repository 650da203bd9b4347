"""The first chunk read from an Icechunk repository of many references, by Icechunk and Zarr.

Both sides read alike; the repository was written by us on the one, by VirtualiZarr on the other.
"""

import multiprocessing
from pathlib import Path
from typing import Any

from benchmarks import virtual_data
from benchmarks.cases import Case, Row, Side, Target, Work
from benchmarks.rows import icechunk as writing

SHARE = 1 / 100
STEP = 32


def _source(data: Path) -> Path:
    """Return the folder of the file that all references lead to."""
    return data / "chunks"


def _repository(data: Path, case: str, side: str) -> Path:
    return data / f"first_chunk_{case.split()[0]}_{side}.icechunk"


def make(data: Path, case: str) -> None:
    folder = _source(data)
    folder.mkdir(exist_ok=True)
    for i in range(virtual_data.FILES):
        path = folder / f"{i:04}.nc"
        if not path.exists():
            path.write_bytes(b"")
            with path.open("r+b") as file:
                file.truncate(STEP * virtual_data.COUNTS["10M"] + STEP)


def write(data: Path, case: str, side: str) -> None:
    """Write the repository of one side; a process of its own does, for the sake of memory."""
    count, prefix = virtual_data.COUNTS[case.split()[0]], f"file://{_source(data)}/"
    manifest = virtual_data.chunk_manifest(count, prefix, STEP, shortest=STEP)
    dataset = virtual_data.dataset_of(manifest, ())
    target = _repository(data, case, side)
    if side == "ours":
        dataset.virtualize.to_icechunk(str(target))
    else:
        writing.write_plainly(dataset, target, prefix)


def _reading(side: str) -> Side:
    def prepared(data: Path, case: str) -> Work:
        target = _repository(data, case, side)
        if not target.exists():
            writer = multiprocessing.get_context("fork").Process(
                target=write, args=(data, case, side)
            )
            writer.start()
            writer.join()
            if writer.exitcode:
                raise RuntimeError(f"the repository of {side} cannot be written")
        import icechunk
        import zarr

        prefix = f"file://{_source(data)}/"
        access: dict[str, Any] = {prefix: icechunk.credentials.LocalFileSystemAccess}

        def work() -> Any:
            storage = icechunk.local_filesystem_storage(str(target))
            repository = icechunk.Repository.open(storage, authorize_virtual_chunk_access=access)
            store = repository.readonly_session("main").store
            array = zarr.open_array(store, path="v", mode="r")
            middle = tuple(size // 2 for size in array.shape)
            return array[middle]

        return work

    return prepared


def found(result: Any, side: str) -> Any:
    return float(result)


CASES = ("10k references", "100k references", "1M references", "10M references")
ROW = Row(
    title=__doc__.splitlines()[0],
    cases=tuple(
        Case(
            name,
            (Target(SHARE, "VirtualiZarr"),) if name.startswith("10M") else (),
            "references",
            virtual_data.COUNTS[name.split()[0]],
            quick=name in CASES[:2],
        )
        for name in CASES
    ),
    make=make,
    sides={"ours": _reading("ours"), "VirtualiZarr": _reading("theirs")},
    found=found,
    shown=("seconds", "peak MB"),
)
