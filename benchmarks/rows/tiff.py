"""A tiled TIFF with its overviews (87,380 tiles in 8 directories), parsed to a tree of arrays."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import references, tiff_files
from benchmarks.cases import Case, Row, Target

SIDES = {"5460 tiles": (16_384, 6), "87380 tiles": (65_536, 8)}


def _path(data: Path, case: str) -> Path:
    return data / f"pyramid_{case.split()[0]}.tif"


def make(data: Path, case: str) -> None:
    if not _path(data, case).exists():
        side, levels = SIDES[case]
        assert tiff_files.pyramid(_path(data, case), side, levels) == int(case.split()[0])


def ours(data: Path, case: str):
    import virtualizarr

    path = _path(data, case)
    return lambda: virtualizarr.parse(path)


def virtual_tiff(data: Path, case: str):
    from virtual_tiff import VirtualTIFF

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    return lambda: VirtualTIFF()(url, registry)._group


def found(result, side: str):
    images = [array.manifest for array in _arrays(result) if len(array.shape) >= 2]
    return sorted((references.of_manifest(manifest) for manifest in images), reverse=True)


def _arrays(group) -> Iterator:
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
    sides={"ours": ours, "virtual-tiff": virtual_tiff},
    found=found,
    repeat=3,
)
