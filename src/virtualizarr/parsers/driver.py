"""Running a parser on a URL: its bytes are fetched, and every file touched is remembered.

What was known of each file when it was parsed (size, etag, modification time) goes into the
manifests, so that a file which changes afterwards is not read as if it had not. So does the file
that named another, since what it may lead to is for the reader to say.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from virtualizarr.errors import SourceNotFoundError
from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.model.location import EVIDENCE
from virtualizarr.model.pending import PendingArray
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.policy import ReferencePolicy
from virtualizarr.source.reading import AsyncSource, Reading, Source, run, run_async


class AnySource(Source, AsyncSource, Protocol):
    """A source for blocking callers and for callers on an event loop."""


class ReadingParser(Protocol):
    """The part of a parser that is needed here."""

    def parse(self, url: str) -> Reading[ManifestGroup]: ...


class Sources:
    """The sources of one parse, one per URL, made by `opener` when first asked for.

    `policy` says where files that are read may lead to.
    """

    __slots__ = ("_opener", "_policy", "opened")

    def __init__(
        self, opener: Callable[[str], AnySource], policy: ReferencePolicy | None = None
    ) -> None:
        self._opener = opener
        self._policy = policy if policy is not None else ReferencePolicy()
        self.opened: dict[str, AnySource] = {}

    def open(self, url: str, referrer: str | None = None) -> AnySource:
        """Return the source of `url`, the same one each time.

        `referrer` is the URL of the file that names it, None where the caller does. Raises
        ForbiddenReferenceError if it may not lead there.
        """
        source = self.opened.get(url)
        if source is None:
            self._policy.check(url, referrer)
            source = self.opened[url] = self._opener(url)
        return source

    def open_location(self, location: Location) -> AnySource:
        """Return the source of a location; errors as `open`."""
        return self.open(location.url, location.referrer)

    def opener_from(self, root: str) -> Callable[[str], AnySource]:
        """Return what opens the files that the file or directory at `root` names."""
        return lambda url: self.open(url, None if is_within(url, root) else root)


def is_within(url: str, root: str) -> bool:
    """Say whether `url` is that of `root` itself or of what lies below it."""
    return url == root or (url.startswith(f"{root.rstrip('/')}/") and "/.." not in url)


def parse_with(parser: ReadingParser, url: str, sources: Sources) -> ManifestGroup:
    """Return what `parser` finds at the canonical `url`, stamped with the facts of its files."""
    group = run(parser.parse(url), sources.open(url), sources.opener_from(url))
    return _completed(group, url, sources, _facts(group, sources))


async def parse_with_async(parser: ReadingParser, url: str, sources: Sources) -> ManifestGroup:
    """The same, on an event loop."""
    opener = sources.opener_from(url)

    async def opener_async(other: str) -> AnySource:
        return opener(other)

    group = await run_async(parser.parse(url), sources.open(url), opener_async)
    facts = {other: await _told_async(source) for other, source in _read(group, sources)}
    return _completed(group, url, sources, facts)


def _completed(
    group: ManifestGroup, url: str, sources: Sources, facts: Mapping[str, FileFacts]
) -> ManifestGroup:
    """Return what was parsed at `url`, stamped with `facts` and knowing who names each file.

    References that are still to be read are stamped when they are, with what is known then.
    """
    stamp, refer = _stamping(facts), _referring(url)

    def when_read(read: ManifestArray) -> ManifestArray:
        alone = ManifestGroup({"": read})
        return referred(stamped(alone, _facts(alone, sources)), url).arrays[""]

    return _relocated(group, lambda location: refer(stamp(location)), when_read)


def _told(source: Source) -> FileFacts:
    """Return what is known of a file that is referred to; nothing of one that is not there."""
    try:
        return source.facts()
    except SourceNotFoundError:
        return FileFacts()


async def _told_async(source: AsyncSource) -> FileFacts:
    try:
        return await source.facts_async()
    except SourceNotFoundError:
        return FileFacts()


def referred(group: ManifestGroup, root: str) -> ManifestGroup:
    """Return the tree with the locations outside of `root` knowing that `root` names them.

    What arrays share, they go on sharing.
    """

    def when_read(read: ManifestArray) -> ManifestArray:
        return referred(ManifestGroup({"": read}), root).arrays[""]

    return _relocated(group, _referring(root), when_read)


def stamped(group: ManifestGroup, facts: Mapping[str, FileFacts]) -> ManifestGroup:
    """Return the tree with its locations knowing the facts of the files at their URLs.

    What a location knows already stays: references may know more than the store tells now.
    """
    return _relocated(group, _stamping(facts))


def _referring(root: str) -> Callable[[Location], Location]:
    below = f"{root.rstrip('/')}/"

    def refer(known: Location) -> Location:
        url = known.url
        if known.referrer is not None or url == root:
            return known
        if url.startswith(below) and is_within(url, root):
            return known
        return Location(
            url, known.size, known.etag, known.last_modified, known.unmodified_since, root
        )

    return refer


def _stamping(facts: Mapping[str, FileFacts]) -> Callable[[Location], Location]:
    def stamp(location: Location) -> Location:
        there = facts.get(location.url)
        return location if there is None else _with_facts(location, there)

    return stamp


def _relocated(
    group: ManifestGroup,
    renew: Callable[[Location], Location],
    when_read: Callable[[ManifestArray], ManifestArray] | None = None,
) -> ManifestGroup:
    """Return the tree with its locations renewed; arrays of which all stay are kept as they are.

    What arrays share, they go on sharing. Arrays that are still to be read stay so; `when_read` is
    what they go through then.
    """
    locations: dict[int, Location] = {}
    tables: dict[int, tuple[Location, ...]] = {}

    def table_of(array: ManifestArray) -> tuple[Location, ...]:
        old = array.manifest.locations
        known = tables.get(id(old))
        if known is None:
            for each in old:
                if id(each) not in locations:
                    locations[id(each)] = renew(each)
            new = tuple([locations[id(each)] for each in old])
            known = tables[id(old)] = old if all(map(operator.is_, new, old)) else new
        return known

    def renewed(array: ManifestArray) -> ManifestArray:
        if isinstance(array, PendingArray) and array.is_pending:
            return array if when_read is None else array.then(when_read)
        table = table_of(array)
        if table is array.manifest.locations:
            return array
        return array.rebuilt(array.metadata, array.manifest.with_locations(table))

    for array in _arrays(group):
        if array.is_pending:
            if when_read is not None:
                break
        elif table_of(array) is not array.manifest.locations:
            break
    else:
        return group
    return group.map_arrays(renewed)


def _with_facts(location: Location, facts: FileFacts) -> Location:
    """Return the location with what it did not know; itself if it knows all that `facts` tell."""
    found = {name: getattr(facts, name) for name in EVIDENCE if getattr(location, name) is None}
    told = {name: value for name, value in found.items() if value is not None}
    return replace(location, **told) if told else location


def _facts(group: ManifestGroup, sources: Sources) -> dict[str, FileFacts]:
    return {url: _told(source) for url, source in _read(group, sources)}


def _read(group: ManifestGroup, sources: Sources) -> list[tuple[str, AnySource]]:
    """Return the sources of the files that the group refers to, leaving out those only tried."""
    known = (array for array in _arrays(group) if not array.is_pending)
    urls = {location.url for array in known for location in array.manifest.locations}
    return [(url, source) for url, source in sources.opened.items() if url in urls]


def _arrays(group: ManifestGroup) -> list[ManifestArray]:
    found = list(group.arrays.values())
    for child in group.groups.values():
        found += _arrays(child)
    return found
