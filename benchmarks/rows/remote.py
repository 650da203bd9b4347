"""One file behind 50 ms a request, parsed: wall time, rounds, requests and bytes.

Modules are imported before: a local file is parsed first.
"""

from pathlib import Path

from benchmarks import hdf5_files, references
from benchmarks.cases import Case, Row, Target
from benchmarks.rows import small_file
from benchmarks.server import RangeServer

MAKERS = {
    "small file": (hdf5_files.small_netcdf4, 400),
    "300 variables": (hdf5_files.spread_variables, 6),
    "20k scattered chunks": (hdf5_files.scattered, 20_000),
    "200k scattered chunks": (hdf5_files.scattered, 200_000),
}
LATENCY = 0.05


def _path(data: Path, case: str) -> Path:
    return data / f"remote_{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    maker, size = MAKERS[case]
    if not _path(data, case).exists():
        maker(_path(data, case), size)


def ours(data: Path, case: str):
    import virtualizarr

    path = _path(data, case)
    virtualizarr.parse(path)
    server = RangeServer(data, LATENCY).start()
    url = f"{server.url}/{path.name}"
    return lambda: (virtualizarr.parse(url, parser="hdf5"), server, path)


def virtualizarr_2(data: Path, case: str):
    from obspec_utils.registry import ObjectStoreRegistry
    from obstore.store import HTTPStore

    from virtualizarr.parsers import HDFParser

    path = _path(data, case)
    if case == "small file":
        HDFParser()(f"file://{path}", references.peer_registry())
    server = RangeServer(data, LATENCY).start()
    store = HTTPStore(server.url, client_options={"allow_http": True})
    registry = ObjectStoreRegistry({server.url: store})
    return lambda: (HDFParser()(f"{server.url}/{path.name}", registry)._group, server, path)


def found(result, side: str):
    return references.of_group(result[0])


def also(result, side: str):
    _, server, path = result
    counts = server.stop()
    measures = {"requests": counts["requests"], "MB": counts["bytes"] / 1e6}
    if side == "ours":
        measures["rounds"] = _rounds(path)
    return measures


def _rounds(path: Path) -> int:
    """Count the rounds that parsing this file takes, on the file itself."""
    from virtualizarr.parsers.hdf5 import HDFParser
    from virtualizarr.source.cache import CachingSource
    from virtualizarr.source.open import open_source
    from virtualizarr.source.reading import run
    from virtualizarr.source.trace import TracingSource

    traced = TracingSource(open_source(f"file://{path}", cache=False))
    run(HDFParser().parse(traced.url), CachingSource(traced))
    return traced.rounds


ROW = Row(
    title="One file behind 50 ms a request, parsed (wall time).",
    cases=(
        Case(
            "small file",
            (Target(0.12 / 0.52, "VirtualiZarr"), Target(4, measure="rounds")),
        ),
        Case(
            "300 variables",
            (Target(1.0 / 25, "VirtualiZarr"), Target(9, measure="rounds")),
            once=True,
        ),
        Case(
            "20k scattered chunks",
            (Target(4, measure="rounds"),),
            "scattered chunks",
            20_000,
            quick=False,
            once=True,
        ),
        Case(
            "200k scattered chunks",
            (Target(1.5 / 213, "VirtualiZarr"), Target(4, measure="rounds")),
            "scattered chunks",
            200_000,
            quick=False,
            once=True,
        ),
    ),
    make=make,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=found,
    differences={("VirtualiZarr", "/time"): small_file.WHOLE},
    also=also,
    shown=("seconds", "requests", "MB"),
    repeat=1,
    wall=True,
)
