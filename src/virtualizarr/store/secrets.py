"""What may not be written: URLs that carry a password, a token or a signature."""

from __future__ import annotations

from virtualizarr.errors import SourceError
from virtualizarr.model import ManifestGroup
from virtualizarr.source.urls import normalize_url


def refuse_secrets(group: ManifestGroup) -> None:
    """Raise SourceError, naming the node and the URL without its secret, if a location has one.

    Every writer asks before it writes anything.
    """
    for path, array in group.walk_arrays():
        for location in array.manifest.locations:
            if "@" in location.url or "?" in location.url:
                _refuse(location.url, path)


def _refuse(url: str, node: str) -> None:
    try:
        normalize_url(url)
    except SourceError as error:
        raise error.located(node=node) from None
