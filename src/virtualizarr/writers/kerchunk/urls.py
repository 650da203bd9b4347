"""URLs as reference file systems read them."""

from __future__ import annotations

from urllib.parse import unquote

from virtualizarr.errors import UnsupportedFeatureError


def literal_url(url: str) -> str:
    """Return a canonical URL as reference file systems read it: encoded on the web only.

    Raises UnsupportedFeatureError for a path that is not UTF-8.
    """
    if "%" not in url or url.startswith(("http://", "https://")):
        return url
    try:
        return unquote(url, errors="strict")
    except UnicodeDecodeError as error:
        raise UnsupportedFeatureError("the path is not UTF-8", url=url) from error
