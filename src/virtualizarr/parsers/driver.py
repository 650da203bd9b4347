"""Running a parser on a URL: its bytes are fetched, and every file touched is remembered.

What was known of each file when it was parsed (size, etag, modification time) goes into the
manifests, so that a file which changes afterwards is not read as if it had not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from virtualizarr.model import ManifestGroup
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
    return _stamped(group, {known: s.facts() for known, s in _referred(group, sources).items()})


async def parse_with_async(parser: ReadingParser, url: str, sources: Sources) -> ManifestGroup:
    """The same, on an event loop."""
    group = await run_async(parser.parse(url), sources.open(url), sources.open_async)
    referred = _referred(group, sources)
    return _stamped(group, {known: await s.facts_async() for known, s in referred.items()})


def _referred(group: ManifestGroup, sources: Sources) -> dict[str, AnySource]:
    """Return the sources of the files that the group refers to, leaving out those only tried."""
    urls: set[str] = set()
    todo = [group]
    while todo:
        node = todo.pop()
        todo += node.groups.values()
        for array in node.arrays.values():
            urls.update(location.url for location in array.manifest.locations)
    return {url: source for url, source in sources.opened.items() if url in urls}


def _stamped(group: ManifestGroup, facts: dict[str, FileFacts]) -> ManifestGroup:
    return group.stamp(facts) if facts else group
