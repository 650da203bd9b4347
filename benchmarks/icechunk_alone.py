"""What Icechunk itself takes for references in one session: CPU time and memory, by the call.

    uv run --with icechunk python benchmarks/icechunk_alone.py [REFERENCES]

Nothing of virtualizarr is imported: this is the floor for `to_icechunk` into a session of the
user's own. The references are those of the rows: a plane of chunks in each of 1,000 files.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from itertools import repeat
from pathlib import Path

import icechunk
import numpy as np
import zarr

FILES = 1000
FILES_PER_CALL = 50


def main(count: int) -> None:
    plane = count // FILES
    lengths = np.random.default_rng(0).integers(500, 1000, count, np.uint64, endpoint=True)
    offsets = np.arange(count, dtype=np.uint64) * 1000
    names = [f"s3://bucket/archive/{i:04}.nc" for i in range(FILES)]
    with tempfile.TemporaryDirectory() as folder:
        session = _session(folder)
        shape = (FILES, 10, plane // 10)
        zarr.create_array(
            session.store, name="v", shape=shape, chunks=(1, 1, 1), dtype="f4", compressors=None
        )
        before, start = _memory("VmRSS"), time.process_time()
        for first in range(0, FILES, FILES_PER_CALL):
            rows = slice(first * plane, (first + FILES_PER_CALL) * plane)
            session.store.set_virtual_refs_arr(
                "v",
                [FILES_PER_CALL, *shape[1:]],
                [name for i in range(FILES_PER_CALL) for name in repeat(names[first + i], plane)],
                offsets[rows],
                lengths[rows],
                arr_offset=[first, 0, 0],
            )
        put, held = time.process_time(), _memory("VmRSS")
        session.commit("references")
        done = time.process_time()
    print(
        f"{count:,} references: put {put - start:.2f} s and {held - before:.0f} MB, "
        f"commit {done - put:.2f} s, peak {_memory('VmHWM') - before:.0f} MB"
    )


def _session(folder: str) -> icechunk.Session:
    config = icechunk.RepositoryConfig.default()
    store = icechunk.s3_store(region="us-east-1")
    config.set_virtual_chunk_container(icechunk.VirtualChunkContainer("s3://bucket/", store))
    storage = icechunk.local_filesystem_storage(folder)
    return icechunk.Repository.create(storage, config).writable_session("main")


def _memory(field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
