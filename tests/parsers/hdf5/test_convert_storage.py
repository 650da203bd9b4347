"""Data layouts: where the bytes are, against h5py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from materialize import values_of
from parsers.hdf5.reading_files import parse, value
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, AffineRun
from virtualizarr.parsers.hdf5.convert.blocks import SMALLEST_PART, SPLIT_BYTES, rows_per_chunk
from virtualizarr.parsers.hdf5.convert.urls import beside

DATA = np.arange(35, dtype="f4").reshape(7, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.h5"


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (3, 5)},
        {"chunks": (3, 2), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (16, 5), "maxshape": (None, 5), "compression": "lzf"},
        {"chunks": (2, 9), "maxshape": (None, None)},
    ],
)
def test_layouts(path: Path, libver: str, options: dict[str, Any]) -> None:
    with h5py.File(path, "w", libver=libver) as file:
        file.create_dataset("x", data=DATA, **options)
        file.create_dataset(
            "empty", shape=(0, 5), dtype="f4", **({"maxshape": (None, 5)} | options)
        )
        file["scalar"] = 7.5
        file["null"] = h5py.Empty("f4")
    np.testing.assert_array_equal(value(path, "x"), DATA)
    assert value(path, "empty").shape == (0, 5)
    assert value(path, "scalar") == 7.5
    assert value(path, "null").shape == (0,)


def test_compact_data_are_inline(path: Path) -> None:
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(DATA.shape)
        dataset = h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32BE, space, plist)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, DATA)
    assert (parse(path).arrays["x"].manifest.location == INLINE).all()
    np.testing.assert_array_equal(value(path, "x"), DATA)


def test_an_unallocated_dataset_costs_nothing(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("whole", shape=(50_000, 50_000), dtype="f4", fillvalue=-9)
        file.create_dataset("chunked", shape=(10**6, 10**6), chunks=(10, 10), dtype="f4")
    tree = parse(path)
    assert tree.arrays["whole"].chunks == (50_000, 50_000)
    assert tree.arrays["whole"].metadata.fill_value == -9
    assert tree.arrays["chunked"].manifest.nbytes < 10_000


def test_chunks_in_a_row_cost_nothing(path: Path) -> None:
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((2, 4))
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((80, 40))
        made = h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F32LE, space, plist)
        data = np.arange(3200, dtype="f4").reshape(80, 40)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, data)
        scattered = file.create_dataset("scattered", data=data, chunks=(2, 4), compression=1)
        assert scattered.id.get_num_chunks() == h5py.Dataset(made).id.get_num_chunks() == 400
    arrays = parse(path).arrays
    assert isinstance(arrays["x"].manifest.offset_column, AffineRun)
    assert not isinstance(arrays["scattered"].manifest.offset_column, AffineRun)
    for name in arrays:
        np.testing.assert_array_equal(value(path, name), data)


def test_a_sparse_grid_of_many_chunks_is_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", shape=(10**5, 10**5), chunks=(10, 10), dtype="i1")
        dataset[5000, 5000] = 1
    with pytest.raises(UnsupportedFeatureError, match="chunk grid"):
        parse(path)


def test_chunks_that_skipped_filters(path: Path) -> None:
    data = np.arange(16, dtype="<i4").reshape(4, 4)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "some", shape=(4, 4), chunks=(1, 4), dtype="i4", compression="gzip", shuffle=True
        )
        dataset[0], dataset[2:] = data[0], data[2:]
        dataset.id.write_direct_chunk((1, 0), data[1].tobytes(), 0b11)
        every = file.create_dataset(
            "all", shape=(4, 4), chunks=(2, 4), dtype="i4", compression="gzip", shuffle=True
        )
        for row in (0, 2):
            every.id.write_direct_chunk((row, 0), data[row : row + 2].tobytes(), 0b11)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["some"][...], data)
    np.testing.assert_array_equal(value(path, "some"), data)
    np.testing.assert_array_equal(value(path, "all"), data)
    assert [c["name"] for c in parse(path).arrays["all"].metadata.codecs] == ["bytes"]


def test_chunks_that_cannot_be_told_apart_are_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", shape=(2, 4), chunks=(1, 4), dtype="i4", shuffle=True)
        dataset.id.write_direct_chunk((0, 0), bytes(range(16)), 0)
        dataset.id.write_direct_chunk((1, 0), bytes(range(16)), 1)
    with pytest.raises(UnsupportedFeatureError, match="told apart"):
        parse(path)


def test_external_files(tmp_path: Path, path: Path) -> None:
    whole = DATA.tobytes()
    (tmp_path / "one.bin").write_bytes(b"head" + whole[:60])
    (tmp_path / "two.bin").write_bytes(whole[60:])
    with h5py.File(path, "w") as file:
        parts = [
            (str(tmp_path / "one.bin"), 4, 60),
            (str(tmp_path / "two.bin"), 0, h5py.h5f.UNLIMITED),
        ]
        file.create_dataset("x", shape=(7, 5), dtype="f4", external=parts)
        np.testing.assert_array_equal(file["x"][...], DATA)
        odd = [("one.bin", 4, 56), ("two.bin", 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("odd", shape=(7, 5), dtype="f4", external=odd)
    array = parse(path, drop_variables=["odd"]).arrays["x"]
    np.testing.assert_array_equal(values_of(array), DATA)
    sizes = {each.url.rpartition("/")[2]: each.size for each in array.manifest.locations}
    assert sizes == {"one.bin": 64, "two.bin": 80}
    with pytest.raises(UnsupportedFeatureError, match="within a row"):
        parse(path, drop_variables=["x"])


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (3, 5)}, {"chunks": (7, 5), "compression": "gzip"}]
)
def test_a_truncated_file_is_refused(path: Path, options: dict[str, Any]) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("x", data=np.random.default_rng(0).random((700, 5)), **options)
    whole = path.read_bytes()
    for size in range(0, len(whole), 997):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptFileError):
            parse(path)


def test_large_blocks_are_cut_into_whole_rows() -> None:
    assert rows_per_chunk(10, 1000) == 10
    assert rows_per_chunk(1024, 1024 * 1024) == 128
    assert rows_per_chunk(1_000_003, 1024) == 1_000_003  # a prime: rows of 1 kB would be too many
    assert rows_per_chunk(3, SPLIT_BYTES) == 1
    for rows in (1, 7, 360, 365 * 24):
        part = rows_per_chunk(rows, 5_000_000)
        assert rows % part == 0
        assert part == rows or SMALLEST_PART <= part * 5_000_000 <= SPLIT_BYTES


@pytest.mark.parametrize(
    "url, name, expected",
    [
        ("file:///a/b/c.h5", "d.h5", "file:///a/b/d.h5"),
        ("file:///a/b/c.h5", "../x y/d.h5", "file:///a/x%20y/d.h5"),
        ("s3://bucket/c.h5", "sub/d%b.h5", "s3://bucket/sub/d%25b.h5"),
        ("s3://bucket/a/c.h5", "/d.h5", "s3://bucket/d.h5"),
        ("https://host:8/a/c.h5?version=2", "./d.h5", "https://host:8/a/d.h5"),
    ],
)
def test_files_beside(url: str, name: str, expected: str) -> None:
    assert beside(url, name) == expected
