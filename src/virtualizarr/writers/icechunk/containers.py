"""Virtual chunk containers: the URL prefixes below which a repository's references may point.

Icechunk reads a virtual chunk only if a container of its repository covers the URL, and only if who
opens the repository authorises that very prefix.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.source.urls import split_url

BUCKET_SCHEMES = frozenset({"s3", "gs", "az", "abfs"})
WEB_SCHEMES = frozenset({"http", "https"})


def container_prefixes(urls: Iterable[str]) -> tuple[str, ...]:
    """Return the narrowest prefixes that serve canonical `urls`, sorted; each ends in "/".

    One per bucket, one per web server, and for local files the deepest directory that holds them
    all and has a plain name, or one per top-level directory where that would be the root.

    Raises UnsupportedFeatureError for URLs that Icechunk cannot read, naming one.
    """
    roots: set[str] = set()
    directories: set[str] = set()
    for url in urls:
        if url.startswith("file://"):
            directories.add(url.removeprefix("file://").rpartition("/")[0])
            continue
        parts = split_url(url)
        if parts.scheme not in BUCKET_SCHEMES | WEB_SCHEMES or "@" in parts.authority:
            raise UnsupportedFeatureError(
                "Icechunk cannot refer to this location; it reads file, s3, gs, az, abfs, http and "
                "https URLs",
                url=url,
            )
        roots.add(f"{parts.scheme}://{parts.authority}/")
    return tuple(sorted(roots | _directory_prefixes(directories)))


def _directory_prefixes(directories: set[str]) -> set[str]:
    """Return prefixes for local directories, cut where a name would be percent-encoded.

    Icechunk does not find the container of a location whose prefix has such a name.
    """
    plain = {_plain_part(directory) for directory in directories}
    if not plain:
        return set()
    if "" in plain:
        raise UnsupportedFeatureError(
            "Icechunk cannot refer to files in the root directory of the file system, nor in a "
            "directory there whose name has blanks or signs; move them"
        )
    common = os.path.commonpath(plain)
    if common != "/":
        return {f"file://{common}/"}
    return {f"file:///{directory.split('/')[1]}/" for directory in plain}


def _plain_part(directory: str) -> str:
    plain, percent, _ = directory.partition("%")
    return plain.rpartition("/")[0] if percent else plain


def covering(prefixes: Iterable[str], url: str) -> str | None:
    """Return the longest of the container `prefixes` below which `url` lies; None without one."""
    return max((prefix for prefix in prefixes if url.startswith(prefix)), key=len, default=None)
