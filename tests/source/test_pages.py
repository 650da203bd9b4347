"""Memory in huge pages: as long as asked, aligned, and there where the system has none."""

from __future__ import annotations

import mmap
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from virtualizarr.source import pages
from virtualizarr.source.pages import LARGE, scratch_bytes, scratch_columns


@pytest.mark.parametrize("count", [0, 1, LARGE - 1, LARGE, LARGE + 1, 5 * LARGE + 7])
def test_bytes_can_all_be_written(count: int) -> None:
    found = scratch_bytes(count)
    assert (found.shape, found.dtype) == ((count,), np.uint8)
    found[:] = 7
    assert int(found.sum(dtype=np.int64)) == 7 * count


@pytest.mark.parametrize("rows", [0, 3, 1 << 14, 100_001, 500_000])
def test_columns_are_aligned_and_apart(rows: int) -> None:
    columns = scratch_columns(rows, np.int64, np.uint64, np.uint32)
    assert [column.dtype for column in columns] == [np.int64, np.uint64, np.uint32]
    for number, column in enumerate(columns):
        assert len(column) == rows
        assert column.flags.aligned
        assert column.flags.c_contiguous
        column[:] = number + 1
    assert [int(column.sum()) for column in columns] == [rows, 2 * rows, 3 * rows]


def test_without_mappings_memory_is_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError("no more mappings")

    monkeypatch.setattr(mmap, "mmap", refused)
    monkeypatch.setattr(pages, "_spare", [])
    found = scratch_bytes(2 * LARGE)
    assert found.flags.owndata
    assert len(found) == 2 * LARGE


def test_memory_is_used_again_once_nothing_refers_to_it() -> None:
    view = memoryview(scratch_bytes(2 * LARGE))
    part = np.frombuffer(view, np.uint8)[LARGE:]
    part[:] = 1
    del view
    other = scratch_bytes(2 * LARGE)
    other[:] = 2
    assert (part == 1).all()
    address = other.ctypes.data
    del other
    again = scratch_bytes(3 * LARGE // 2)
    assert again.ctypes.data == address


def test_a_mapping_that_is_too_short_is_not_used_again() -> None:
    scratch_bytes(2 * LARGE)
    assert len(scratch_bytes(8 * LARGE)) == 8 * LARGE


def test_threads_never_share_memory() -> None:
    def filled(number: int) -> bool:
        found = scratch_bytes(LARGE + 4096 * (number % 7))
        found[:] = number
        return bool((found == number).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(filled, [n % 251 for n in range(400)]))
