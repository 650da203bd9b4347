"""Many URLs -> one Dataset: opened, maybe in parallel, and combined as xarray combines."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import xarray as xr

from virtualizarr.datasets.explain import named
from virtualizarr.datasets.parallel import Parallel, Told, each
from virtualizarr.errors import CombineError, SourceNotFoundError, VirtualizeError
from virtualizarr.source.urls import normalize_url

type Urls = str | os.PathLike[str] | Sequence[Urls]
type OnError = Literal["raise", "warn", "skip"]
type Progress = bool | Callable[[int, int], None] | None
type Nested[T] = list[T | Nested[T]]
type Opener = Callable[[str], xr.Dataset]
type Outcome = xr.Dataset | VirtualizeError

LOCAL_SCHEME = "file://"


def open_many(
    opener: Opener,
    urls: Urls,
    *,
    expand: Callable[[str], list[str]],
    preprocess: Callable[[xr.Dataset], xr.Dataset] | None,
    parallel: Parallel,
    on_error: OnError,
    progress: Progress,
    combine: str,
    concat_dim: Any,
    attrs_file: str | os.PathLike[str] | None,
    options: Mapping[str, Any],
) -> xr.Dataset:
    """Open every URL with `opener` and combine the Datasets.

    `expand` gives the URLs that a path or glob stands for. `options` go to `xr.combine_nested` or
    `xr.combine_by_coords`; the rest are those of `open_virtual_mfdataset`, and so are the errors.
    """
    _check(combine, concat_dim, on_error)
    structure = expanded(urls, expand)
    flat = list(leaves(structure))
    if not flat:
        raise SourceNotFoundError("there are no files to open")
    remote = not all(url.startswith(LOCAL_SCHEME) for url in flat)
    work = Attempt(opener, preprocess, tolerant=on_error != "raise")
    with _reported(progress, len(flat)) as told:
        outcomes = each(work, flat, parallel, remote=remote, told=told)
    _report(outcomes, on_error)
    combined = _combined(structure, flat, outcomes, combine, concat_dim, options)
    if attrs_file is not None:
        combined.attrs = dict(_of_file(flat, outcomes, attrs_file).attrs)
    return combined


@dataclass(frozen=True, slots=True)
class Attempt:
    """Opens and preprocesses one URL; can be sent to other processes.

    If `tolerant`, an error of our tree is the result instead of being raised.
    """

    opener: Opener
    preprocess: Callable[[xr.Dataset], xr.Dataset] | None
    tolerant: bool

    def __call__(self, url: str) -> Outcome:
        try:
            dataset = self.opener(url)
        except VirtualizeError as error:
            error.located(url=url)
            if self.tolerant:
                return error
            raise
        if self.preprocess is None:
            return dataset
        with _Noted(f"while preprocessing {url}"):
            return self.preprocess(dataset)


class _Noted:
    """Adds a note to any exception that leaves its block."""

    def __init__(self, note: str) -> None:
        self._note = note

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(self._note)


def expanded(urls: Urls, expand: Callable[[str], list[str]]) -> Nested[str]:
    """Return `urls` as (nested) lists, with globs replaced by the URLs that they match."""
    if isinstance(urls, os.PathLike):
        return [*expand(os.fspath(urls))]
    if isinstance(urls, str):
        return [*expand(urls)]
    structure: Nested[str] = []
    for entry in urls:
        if isinstance(entry, str | os.PathLike):
            structure += expanded(entry, expand)
        else:
            structure.append(expanded(entry, expand))
    return structure


def leaves[T](structure: Nested[T]) -> Iterator[T]:
    """Yield what nested lists hold, in order."""
    for entry in structure:
        if isinstance(entry, list):
            yield from leaves(entry)
        else:
            yield entry


def _check(combine: str, concat_dim: Any, on_error: str) -> None:
    if combine not in ("by_coords", "nested"):
        raise ValueError(f"combine must be 'by_coords' or 'nested', not {combine!r}")
    if combine == "by_coords" and concat_dim is not None:
        raise ValueError("concat_dim has no meaning with combine='by_coords'; use combine='nested'")
    if on_error not in ("raise", "warn", "skip"):
        raise ValueError(f"on_error must be 'raise', 'warn' or 'skip', not {on_error!r}")


def _report(outcomes: Sequence[Outcome], on_error: OnError) -> None:
    """Warn of the files that failed, if that is wanted; raise if nothing is left."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, VirtualizeError)]
    if len(failed) == len(outcomes):
        raise CombineError(f"none of the {len(failed)} files could be opened") from failed[0]
    if on_error == "warn":
        for error in failed:
            warnings.warn(f"left out: {error}", UserWarning, stacklevel=4)


def _combined(
    structure: Nested[str],
    urls: Sequence[str],
    outcomes: Sequence[Outcome],
    combine: str,
    concat_dim: Any,
    options: Mapping[str, Any],
) -> xr.Dataset:
    opened = [
        (url, outcome)
        for url, outcome in zip(urls, outcomes, strict=True)
        if isinstance(outcome, xr.Dataset)
    ]
    try:
        if combine == "nested":
            datasets: Any = _filled(structure, iter(outcomes))
            combined = xr.combine_nested(datasets, concat_dim, **options)
        else:
            combined = xr.combine_by_coords([dataset for _, dataset in opened], **options)
        assert isinstance(combined, xr.Dataset)
        return combined
    except CombineError as error:
        raise named(error, opened) from error


def _filled(structure: Nested[str], outcomes: Iterator[Outcome]) -> Nested[xr.Dataset]:
    """Return the Datasets in the nesting of their URLs, without those that failed."""
    filled: Nested[xr.Dataset] = []
    for entry in structure:
        if isinstance(entry, list):
            inner = _filled(entry, outcomes)
            if inner:
                filled.append(inner)
            continue
        outcome = next(outcomes)
        if isinstance(outcome, xr.Dataset):
            filled.append(outcome)
    return filled


def _of_file(
    urls: Sequence[str], outcomes: Sequence[Outcome], url: str | os.PathLike[str]
) -> xr.Dataset:
    wanted = normalize_url(url)
    for known, outcome in zip(urls, outcomes, strict=True):
        if known == wanted and isinstance(outcome, xr.Dataset):
            return outcome
    raise SourceNotFoundError("attrs_file is none of the files opened", url=wanted)


@contextmanager
def _reported(progress: Progress, total: int) -> Iterator[Told]:
    """Give the function that is told how many files are done."""
    if callable(progress):
        told = progress
        yield lambda done: told(done, total)
    elif not progress:
        yield lambda _: None
    else:
        from rich.progress import Progress as Bar  # only where a bar is wanted

        with Bar() as bar:
            task = bar.add_task("opening files", total=total)
            yield lambda done: bar.update(task, completed=done)
