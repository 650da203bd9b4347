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
from importlib import import_module
from typing import Any, Literal

from virtualizarr.errors import MissingDependencyError

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
    if parallel in BULK:
        results = BULK[parallel](function, items)
        told(len(items))
        return results
    raise ValueError(f"parallel must be False, 'dask', 'lithops' or an Executor, not {parallel!r}")


def _in_turn[T, R](function: Callable[[T], R], items: Sequence[T], told: Told) -> Iterator[R]:
    for done, item in enumerate(items, 1):
        yield function(item)
        told(done)


def _on_executor[T, R](
    function: Callable[[T], R], items: Sequence[T], executor: Executor, told: Told
) -> list[R]:
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


@contextmanager
def _made(kind: type[Executor]) -> Iterator[Executor]:
    """Start an executor; processes are not forked, since threads of an object store may run."""
    options: dict[str, Any] = {}
    if issubclass(kind, ProcessPoolExecutor) and multiprocessing.get_start_method() == "fork":
        options["mp_context"] = multiprocessing.get_context("forkserver")
    with kind(**options) as executor:
        yield executor


def _with_dask(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    dask = _optional("dask", "install virtualizarr[dask]")
    task = dask.delayed(function, pure=False, traverse=False)
    return list(dask.compute(*(task(item) for item in items)))


def _with_lithops(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    executor = _optional("lithops", "install and configure it").FunctionExecutor()
    return list(executor.get_result(executor.map(function, list(items))))


def _optional(name: str, remedy: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(f"parallel={name!r} needs {name}: {remedy}") from error


BULK: dict[Any, Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]] = {
    "dask": _with_dask,
    "lithops": _with_lithops,
}
