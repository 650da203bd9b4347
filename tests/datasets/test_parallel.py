"""One function over many items, whoever runs it."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from virtualizarr.datasets.parallel import Parallel, each
from virtualizarr.errors import MissingDependencyError

ITEMS = [3, 1, 2]


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize(
    "parallel",
    [False, "dask", ThreadPoolExecutor, ThreadPoolExecutor(2), ProcessPoolExecutor],
    ids=["serial", "dask", "threads", "pool", "processes"],
)
def test_results_keep_the_order(parallel: Parallel, remote: bool) -> None:
    told: list[int] = []
    assert each(str, ITEMS, parallel, remote=remote, told=told.append) == ["3", "1", "2"]
    assert told[-1] == 3
    assert told == sorted(told)


def test_remote_items_run_at_the_same_time() -> None:
    barrier = threading.Barrier(3, timeout=10)
    arrived = each(lambda _: barrier.wait(), ITEMS, False, remote=True, told=lambda _: None)
    assert sorted(arrived) == [0, 1, 2]


def test_an_error_is_raised_and_what_waits_is_not_begun() -> None:
    begun: list[int] = []

    def fail(item: int) -> None:
        begun.append(item)
        raise KeyError(item)

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyError):
        each(fail, list(range(50)), pool, remote=False, told=lambda _: None)
    assert len(begun) < 50


def test_lithops_gets_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class FunctionExecutor:
        def map(self, function: Any, items: list[int]) -> list[str]:
            return [function(item) for item in items]

        def get_result(self, futures: list[str]) -> list[str]:
            return futures

    lithops = ModuleType("lithops")
    monkeypatch.setattr(lithops, "FunctionExecutor", FunctionExecutor, raising=False)
    monkeypatch.setitem(sys.modules, "lithops", lithops)
    assert each(str, ITEMS, "lithops", remote=False, told=lambda _: None) == ["3", "1", "2"]


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(MissingDependencyError, match=r"virtualizarr\[dask\]"):
        each(str, ITEMS, "dask", remote=False, told=lambda _: None)
