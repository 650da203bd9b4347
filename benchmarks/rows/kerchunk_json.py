"""References of 1,000 files written as kerchunk JSON, and read back."""

from pathlib import Path

from benchmarks import references, virtual_data
from benchmarks.cases import Case, Row, Target

FORMAT, ENDING = "json", "json"
PEAK = 400
"""MB over what there was before, for one million references."""


def _path(data: Path, case: str) -> Path:
    return data / f"references_{case.split()[1]}.{ENDING}"


def make(data: Path, case: str) -> None:
    if case.startswith("read") and not _path(data, case).exists():
        dataset = virtual_data.dataset(virtual_data.COUNTS[case.split()[1]])
        dataset.virtualize.to_kerchunk(str(_path(data, case)), format=FORMAT)


def ours(data: Path, case: str):
    import virtualizarr

    if case.startswith("read"):
        path = _path(data, case)
        return lambda: virtualizarr.parse(path)
    return _writing(data, case, "ours")


def virtualizarr_2(data: Path, case: str):
    if case.startswith("write"):
        return _writing(data, case, "theirs")
    from virtualizarr.parsers import KerchunkJSONParser

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    return lambda: KerchunkJSONParser()(url, registry)._group


def _writing(data: Path, case: str, side: str):
    dataset = virtual_data.dataset(virtual_data.COUNTS[case.split()[1]])
    target = str(data / f"written_{side}_{case.split()[1]}.{ENDING}")

    def work():
        dataset.virtualize.to_kerchunk(target, format=FORMAT)
        return dataset

    return work


def found(result, side: str):
    if hasattr(result, "variables"):
        return references.of_dataset(result)
    return references.of_group(result)


def cases(writing: float, reading: float) -> tuple[Case, ...]:
    """Return the cases with these shares of the time of VirtualiZarr for one million references."""
    small = tuple(
        Case(f"{verb} 100k", (), verb, 100_000, quick=verb == "write") for verb in ("write", "read")
    )
    return (
        small[0],
        Case(
            "write 1M",
            (Target(writing, "VirtualiZarr"), Target(PEAK, measure="peak MB")),
            "write",
            1_000_000,
            quick=False,
            once=True,
        ),
        small[1],
        Case(
            "read 1M",
            (Target(reading, "VirtualiZarr"), Target(PEAK, measure="peak MB")),
            "read",
            1_000_000,
            quick=False,
            once=True,
        ),
    )


ROW = Row(
    title=__doc__,
    cases=cases(1.0 / 10.1, 1.5 / 16.5),
    make=make,
    made_by_ours=True,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=found,
    shown=("seconds", "peak MB"),
    repeat=1,
)
