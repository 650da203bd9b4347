"""GRIB2 with the 343 fields of a file of GFS, and GRIB1 as of ERA5 (744 hours), to a tree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import grib_files, references
from benchmarks.case_file import CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work

SIZES = {"GFS 343 fields": 1, "GFS 1372 fields": 4, "ERA5 186 fields": 186, "ERA5 744 fields": 744}
GRIDS = ((grib_files.NY, grib_files.NX), (grib_files.ROWS, grib_files.COLUMNS))
FILE = CaseFile("{}.grib")
LIMITS = {"GFS": 15 / 137, "ERA5": 8 / 24}


def make(data: Path, case: str) -> None:
    write = grib_files.gfs if case.startswith("GFS") else grib_files.era5
    made_whole(FILE.path(data, case), lambda part: write(part, SIZES[case]))


def ours(data: Path, case: str) -> Work:
    import virtualizarr

    path = FILE.path(data, case)
    return lambda: virtualizarr.open_store(path)


def gribberish(data: Path, case: str) -> Work:
    from gribberish.virtualizarr import GribberishParser

    url, registry = f"file://{FILE.path(data, case)}", references.peer_registry()
    return lambda: GribberishParser()(url, registry)


def kerchunk(data: Path, case: str) -> Work:
    from kerchunk.grib2 import scan_grib

    path = str(FILE.path(data, case))
    return lambda: scan_grib(path, inline_threshold=0)


def found(result: Any, side: str) -> Any:
    if side == "kerchunk":
        return {"fields": len(result)}
    fields = dict(_fields(result.group if side == "ours" else result._group))
    return {
        "fields": int(sum(np.count_nonzero(lengths) for _, lengths in fields.values())),
        "mean of the first field": _mean_of_first(result, fields),
    }


def _fields(group: Any, path: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield the path of each array of fields, with the offsets and lengths of its chunks."""
    for name, array in group.arrays.items():
        if array.shape[-2:] in GRIDS:
            manifest = array.manifest
            if hasattr(manifest, "from_columns"):
                yield f"{path}{name}", (manifest.offset, manifest.length)
            else:
                yield f"{path}{name}", (manifest._offsets, manifest._lengths)
    for name, child in group.groups.items():
        yield from _fields(child, f"{path}{name}/")


def _mean_of_first(store: Any, fields: dict[str, tuple[Any, Any]]) -> str:
    """Return the mean of the field that comes first in the file, decoded."""
    import zarr

    starts = {
        name: np.where(lengths > 0, offsets, np.iinfo(np.uint64).max)
        for name, (offsets, lengths) in fields.items()
    }
    path = min(starts, key=lambda name: starts[name].min())
    index = np.unravel_index(int(starts[path].argmin()), starts[path].shape)[:-2]
    array: Any = zarr.open_array(store, path=path, mode="r")
    return f"{array[index].mean(dtype='f8'):.6g}"


ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(
            name,
            (Target(LIMITS[name.split()[0]], "gribberish"),),
            name.split()[0],
            int(name.split()[1]),
            quick=name != "GFS 1372 fields",
            slow=("kerchunk",) if name in ("GFS 343 fields", "ERA5 744 fields") else (),
        )
        for name in SIZES
    ),
    make=make,
    sides={"ours": ours, "gribberish": gribberish, "kerchunk": kerchunk},
    found=found,
    differences={
        (
            "gribberish",
            "fields",
        ): "gribberish lists the first field of each message: 46 are missing",
        ("kerchunk", "fields"): "kerchunk finds fewer fields: first of a message; GRIB1 breaks off",
        ("kerchunk", "mean of the first field"): "",
    },
)
