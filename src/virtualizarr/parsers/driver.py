"""Running a parser on a URL: its bytes are fetched, and every file touched is remembered.

What was known of each file when it was parsed (size, etag, modification time) goes into the
manifests, so that a file which changes afterwards is not read as if it had not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.reading import AsyncSource, Reading, Source, run, run_async


class AnySource(Source, AsyncSource, Protocol):
    """A source for blocking callers and for callers on an event loop."""


class ReadingParser(Protocol):
    """The part of a parser that is needed here."""

    def parse(self, url: str) -> Reading[ManifestGroup]: ...


class Sources:
    """The sources of one parse, one per URL, made by `opener` when first asked for."""

    __slots__ = ("_opener", "opened")

    def __init__(self, opener: Callable[[str], AnySource]) -> None:
        self._opener = opener
        self.opened: dict[str, AnySource] = {}

    def open(self, url: str) -> AnySource:
        """Return the source of `url`, the same one each time."""
        source = self.opened.get(url)
        if source is None:
            source = self.opened[url] = self._opener(url)
        return source

    async def open_async(self, url: str) -> AnySource:
        """The same, for `run_async`."""
        return self.open(url)


def parse_with(parser: ReadingParser, url: str, sources: Sources) -> ManifestGroup:
    """Return what `parser` finds at the canonical `url`, stamped with the facts of its files."""
    group = run(parser.parse(url), sources.open(url), sources.open)
    return stamped(group, {other: source.facts() for other, source in _read(group, sources)})


async def parse_with_async(parser: ReadingParser, url: str, sources: Sources) -> ManifestGroup:
    """The same, on an event loop."""
    group = await run_async(parser.parse(url), sources.open(url), sources.open_async)
    facts = {other: await source.facts_async() for other, source in _read(group, sources)}
    return stamped(group, facts)


def stamped(group: ManifestGroup, facts: Mapping[str, FileFacts]) -> ManifestGroup:
    """Return the tree with its locations knowing the facts of the files at their URLs.

    What a location knows already stays: references may know more than the store tells now.
    """
    known = {location for array in _arrays(group) for location in array.manifest.locations}
    new = {
        location: _with_facts(location, facts[location.url])
        for location in known
        if location.url in facts
    }
    return _relocated(group, new) if new else group


def _relocated(group: ManifestGroup, new: Mapping[Location, Location]) -> ManifestGroup:
    arrays = {
        name: ManifestArray(
            array.metadata,
            array.manifest.with_locations(
                tuple(new.get(location, location) for location in array.manifest.locations)
            ),
        )
        for name, array in group.arrays.items()
    }
    groups = {name: _relocated(child, new) for name, child in group.groups.items()}
    return ManifestGroup(arrays, groups, group.attributes)


def _with_facts(location: Location, facts: FileFacts) -> Location:
    return replace(
        location,
        size=location.size if location.size is not None else facts.size,
        etag=location.etag if location.etag is not None else facts.etag,
        last_modified=location.last_modified
        if location.last_modified is not None
        else facts.last_modified,
    )


def _read(group: ManifestGroup, sources: Sources) -> list[tuple[str, AnySource]]:
    """Return the sources of the files that the group refers to, leaving out those only tried."""
    urls = {location.url for array in _arrays(group) for location in array.manifest.locations}
    return [(url, source) for url, source in sources.opened.items() if url in urls]


def _arrays(group: ManifestGroup) -> Iterator[ManifestArray]:
    yield from group.arrays.values()
    for child in group.groups.values():
        yield from _arrays(child)
