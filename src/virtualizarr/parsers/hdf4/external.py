"""Data in other files: their names made into URLs."""

from __future__ import annotations

import posixpath
from urllib.parse import quote, urljoin

from virtualizarr.source.facts import FileFacts
from virtualizarr.source.reading import Reading, Stat


def beside(url: str, name: str) -> str:
    """Return the URL of the file that the file at `url` calls `name`.

    As the HDF4 library does, a relative name is looked for beside the file, an absolute one (under
    the same scheme and host) where it says.
    """
    encoded = quote(name, safe="/!$&'()*+,=@~", errors="surrogateescape")
    scheme, mark, rest = url.partition("://")
    host, _, path = rest.partition("/")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(f"/{path}"), encoded))
    return f"{scheme}{mark}{host}{target}" if mark else urljoin(url, encoded)


def read_facts() -> Reading[FileFacts]:
    """Ask what is known of a file."""
    (facts,) = yield [Stat()]
    found: FileFacts = facts
    return found
