"""A tiled TIFF with its overviews (87,380 tiles in 8 directories), parsed to a tree of arrays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import references, tiff_files
from benchmarks.case_file import CaseFile, made_whole
from benchmarks.cases import Case, Row, Target, Work

SIDES = {"5460 tiles": (16_384, 6), "87380 tiles": (65_536, 8)}
FILE = CaseFile("pyramid_{}.tif")


def make(data: Path, case: str) -> None:
    side, levels = SIDES[case]

    def write(part: Path) -> None:
        assert tiff_files.pyramid(part, side, levels) == int(case.split()[0])

    made_whole(FILE.path(data, case), write)


def virtual_tiff(data: Path, case: str) -> Work:
    from virtual_tiff import VirtualTIFF

    url, registry = f"file://{FILE.path(data, case)}", references.peer_registry()
    return lambda: VirtualTIFF()(url, registry)._group


def found(result: Any, side: str) -> Any:
    images = [array.manifest for array in _arrays(result) if len(array.shape) >= 2]
    return sorted((references.of_manifest(manifest) for manifest in images), reverse=True)


def _arrays(group: Any) -> Iterator[Any]:
    yield from group.arrays.values()
    for child in group.groups.values():
        yield from _arrays(child)


ROW = Row(
    title=__doc__,
    cases=tuple(
        Case(
            name,
            (Target(5 / 457, "virtual-tiff"),) if name.startswith("8") else (),
            "tiles",
            int(name.split()[0]),
        )
        for name in SIDES
    ),
    make=make,
    sides={"ours": FILE.parsed, "virtual-tiff": virtual_tiff},
    found=found,
)
