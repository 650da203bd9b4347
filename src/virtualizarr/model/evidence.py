"""What is known of files, as JSON: how reference formats hold the evidence of a `Location`.

A file's members are all optional: `size` (bytes), `etag`, `last_modified` and `unmodified_since`
(ISO 8601 with a time zone). Chunk manifests hold them in `locations.json`, kerchunk references
under a key of our own, which other readers ignore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from virtualizarr.errors import CorruptFileError
from virtualizarr.model.json import Json
from virtualizarr.model.location import Location

MAX_SIZE = 2**63 - 1
OWN_KEY = "virtualizarr"
"""The member of a kerchunk document, beside `refs` or `metadata`, that other readers ignore."""

LOCATIONS_KEY = "locations"
_TIMES = ("last_modified", "unmodified_since")


def facts_json(location: Location) -> dict[str, Json]:
    """Return what is known of a file, without what is not."""
    facts: dict[str, Json] = {"size": location.size, "etag": location.etag}
    for name in _TIMES:
        moment = getattr(location, name)
        facts[name] = moment.isoformat() if moment is not None else None
    return {name: value for name, value in facts.items() if value is not None}


def location_of(url: str, known: Any) -> Location:
    """Return a location with the facts that a document gives of it; None gives none.

    Raises CorruptFileError where they are malformed.
    """
    if known is None:
        return Location(url)
    if not isinstance(known, Mapping):
        raise CorruptFileError(f"what is known of {url} is {known!r:.80}")
    size, etag = known.get("size"), known.get("etag")
    right = (size is None or (type(size) is int and 0 <= size <= MAX_SIZE)) and (
        etag is None or isinstance(etag, str)
    )
    if not right:
        raise CorruptFileError(f"what is known of {url} is {known!r:.200}")
    modified, unmodified = (_moment(known.get(name)) for name in _TIMES)
    return Location(url, size, etag, modified, unmodified)


def own_member(
    locations: Iterable[Location], literal: Callable[[str], str]
) -> dict[str, Json] | None:
    """Return our member of a kerchunk document; None where nothing is known of any file.

    `literal` spells a URL as the references do. Raises CombineError where two of the locations know
    contradicting facts of one file.
    """
    known: dict[str, Location] = {}
    for location in locations:
        before = known.get(location.url)
        if before is None:
            known[location.url] = location
        elif before is not location:
            known[location.url] = before.agreed(location)
    facts = {literal(url): facts_json(location) for url, location in known.items()}
    told: dict[str, Json] = {url: each for url, each in facts.items() if each}
    return {LOCATIONS_KEY: told} if told else None


def known_locations(member: Any, resolve: Callable[[str], str]) -> dict[str, Location]:
    """Return the locations that our member of a kerchunk document describes, by canonical URL.

    `resolve` turns a URL as the references spell it into a canonical one. Raises CorruptFileError
    for a malformed member, and what `resolve` raises.
    """
    if member is None:
        return {}
    listed = member.get(LOCATIONS_KEY, {}) if isinstance(member, Mapping) else None
    if not isinstance(listed, Mapping):
        raise CorruptFileError(f"{OWN_KEY!r} of the references is {member!r:.80}")
    urls = {text: resolve(text) for text in listed}
    return {urls[text]: location_of(urls[text], facts) for text, facts in listed.items()}


def _moment(text: Any) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise CorruptFileError(f"{text!r:.80} is no moment in time") from error
    if moment.tzinfo is None:
        raise CorruptFileError(f"{text!r:.80} is a moment in time without a zone")
    return moment
