"""What Icechunk can check of a file before it trusts a reference: its etag, or a time.

A time means "not modified after" and is kept in whole seconds, so it is rounded up: a file that is
replaced within the second of its own modification time, or by an older one, is not noticed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from virtualizarr.model import Location

type Checksum = str | datetime | None


def checksum_of(location: Location, last_updated_at: datetime | None = None) -> Checksum:
    """Return the etag taken when the file was parsed, else its modification time, else None.

    `last_updated_at` stands in for files of which neither is known. Local files have no etag that
    Icechunk would accept; web servers are asked by time, as Icechunk sends them malformed etags.
    """
    bare = location.url.startswith(("file://", "http://", "https://"))
    if location.etag is not None and not bare:
        return location.etag
    for known in (location.last_modified, location.unmodified_since, last_updated_at):
        if known is not None:
            return whole_second(known)
    return None


def whole_second(time: datetime) -> datetime:
    """Return a time rounded up to whole seconds, in UTC.

    Raises ValueError for a time without a time zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"the time {time} has no time zone")
    whole = time.astimezone(UTC).replace(microsecond=0)
    return whole if time.microsecond == 0 else whole + timedelta(seconds=1)
