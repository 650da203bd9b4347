"""One file behind 50 ms a request, parsed: wall time, rounds, requests and bytes.

Modules are imported before: a local file is parsed first. The server has a process of its own; on
a machine of few CPUs its work is in our time too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import hdf5_files, references
from benchmarks.case_file import CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work
from benchmarks.rows import small_file
from benchmarks.server import RangeServer

LATENCY = 0.05
FILE = CaseFile("remote_{}.h5")
PEER = "VirtualiZarr"
ROUNDS, IN_FLIGHT = "rounds", "requests in flight"
type Maker = Callable[[Path, int], None]


def _case(
    name: str,
    rounds: int,
    seconds: float | None = None,
    share: float | None = None,
    series: str = "",
    **options: Any,
) -> Case:
    """Return a case that is to take at most so many rounds, seconds, and a share of the peer's."""
    targets = [Target(rounds, measure=ROUNDS)]
    if seconds is not None:
        targets.insert(0, Target(seconds))
    if share is not None:
        targets.insert(0, Target(share, PEER))
    return Case(name, tuple(targets), series, **options)


MAKERS: dict[str, tuple[Maker, int]] = {
    "small file": (hdf5_files.small_netcdf4, 400),
    "50 variables": (hdf5_files.spread_variables, 1),
    "300 variables": (hdf5_files.spread_variables, 6),
    "2k scattered chunks": (hdf5_files.scattered, 2_000),
    "20k scattered chunks": (hdf5_files.scattered, 20_000),
    "200k scattered chunks": (hdf5_files.scattered, 200_000),
}
CONNECTIONS = 64
FEWER = f"200k scattered chunks, {CONNECTIONS} at once"
SPREAD, SCATTERED = 1.0 / 25, 1.5 / 213
CASES = (
    _case("small file", 2, 0.12, 0.12 / 0.52),
    _case("50 variables", 10, None, None, "variables", size=50),
    _case("300 variables", 10, 1.0, SPREAD, "variables", size=300, slow=(PEER,)),
    _case("2k scattered chunks", 4, None, None, "chunks", size=2_000),
    _case("20k scattered chunks", 4, None, None, "chunks", size=20_000, quick=False),
    _case("200k scattered chunks", 4, 4.0, SCATTERED, "chunks", size=200_000, slow=(PEER,)),
    _case(FEWER, 4, 4.0, skip=(PEER,)),
)


def _path(data: Path, case: str) -> Path:
    return FILE.path(data, case.partition(",")[0])


def _server(data: Path, case: str) -> RangeServer:
    if case == FEWER:
        return RangeServer(data, LATENCY, CONNECTIONS).start()
    return RangeServer(data, LATENCY).start()


def make(data: Path, case: str) -> None:
    maker, size = MAKERS[case.partition(",")[0]]
    made_whole(_path(data, case), lambda part: maker(part, size))


def ours(data: Path, case: str) -> Work:
    import virtualizarr

    path = _path(data, case)
    virtualizarr.parse(path)
    server = _server(data, case)
    url = f"{server.url}/{path.name}"
    return lambda: (virtualizarr.parse(url, parser="hdf5"), server, path)


def virtualizarr_2(data: Path, case: str) -> Work:
    from obspec_utils.registry import ObjectStoreRegistry
    from obstore.store import HTTPStore

    from virtualizarr.parsers import HDFParser

    path = _path(data, case)
    if case == "small file":
        HDFParser()(f"file://{path}", references.peer_registry())
    server = _server(data, case)
    store = HTTPStore(server.url, client_options={"allow_http": True})
    registry = ObjectStoreRegistry({server.url: store})
    return lambda: (HDFParser()(f"{server.url}/{path.name}", registry)._group, server, path)


def found(result: Any, side: str) -> Any:
    return references.of_group(result[0])


def also(result: Any, side: str) -> dict[str, float]:
    _, server, path = result
    counts = server.stop()
    measures = {
        "requests": counts["requests"],
        "MB": counts["bytes"] / 1e6,
        IN_FLIGHT: counts["in_flight"],
    }
    if side == "ours":
        measures[ROUNDS] = _rounds(path)
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
    cases=CASES,
    make=make,
    sides={"ours": ours, PEER: virtualizarr_2},
    found=found,
    differences={(PEER, "/time"): small_file.WHOLE},
    also=also,
    shown=("seconds", "requests", "MB", IN_FLIGHT),
    turns=1,
    wall=True,
)
