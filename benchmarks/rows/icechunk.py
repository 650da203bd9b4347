"""References of 1,000 files written into an Icechunk repository and committed, and read back."""

import shutil
from pathlib import Path

from benchmarks import references, virtual_data
from benchmarks.cases import Row
from benchmarks.rows import kerchunk_json


def _path(data: Path, case: str) -> Path:
    return data / f"references_{case.split()[1]}.icechunk"


def make(data: Path, case: str) -> None:
    if case.startswith("read") and not _path(data, case).exists():
        dataset = virtual_data.dataset(virtual_data.COUNTS[case.split()[1]])
        dataset.virtualize.to_icechunk(str(_path(data, case)))


def ours(data: Path, case: str):
    import virtualizarr

    if case.startswith("read"):
        path = _path(data, case)
        return lambda: virtualizarr.parse(path)
    dataset = virtual_data.dataset(virtual_data.COUNTS[case.split()[1]])
    target = data / f"written_ours_{case.split()[1]}.icechunk"
    shutil.rmtree(target, ignore_errors=True)

    def work():
        dataset.virtualize.to_icechunk(str(target))
        return dataset

    return work


def virtualizarr_2(data: Path, case: str):
    if case.startswith("read"):
        from virtualizarr.parsers import IcechunkParser

        url, registry = f"file://{_path(data, case)}", references.peer_registry()
        return lambda: IcechunkParser()(url, registry)._group
    dataset = virtual_data.dataset(virtual_data.COUNTS[case.split()[1]])
    target = data / f"written_theirs_{case.split()[1]}.icechunk"
    return lambda: committed(dataset, target, "s3://bucket/")


def committed(dataset, target: Path, prefix: str):
    """Write with VirtualiZarr 2 and Icechunk as they come, and commit."""
    import icechunk

    shutil.rmtree(target, ignore_errors=True)
    config = icechunk.RepositoryConfig.default()
    store = (
        icechunk.local_filesystem_store(prefix.removeprefix("file://"))
        if prefix.startswith("file")
        else icechunk.s3_store(region="us-east-1")
    )
    config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(prefix, store))
    storage = icechunk.local_filesystem_storage(str(target))
    session = icechunk.Repository.create(storage, config).writable_session("main")
    dataset.virtualize.to_icechunk(session.store)
    session.commit("written")
    return dataset


ROW = Row(
    title=__doc__,
    cases=kerchunk_json.cases(2.2 / 2.7, 1.0 / 1.3),
    make=make,
    made_by_ours=True,
    sides={"ours": ours, "VirtualiZarr": virtualizarr_2},
    found=kerchunk_json.found,
    shown=("seconds", "peak MB"),
    repeat=1,
)
