"""Virtual datasets, against h5py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from materialize import values_of
from parsers.hdf5.reading_files import parse
from virtualizarr.errors import UnsupportedFeatureError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    for number in range(4):
        with h5py.File(tmp_path / f"s{number}.h5", "w") as file:
            file["plain"] = random.random((6, 5))
            options = {"chunks": (2, 5), "compression": "gzip", "maxshape": (None, 5)}
            file.create_dataset("chunked", data=random.integers(0, 99, (7, 5)), **options)
    return tmp_path / "virtual.h5"


def source(number: int, name: str = "plain") -> h5py.VirtualSource:
    return h5py.VirtualSource(f"s{number}.h5", name, shape=(6, 5) if name == "plain" else (7, 5))


def stacked(layout: h5py.VirtualLayout) -> None:
    for number in range(4):
        layout[number] = source(number)


def joined(layout: h5py.VirtualLayout) -> None:
    for number in range(4):
        layout[6 * number : 6 * number + 6] = source(number)


def halves(layout: h5py.VirtualLayout) -> None:
    for number in range(4):
        layout[3 * number : 3 * number + 3] = source(number)[3:]


def interleaved(layout: h5py.VirtualLayout) -> None:
    for number in range(4):
        layout[number::4] = source(number)


def stacked_chunks(layout: h5py.VirtualLayout) -> None:
    for number in range(4):
        layout[number] = source(number, "chunked")


def whole_chunks(layout: h5py.VirtualLayout) -> None:
    for number in range(4):
        layout[6 * number : 6 * number + 6] = source(number, "chunked")[:6]


def with_a_gap(layout: h5py.VirtualLayout) -> None:
    layout[0], layout[3] = source(1), source(9)


CASES: list[tuple[Callable[[h5py.VirtualLayout], None], tuple[int, ...], str]] = [
    (stacked, (4, 6, 5), "f8"),
    (stacked, (6, 6, 5), "f8"),
    (joined, (24, 5), "f8"),
    (halves, (12, 5), "f8"),
    (interleaved, (24, 5), "f8"),
    (stacked_chunks, (4, 7, 5), "i8"),
    (whole_chunks, (24, 5), "i8"),
    (with_a_gap, (4, 6, 5), "f8"),
]


@pytest.mark.parametrize("fill_layout, shape, dtype", CASES)
def test_values(
    path: Path,
    fill_layout: Callable[[h5py.VirtualLayout], None],
    shape: tuple[int, ...],
    dtype: str,
) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        layout = h5py.VirtualLayout(shape, dtype)
        fill_layout(layout)
        file.create_virtual_dataset("x", layout, fillvalue=0 if dtype == "i8" else -1)
    with h5py.File(path) as file:
        expected = file["x"][...]
    array = parse(path).arrays["x"]
    np.testing.assert_array_equal(values_of(array), expected)
    assert array.manifest.inline == b""


def test_sources_in_the_same_file(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        file["a"], file["b"] = np.arange(5), np.arange(5) + 10
        layout = h5py.VirtualLayout((2, 5), "i8")
        for row, name in enumerate("ab"):
            layout[row] = h5py.VirtualSource(file[name])
        file.create_virtual_dataset("group/x", layout)
    array = parse(path).groups["group"].arrays["x"]
    np.testing.assert_array_equal(values_of(array), [np.arange(5), np.arange(5) + 10])
    alone = parse(path, group="group").arrays["x"]
    np.testing.assert_array_equal(values_of(alone), [np.arange(5), np.arange(5) + 10])


def test_numbered_sources_reach_as_far_as_they_exist(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        space = h5py.h5s.create_simple((1, 6, 5), (h5py.h5s.UNLIMITED, 6, 5))
        space.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (1, 6, 5), (1, 6, 5))
        plist.set_virtual(space, b"s%b.h5", b"plain", h5py.h5s.create_simple((6, 5)))
        h5py.h5d.create(file.id, b"x", h5py.h5t.IEEE_F64LE, space, plist)
    with h5py.File(path) as file:
        expected = file["x"][...]
    assert expected.shape == (4, 6, 5)
    np.testing.assert_array_equal(values_of(parse(path).arrays["x"]), expected)


@pytest.mark.parametrize("start, stop", [(1, 7), (0, 5)])
def test_parts_of_compressed_chunks_are_refused(path: Path, start: int, stop: int) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        layout = h5py.VirtualLayout((stop - start + 4, 5), "i8")
        layout[: stop - start] = source(0, "chunked")[start:stop]
        file.create_virtual_dataset("x", layout)
    with pytest.raises(UnsupportedFeatureError, match="whole"):
        parse(path)


def test_other_types_are_refused(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        layout = h5py.VirtualLayout((4, 6, 5), "f4")
        stacked(layout)
        file.create_virtual_dataset("x", layout)
    with pytest.raises(UnsupportedFeatureError, match="type"):
        parse(path)
