"""Whether the references of a store hold: the files are there, as they were, and chunks decode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from virtualizarr.errors import VirtualizeError
from virtualizarr.examine.reach import reach
from virtualizarr.examine.sampling import decode_chunk, random_cells
from virtualizarr.model import Location, ManifestArray
from virtualizarr.parsing import AnyParser, Input, parsed_input, settled
from virtualizarr.source.access import Access
from virtualizarr.source.open import Registry
from virtualizarr.source.policy import AllowedLocations, named
from virtualizarr.store import ManifestStore
from virtualizarr.store.chunks import Reference, checked

AT_ONCE = 32

type Told = Callable[[int, int], None]
type Evidence = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: with the file at `url`, with the variable `node`, or with both."""

    reason: str
    url: str | None = None
    node: str | None = None

    def __str__(self) -> str:
        return str(VirtualizeError(self.reason, url=self.url, node=self.node))


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what is wrong with it.

    `references` counts the chunks that are not missing, `locations` the files that they lie in,
    `unproven` those of which neither size, etag nor modification time was recorded, so that a
    change goes unnoticed, and `decoded` the chunks that were read and decoded.
    """

    arrays: int
    references: int
    locations: int
    unproven: int
    decoded: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(
    url: Input,
    registry: Registry | None = None,
    parser: AnyParser | None = None,
    *,
    sample: int = 2,
    seed: int = 0,
    storage_options: Mapping[str, Any] | None = None,
    allowed_locations: AllowedLocations | None = None,
    progress: Told | None = None,
) -> Report:
    """Check the references of a store, or of a file, and say what is wrong.

    Every file is asked for its size, etag and modification time, which must be those that were
    recorded, and must be long enough for what refers to it. Of each variable `sample` chunks,
    chosen by `seed`, are read and decoded. `progress` is told (files seen, files in all); the other
    arguments, and the errors where the store itself cannot be parsed, are those of
    `virtualizarr.open_store`.
    """
    access = Access.of(registry, storage_options, named(allowed_locations))
    group = settled(parsed_input(url, access, parser).group)
    arrays = dict(group.walk_arrays())
    wanted, problems = _asked_of_files(arrays)
    bad: dict[Evidence, Problem] = {}
    entries = list(wanted.values())
    for done, (entry, problem) in enumerate(
        zip(entries, _each(partial(_check_file, access), entries), strict=True), 1
    ):
        if problem is not None:
            bad[_evidence(entry[0])] = problem
        if progress is not None:
            progress(done, len(entries))
    store = ManifestStore(
        group,
        registry=registry,
        storage_options=dict(storage_options) if storage_options is not None else None,
        allowed_locations=named(allowed_locations),
    )
    chosen = list(_chosen(arrays, bad, sample, seed))
    outcomes = list(_each(lambda item: _check_chunk(store, arrays, *item), chosen))
    problems += [*bad.values(), *(outcome for outcome in outcomes if outcome is not None)]
    return Report(
        arrays=len(arrays),
        references=sum(array.manifest.nrefs for array in arrays.values()),
        locations=len({location.url for location, _ in entries}),
        unproven=len({file.url for file, _ in entries if not _is_proven(file)}),
        decoded=outcomes.count(None),
        problems=tuple(dict.fromkeys(problems)),
    )


def _evidence(location: Location) -> Evidence:
    return (
        location.url,
        location.size,
        location.etag,
        location.last_modified,
        location.unmodified_since,
    )


def _is_proven(location: Location) -> bool:
    return any(known is not None for known in _evidence(location)[1:])


def _asked_of_files(
    arrays: Mapping[str, ManifestArray],
) -> tuple[dict[Evidence, tuple[Location, int]], list[Problem]]:
    """Return for each file, with what is recorded of it, how many bytes it must have."""
    wanted: dict[Evidence, tuple[Location, int]] = {}
    problems: list[Problem] = []
    for path, array in arrays.items():
        found = reach(array.manifest)
        if found.impossible:
            problems.append(
                Problem(f"{found.impossible} chunks end where no file or value can", node=path)
            )
        for location, end in zip(array.manifest.locations, found.ends.tolist(), strict=True):
            if not end:
                continue
            key = _evidence(location)
            before = wanted[key][1] if key in wanted else 0
            wanted[key] = (location, max(before, end))
    return wanted, problems


def _check_file(access: Access, entry: tuple[Location, int]) -> Problem | None:
    location, end = entry
    try:
        facts = access.open(location.url, location.referrer, cache=False).facts()
        checked(b"", Reference(location, 0, 0), 0, 0, facts)
    except VirtualizeError as error:
        return Problem(error.reason, error.url if error.url is not None else location.url)
    if facts.size is not None and facts.size < end:
        return Problem(
            f"the file has {facts.size} bytes, but references reach to byte {end}", location.url
        )
    return None


def _chosen(
    arrays: Mapping[str, ManifestArray], bad: Mapping[Evidence, Problem], sample: int, seed: int
) -> Iterator[tuple[str, int]]:
    """Yield the chunks to be decoded, none of files that are known to be wrong."""
    for path, array in arrays.items():
        files = array.manifest.locations
        left_out = [code for code, file in enumerate(files) if _evidence(file) in bad]
        for cell in random_cells(array.manifest, sample, seed, path, left_out).tolist():
            yield path, cell


def _check_chunk(
    store: ManifestStore, arrays: Mapping[str, ManifestArray], path: str, cell: int
) -> Problem | None:
    try:
        decode_chunk(store, path, arrays[path], cell)
    except VirtualizeError as error:
        return Problem(error.reason, error.url, error.node)
    return None


def _each[T, R](work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield the results in order; many items are worked on at a time."""
    if len(items) < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(min(AT_ONCE, len(items))) as pool:
        yield from pool.map(work, items)
