"""Executors for work that other frameworks carry out, with the interface of `concurrent.futures`.

VirtualiZarr 2.x documents them under `virtualizarr.parallel`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib import import_module
from typing import Any

from virtualizarr.errors import MissingDependencyError


class MappingExecutor(Executor):
    """An executor that runs many calls at once; subclasses say how in `map`."""

    def submit[R](self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Run one call to its end; the future holds its result, or what it raised."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: next(self.map(_Bound(fn, kwargs), [args])))

    def map[R](
        self,
        fn: Callable[..., R],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[R]:
        """Return the results in the order of the items; the other arguments are ignored."""
        raise NotImplementedError


class SerialExecutor(MappingExecutor):
    """One call after the other, in this thread."""

    def map[R](self, fn: Callable[..., R], *iterables: Iterable[Any], **_: Any) -> Iterator[R]:
        return map(fn, *iterables)


class DaskDelayedExecutor(MappingExecutor):
    """All calls by one `dask.compute`, on whatever scheduler or cluster is set up."""

    def map[R](self, fn: Callable[..., R], *iterables: Iterable[Any], **_: Any) -> Iterator[R]:
        dask = _optional("dask", "install virtualizarr[dask]")
        task = dask.delayed(fn, pure=False, traverse=False)
        return iter(dask.compute(*(task(*items) for items in zip(*iterables, strict=False))))


class LithopsEagerFunctionExecutor(MappingExecutor):
    """All calls by lithops, which is to be installed and configured by the caller."""

    def map[R](self, fn: Callable[..., R], *iterables: Iterable[Any], **_: Any) -> Iterator[R]:
        executor = _optional("lithops", "install and configure it").FunctionExecutor()
        items = list(zip(*iterables, strict=False))
        return iter(executor.get_result(executor.map(_Unpacking(fn), items)))


class _Bound[R]:
    """A function with keyword arguments, called with a tuple of the others; can be pickled."""

    def __init__(self, function: Callable[..., R], keywords: dict[str, Any]) -> None:
        self.function = function
        self.keywords = keywords

    def __call__(self, arguments: tuple[Any, ...]) -> R:
        return self.function(*arguments, **self.keywords)


class _Unpacking[R](_Bound[R]):
    def __init__(self, function: Callable[..., R]) -> None:
        super().__init__(function, {})


def _optional(name: str, remedy: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(f"parallel={name!r} needs {name}: {remedy}") from error
