"""300 variables in 36 groups, and about 1,000 datasets of a granule, parsed to a tree of arrays."""

from pathlib import Path

from benchmarks import archive, references

MAKERS = {
    "nested 6": (archive.nested_netcdf4, 6),
    "nested 24": (archive.nested_netcdf4, 24),
    "granule 6": (archive.granule, 6),
    "granule 24": (archive.granule, 24),
}
CASES = dict.fromkeys(MAKERS, 1 / 15)
QUICK = {"nested 6": 1 / 15, "granule 6": 1 / 15}
SIZES = {case: (case.split()[0], size) for case, (_, size) in MAKERS.items()}
REPEAT = 2


def _name(case: str) -> str:
    return f"{case.replace(' ', '_')}.h5"


def make(data: Path, case: str) -> None:
    maker, size = MAKERS[case]
    if not (data / _name(case)).exists():
        maker(data / _name(case), size)


def ours(data: Path, case: str):
    import virtualizarr

    return virtualizarr.parse(data / _name(case))


def peer(data: Path, case: str):
    from virtualizarr.parsers import HDFParser

    return HDFParser()(f"file://{data / _name(case)}", references.peer_registry())._group


def found(result, side, prefix: str = ""):
    arrays = {
        prefix + name: references.of_manifest(a.manifest) for name, a in result.arrays.items()
    }
    for name, child in result.groups.items():
        arrays |= found(child, side, f"{prefix}{name}/")
    return dict(sorted(arrays.items()))
