"""New prefixes for the locations of a store."""

from __future__ import annotations

from collections.abc import Mapping

from virtualizarr.errors import SourceNotFoundError
from virtualizarr.model import ManifestGroup
from virtualizarr.source.urls import normalize_url


def renamed_prefixes(group: ManifestGroup, prefixes: Mapping[str, str]) -> ManifestGroup:
    """Return the tree with the prefixes of its locations replaced, old by new; the longest counts.

    A prefix is a URL or path of a directory, bucket, host or file: "s3://b/x" is none of
    "s3://b/xy". Missing and inline chunks stay what they are. Raises SourceNotFoundError for a
    prefix that no location has, and what `normalize_url` raises.
    """
    pairs = sorted(
        ((_whole(old), _whole(new)) for old, new in prefixes.items()),
        key=lambda pair: -len(pair[0]),
    )
    unused = {old for old, _ in pairs}

    def rename(url: str) -> str:
        for old, new in pairs:
            if url == old or url.startswith(f"{old}/"):
                unused.discard(old)
                return new + url[len(old) :]
        return url

    renamed = group.rename_paths(rename)
    if unused:
        raise SourceNotFoundError(f"no location begins with {sorted(unused)[0]!r}")
    return renamed


def _whole(prefix: str) -> str:
    return normalize_url(prefix).rstrip("/")
