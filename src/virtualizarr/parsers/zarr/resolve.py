"""Where the paths in a chunk manifest point: text to canonical URLs.

A path with a scheme is a URL, one that begins with "/" a local file. "./" begins what is relative
to the array's own directory in the store; other paths are relative to the directory that the store
lies in. None of these may climb out of where it starts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.zarr.places import child_urls
from virtualizarr.source.urls import normalize_url
from virtualizarr.store.chunk_manifest import HERE, path_below

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_PLAIN = re.compile(r"(?:file://|(?:s3|gs)://[A-Za-z0-9_.-]+)(?:/[A-Za-z0-9_.=+-]+)+")


@dataclass(frozen=True, slots=True)
class Origin:
    """What relative paths are relative to, as URLs: the array's directory and the store's own.

    None inside an archive, where nothing can be relative.
    """

    array: str | None
    beside: str | None

    def resolve(self, path: str) -> str:
        """Return the canonical URL of a path.

        Raises CorruptFileError for a malformed one and for one that climbs out,
        UnsupportedFeatureError for a relative one inside an archive.
        """
        if _PLAIN.fullmatch(path) is not None and "/../" not in path and "/./" not in path:
            return path
        if _SCHEME.match(path) is not None or path.startswith(("/", "~", "\\")):
            return _canonical(path)
        base = self.array if path.startswith(HERE) else self.beside
        if base is None:
            raise UnsupportedFeatureError(f"the relative path {path!r:.200} inside an archive")
        return child_urls(base, [path_below(path)])[0]


def _canonical(path: str) -> str:
    """Return the canonical URL of an absolute path or URL."""
    if path.startswith("~"):
        raise CorruptFileError(f"the path {path!r:.200} is of somebody's home directory")
    try:
        url = normalize_url(path)
    except UnsupportedFeatureError:
        raise
    except VirtualizeError as error:
        raise CorruptFileError(f"a reference cannot be followed: {error.reason}") from error
    if "/../" in f"{url}/" or "/./" in f"{url}/":
        raise CorruptFileError(f"the path {path!r:.200} climbs")
    return url
