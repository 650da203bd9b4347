"""How many round trips and bytes a parse of scattered metadata takes, behind the remote cache.

The files are sparse: gigabytes of chunk data that were never written, with headers and index nodes
between them. h5py walks the same files with hundreds of dependent reads.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from parsers.hdf5.reading_files import open_local
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.local import LocalSource
from virtualizarr.source.reading import run
from virtualizarr.source.trace import TracingSource

MEGABYTE = 1024 * 1024


def early(chunks: tuple[int, ...]) -> h5py.h5p.PropDCID:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(chunks)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    return properties


def traced(path: Path) -> tuple[ManifestGroup, TracingSource]:
    """Parse as a remote file is parsed: nothing kept but what the cache holds."""
    source = TracingSource(LocalSource(path, keep=False))
    return run(HDFParser().parse(path.as_uri()), CachingSource(source), open_local), source


def write_scattered(path: Path, count: int, libver: str) -> None:
    shape = (count // 100, 1280, 1280)
    with h5py.File(path, "w", libver=libver) as f:
        space = h5py.h5s.create_simple(shape, (h5py.h5s.UNLIMITED, *shape[1:]))
        h5py.h5d.create(f.id, b"data", h5py.h5t.IEEE_F32LE, space, early((1, 128, 128)))


def test_a_small_file_is_one_round_of_at_most_a_megabyte(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "small.h5", "w") as f:
        for i in range(20):
            made = f.create_dataset(f"g{i % 3}/v{i}", data=np.arange(100.0), chunks=(10,))
            made.attrs["units"] = "K"
    _, source = traced(tmp_path / "small.h5")
    assert source.rounds == 1
    assert source.bytes_read <= MEGABYTE


def test_300_variables_of_20_megabytes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "wide.h5", "w") as f:
        for number in range(300):
            group = f.require_group(f"group_{number // 50}/sub_{number // 10 % 5}")
            space = h5py.h5s.create_simple((40, 256, 512))
            name = b"var_%03d" % number
            made = h5py.Dataset(
                h5py.h5d.create(group.id, name, h5py.h5t.IEEE_F32LE, space, early((1, 256, 512)))
            )
            for a in range(12):
                made.attrs[f"attr_{a}"] = np.bytes_(f"attribute {a} of variable {number}")
    tree, source = traced(tmp_path / "wide.h5")
    assert sum(array.manifest.nrefs for _, array in tree.walk_arrays()) == 300 * 40
    assert source.rounds <= 10
    assert source.bytes_read <= 40 * MEGABYTE


def test_200k_scattered_chunks_of_a_btree(tmp_path: Path) -> None:
    write_scattered(tmp_path / "deep.h5", 200_000, "earliest")
    tree, source = traced(tmp_path / "deep.h5")
    assert tree.arrays["data"].manifest.nrefs == 200_000
    assert source.rounds <= 4
    assert source.bytes_read <= 40 * MEGABYTE


def test_200k_scattered_chunks_of_an_extensible_array(tmp_path: Path) -> None:
    write_scattered(tmp_path / "deep.h5", 200_000, "latest")
    tree, source = traced(tmp_path / "deep.h5")
    assert tree.arrays["data"].manifest.nrefs == 200_000
    assert source.rounds <= 4
    assert source.bytes_read <= 20 * MEGABYTE
