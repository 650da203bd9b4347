"""Files behind 50 ms a request: wall time, rounds, requests and bytes."""

from pathlib import Path

from benchmarks import archive, references

MAKERS = {
    "small file": (archive.small_netcdf4, 400),
    "300 variables": (archive.spread_variables, 6),
    "20k scattered chunks": (archive.scattered, 20_000),
    "200k scattered chunks": (archive.scattered, 200_000),
}
CASES = {"small file": 1 / 4, "300 variables": 1 / 19, "20k scattered chunks": 1 / 30}
CASES |= {"200k scattered chunks": 1 / 50}
QUICK = {"small file": 1 / 4, "300 variables": 1 / 19}
SIZES = {
    "20k scattered chunks": ("scattered", 20_000),
    "200k scattered chunks": ("scattered", 200_000),
}
LATENCY = 0.05
REPEAT = 1
WALL = True


def _name(case: str) -> str:
    return f"remote_{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    maker, size = MAKERS[case]
    if not (data / _name(case)).exists():
        maker(data / _name(case), size)


def _timed(data: Path, case: str, parse):
    import time

    from benchmarks.server import RangeServer

    with RangeServer(data, LATENCY) as server:
        start = time.perf_counter()
        group = parse(f"{server.url}/{_name(case)}")
        return group, time.perf_counter() - start, server.counts()


def ours(data: Path, case: str):
    import virtualizarr

    return _timed(data, case, lambda url: virtualizarr.parse(url, parser="hdf5"))


def peer(data: Path, case: str):
    from obspec_utils.registry import ObjectStoreRegistry
    from obstore.store import HTTPStore

    from virtualizarr.parsers import HDFParser

    def parse(url: str):
        base = url.rsplit("/", 1)[0]
        store = HTTPStore(base, client_options={"allow_http": True})
        return HDFParser()(url, ObjectStoreRegistry({base: store}))._group

    return _timed(data, case, parse)


def found(result, side, group=None, prefix: str = ""):
    group = group if group is not None else result[0]
    arrays = {prefix + name: references.of_manifest(a.manifest) for name, a in group.arrays.items()}
    for name, child in group.groups.items():
        arrays |= found(result, side, child, f"{prefix}{name}/")
    return dict(sorted(arrays.items()))


def extra(result, side):
    _, seconds, counts = result
    return {"seconds": seconds, **counts}
