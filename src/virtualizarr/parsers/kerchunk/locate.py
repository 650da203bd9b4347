"""Where references point: text as kerchunk writes it, to canonical URLs.

Reference file systems hand the path of a `file://`, `s3://` or other store's URL to the store as it
stands, without percent-decoding; only web URLs are encoded. So does this module. A path that is
relative is taken from the directory of the reference file, or from the root that the caller gives
(reference file systems take it from the current directory, wherever that happens to be).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.source.urls import normalize_url

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_ABSOLUTE = re.compile(r"/|~|[A-Za-z]:[/\\]|file:", re.IGNORECASE)
_PLAIN = re.compile(r"(?:file:///|(?:s3|gs)://[\w.-]+/)(?:[\w.=+-]+/)*[\w.=+-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """What relative paths are relative to: the directory at `root`, a path or URL; None refuses."""

    root: str | None

    @classmethod
    def of(cls, base_url: str | None, fs_root: str | None) -> Origin:
        """Return the origin: `fs_root` where given, else the directory of `base_url`."""
        if fs_root is not None:
            return cls(fs_root.rstrip("/") if fs_root != "/" else "/")
        return cls(base_url.rpartition("/")[0] if base_url is not None else None)

    def resolve(self, text: str) -> str:
        """Return the canonical URL of what a reference says.

        Raises UnsupportedFeatureError for a relative path without an origin, CorruptFileError for
        one that climbs out of its store, and what `normalize_url` raises.
        """
        if _PLAIN.fullmatch(text) and "/../" not in text and "/./" not in text:
            return text
        chained = "::" in text.partition("://")[0]
        if not chained and _SCHEME.match(text) is None and _ABSOLUTE.match(text) is None:
            return self._below(text)
        return canonical(text)

    def _below(self, path: str) -> str:
        if not path:
            raise CorruptFileError("a reference names no file")
        if self.root is None:
            raise UnsupportedFeatureError(
                f"the path {path!r} is relative, and to what is not known: give fs_root"
            )
        root = canonical(self.root) if self.root else "file://"
        scheme, _, below = root.partition("://")
        quoted = canonical(f"s3://h/{path}").removeprefix("s3://h/")
        whole = posixpath.normpath(f"{below}/{quoted}")
        authority = below.partition("/")[0]
        if not (whole == authority or whole.startswith(f"{authority}/")):
            raise CorruptFileError(f"the path {path!r} climbs out of {root}")
        return f"{scheme}://{whole}"


def canonical(text: str) -> str:
    """Return the canonical URL of a path or URL as kerchunk writes it.

    Raises CorruptFileError for a malformed one, UnsupportedFeatureError for a chained one.
    """
    literal = text if _WEB.match(text) or _SCHEME.match(text) is None else text.replace("%", "%25")
    try:
        return normalize_url(literal)
    except UnsupportedFeatureError:
        raise
    except VirtualizeError as error:
        raise CorruptFileError(f"a reference cannot be followed: {error.reason}") from error
