"""One function over many items: in turn, in threads, or on whatever the caller brings."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from typing import Any, Literal

from virtualizarr.datasets.executors import (
    DaskDelayedExecutor,
    LithopsEagerFunctionExecutor,
    MappingExecutor,
)

type Parallel = Literal[False, "dask", "lithops"] | Executor | type[Executor]
type Told = Callable[[int], None]

CONCURRENT_FILES = 32


def each[T, R](
    function: Callable[[T], R],
    items: Sequence[T],
    parallel: Parallel,
    *,
    remote: bool,
    told: Told,
) -> list[R]:
    """Return the function's results, in the order of the items.

    `parallel` is that of `open_virtual_mfdataset`; False means threads where the items are
    `remote`. `told` is called with the number of items done, as it grows. What the function raises
    is raised.

    Raises MissingDependencyError if dask or lithops is asked for and not installed, ValueError for
    any other word.
    """
    if parallel is False:
        if not remote or len(items) < 2:
            return list(_in_turn(function, items, told))
        parallel = ThreadPoolExecutor(min(CONCURRENT_FILES, len(items)))
        with parallel:
            return _on_executor(function, items, parallel, told)
    if isinstance(parallel, Executor):
        return _on_executor(function, items, parallel, told)
    if isinstance(parallel, type) and issubclass(parallel, Executor):
        with _made(parallel) as executor:
            return _on_executor(function, items, executor, told)
    if parallel in NAMED:
        return _on_executor(function, items, NAMED[parallel](), told)
    raise ValueError(f"parallel must be False, 'dask', 'lithops' or an Executor, not {parallel!r}")


def _in_turn[T, R](function: Callable[[T], R], items: Sequence[T], told: Told) -> Iterator[R]:
    for done, item in enumerate(items, 1):
        yield function(item)
        told(done)


def _on_executor[T, R](
    function: Callable[[T], R], items: Sequence[T], executor: Executor, told: Told
) -> list[R]:
    if not _runs_single_calls(executor):
        results = list(executor.map(function, items))
        told(len(items))
        return results
    futures: list[Future[R]] = [executor.submit(function, item) for item in items]
    waiting = set(futures)
    try:
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            told(len(futures) - len(waiting))
    finally:
        for future in waiting:
            future.cancel()
    return [future.result() for future in futures]


def _runs_single_calls(executor: Executor) -> bool:
    """Say whether to submit calls one by one; those of others, who only map, are mapped."""
    submit: Any = type(executor).submit
    return submit not in (Executor.submit, MappingExecutor.submit)


@contextmanager
def _made(kind: type[Executor]) -> Iterator[Executor]:
    """Start an executor; processes are not forked, since threads of an object store may run."""
    options: dict[str, Any] = {}
    if issubclass(kind, ProcessPoolExecutor) and multiprocessing.get_start_method() == "fork":
        options["mp_context"] = multiprocessing.get_context("forkserver")
    with kind(**options) as executor:
        yield executor


NAMED: dict[Any, type[Executor]] = {
    "dask": DaskDelayedExecutor,
    "lithops": LithopsEagerFunctionExecutor,
}
