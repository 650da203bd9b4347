"""References of 1,000 files written as kerchunk Parquet, and read back."""

import shutil
from pathlib import Path

from benchmarks import references, virtual_data
from benchmarks.cases import Row
from benchmarks.rows import kerchunk_json


def _path(data: Path, case: str) -> Path:
    return data / f"references_{case.split()[1]}.parquet"


def make(data: Path, case: str) -> None:
    if case.startswith("read") and not _path(data, case).exists():
        dataset = virtual_data.dataset(virtual_data.COUNTS[case.split()[1]])
        dataset.virtualize.to_kerchunk(str(_path(data, case)), format="parquet")


def ours(data: Path, case: str):
    import virtualizarr

    if case.startswith("read"):
        path = _path(data, case)
        return lambda: virtualizarr.parse(path)
    return _writing(data, case, "ours")


def virtualizarr_2(data: Path, case: str):
    if case.startswith("write"):
        return _writing(data, case, "theirs")
    from virtualizarr.parsers import KerchunkParquetParser

    url, registry = f"file://{_path(data, case)}", references.peer_registry()
    return lambda: KerchunkParquetParser()(url, registry)._group


def _writing(data: Path, case: str, side: str):
    dataset = virtual_data.dataset(virtual_data.COUNTS[case.split()[1]])
    target = data / f"written_{side}_{case.split()[1]}.parquet"
    shutil.rmtree(target, ignore_errors=True)

    def work():
        dataset.virtualize.to_kerchunk(str(target), format="parquet")
        return dataset

    return work


ROW = Row(
    title=__doc__,
    cases=kerchunk_json.cases(0.7 / 15.4, 0.5 / 22.8),
    make=make,
    made_by_ours=True,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=kerchunk_json.found,
    shown=("seconds", "peak MB"),
    repeat=1,
)
