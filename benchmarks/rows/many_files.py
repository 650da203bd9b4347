"""Files in a bucket behind 50 ms a request: listed, parsed and combined into one dataset.

Modules are imported before: a local file is opened first.
"""

import time
from pathlib import Path
from typing import Any

from benchmarks import hdf5_files, references
from benchmarks.cases import Case, Row, Target, Work
from benchmarks.server import RangeServer

COUNTS = (12, 100, 1000)
LATENCY = 0.05
FIRST = "00000.nc"
PER_FILE = 1000 / 150
"""Milliseconds of CPU a file, at 150 files a second and core."""
COMBINING: dict[str, Any] = {
    "combine": "nested",
    "concat_dim": "time",
    "coords": "minimal",
    "data_vars": "minimal",
    "compat": "override",
    "join": "override",
}


def _folder(data: Path, case: str) -> Path:
    return data / f"many_{case.split()[0]}"


def make(data: Path, case: str) -> None:
    hdf5_files.daily_files(_folder(data, case), int(case.split()[0]))


def ours(data: Path, case: str) -> Work:
    import virtualizarr

    virtualizarr.open_virtual_dataset(_folder(data, case) / FIRST)
    server = RangeServer(_folder(data, case), LATENCY).start()
    options = {"endpoint": server.url, "skip_signature": True, "region": "us-east-1"}

    def work() -> Any:
        before = time.process_time()
        dataset = virtualizarr.open_virtual_mfdataset(
            "s3://bucket/*.nc", storage_options=options, **COMBINING
        )
        return dataset, time.process_time() - before, server

    return work


def virtualizarr_2(data: Path, case: str) -> Work:
    from obspec_utils.registry import ObjectStoreRegistry
    from obstore.store import S3Store

    import virtualizarr
    from virtualizarr.parsers import HDFParser

    local = f"file://{_folder(data, case) / FIRST}"
    virtualizarr.open_virtual_dataset(
        local, registry=references.peer_registry(), parser=HDFParser()
    )
    server = RangeServer(_folder(data, case), LATENCY).start()
    store = S3Store(
        "bucket",
        endpoint=server.url,
        skip_signature=True,
        region="us-east-1",
        client_options={"allow_http": True},
    )
    registry = ObjectStoreRegistry({"s3://bucket": store})

    def work() -> Any:
        before = time.process_time()
        names = sorted(each["path"] for page in store.list() for each in page)
        dataset = virtualizarr.open_virtual_mfdataset(
            [f"s3://bucket/{name}" for name in names],
            registry=registry,
            parser=HDFParser(),
            **COMBINING,
        )
        return dataset, time.process_time() - before, server

    return work


def found(result: Any, side: str) -> Any:
    return references.of_dataset(result[0])


def also(result: Any, side: str) -> dict[str, float]:
    dataset, cpu, server = result
    counts = server.stop()
    files = dataset.sizes["time"] / 31
    return {
        "CPU ms a file": 1000 * cpu / files,
        "requests a file": counts["requests"] / files,
        "kB a file": counts["bytes"] / files / 1000,
    }


ROW = Row(
    title="Files in a bucket behind 50 ms a request: listed, parsed and combined (wall time).",
    cases=tuple(
        Case(
            f"{count} files",
            (Target(PER_FILE, measure="CPU ms a file"),),
            "files",
            count,
            quick=count <= 100,
            slow=("VirtualiZarr",) if count == 100 else (),
        )
        for count in COUNTS
    ),
    make=make,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=found,
    also=also,
    shown=("seconds", "CPU ms a file", "requests a file", "kB a file"),
    turns=1,
    wall=True,
)
