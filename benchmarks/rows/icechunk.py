"""References of 1,000 files written into an Icechunk repository and committed, and read back."""

from pathlib import Path
from typing import Any

from benchmarks import references, writing_and_reading
from benchmarks.writing_and_reading import Tools


def ours() -> Tools:
    import virtualizarr

    return lambda dataset, path: dataset.virtualize.to_icechunk(str(path)), virtualizarr.parse


def virtualizarr_2() -> Tools:
    return write_plainly, read_plainly


def read_plainly(path: Path) -> Any:
    """Read with VirtualiZarr 2, from a session: by URL it does not find local repositories."""
    import icechunk

    from virtualizarr.parsers import IcechunkParser

    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(path)))
    session = repository.readonly_session("main")
    prefix, registry = f"file://{path}/chunks", references.peer_registry()
    parser: Any = IcechunkParser()
    return parser.parse_session(session, registry, native_chunks_prefix=prefix)._group


def write_plainly(dataset: Any, path: Path, prefix: str = "s3://bucket/") -> None:
    """Write with VirtualiZarr 2 and Icechunk as they come, and commit."""
    import icechunk

    config = icechunk.RepositoryConfig.default()
    store = (
        icechunk.local_filesystem_store(prefix.removeprefix("file://"))
        if prefix.startswith("file")
        else icechunk.s3_store(region="us-east-1")
    )
    config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(prefix, store))
    storage = icechunk.local_filesystem_storage(str(path))
    session = icechunk.Repository.create(storage, config).writable_session("main")
    dataset.virtualize.to_icechunk(session.store)
    session.commit("written")


ROW = writing_and_reading.row(__doc__, "icechunk", ours, virtualizarr_2, 2.2 / 2.7, 1.0 / 1.3)
