"""URLs: the one spelling under which a file is known, in sources, manifests and messages.

The canonical URL is what manifests record:

- local files: `file:///absolute/path` (RFC 8089), symbolic links kept;
- object stores: `s3://bucket/key`, `gs://`, `az://`, `abfs://`, `abfss://`, `memory://`;
- web: `http(s)://host/path`, a query kept unless it carries credentials.

The path is percent-encoded where RFC 3986 (section 3.3) demands it, so `s3://b/a b.nc` and
`s3://b/a%20b.nc` are one file. What is already encoded stays; a stray `%` becomes `%25`. Object
keys and file names have no query: there `?` and `#` are part of the name. Pure; no I/O here.
"""

from __future__ import annotations

import os
import re
import sys
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, quote_from_bytes, unquote_to_bytes

from virtualizarr.errors import SourceError, UnsupportedFeatureError

STORE_SCHEMES = frozenset({"s3", "gs", "az", "abfs", "abfss", "memory"})
WEB_SCHEMES = frozenset({"http", "https"})

_ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "azure": "az"}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://([^/?#]*)(.*)", re.DOTALL)
_PATH_SAFE = "/!$&'()*+,=:@~"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CREDENTIAL = re.compile(
    r"sig|signature|.*[-_]signature|.*[-_]credential|.*security[-_]token|token|.*[-_]token"
    r"|password|.*secret.*|awsaccesskeyid|.*api[-_]?key|key",
    re.IGNORECASE,
)
_URL_IN_TEXT = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]+://)([^\s\"'<>]*)")
_HADOOP_AUTHORITY = re.compile(r"[^@:/]+@[^@:/]+")


class UrlParts(NamedTuple):
    """A canonical URL taken apart; `path` is decoded and has no leading slash for stores."""

    scheme: str
    authority: str
    path: str
    query: str


def normalize_url(url: str | os.PathLike[str]) -> str:
    """Return the canonical URL of `url`: a URL, a path object, or a path, relative or with `~`.

    Normalizing twice changes nothing. Raises `SourceError` for an empty or malformed URL and for
    one that carries a password or a signature, `UnsupportedFeatureError` for chained URLs (`::`).
    """
    if isinstance(url, os.PathLike):
        return file_url(os.fspath(url))
    if not url:
        raise SourceError("the URL is empty")
    if not _is_text(url):
        raise SourceError("the URL holds lone surrogates, which are no text", url=redact(url))
    if "::" in url.partition("://")[0] and "://" in url:
        raise UnsupportedFeatureError("chained URLs are not supported", url=redact(url))
    if (match := _URL.fullmatch(url)) is None:
        if url.startswith("file:"):
            return _file(url.removeprefix("file:"))
        return file_url(os.path.expanduser(url))
    scheme, authority, rest = match.groups()
    scheme = _ALIASES.get(scheme.lower(), scheme.lower())
    if scheme == "file":
        return _file(f"//{authority}{rest}")
    _refuse_password(scheme, authority, url)
    if scheme in WEB_SCHEMES:
        return _web(scheme, authority, rest)
    return f"{scheme}://{authority}{quote_from_bytes(unquote_to_bytes(rest), _PATH_SAFE)}"


def _is_text(url: str) -> bool:
    """Say whether a URL can be encoded; the name of a local file may be any bytes."""
    local = "://" not in url or url.startswith("file:")
    try:
        url.encode("utf-8", "surrogateescape" if local else "strict")
    except UnicodeEncodeError:
        return False
    return True


def file_url(path: str) -> str:
    """Return the canonical URL of the local file at `path`, which is taken as it stands."""
    whole = os.path.abspath(path)
    if sys.platform == "win32":
        whole = whole.replace("\\", "/")
        whole = whole if whole.startswith("/") else f"/{whole}"
    return f"file://{quote_from_bytes(os.fsencode(whole), _PATH_SAFE)}"


def child_url(base: str, path: str) -> str:
    """Return the canonical URL of `path`, taken as it stands, below the canonical URL `base`."""
    return f"{base.rstrip('/')}/{quote(path, _PATH_SAFE)}"


def local_path(url: str) -> str:
    """Return the path of the local file that a canonical `file://` URL names."""
    return _drive(os.fsdecode(unquote_to_bytes(url.removeprefix("file://"))))


def split_url(url: str) -> UrlParts:
    """Take a canonical URL apart; the path is percent-decoded.

    Raises `SourceError` where the URL has no scheme, or its path is not UTF-8.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise SourceError("is not a URL", url=redact(url))
    scheme, authority, rest = match.groups()
    path, _, query = rest.partition("?") if scheme in WEB_SCHEMES else (rest, "", "")
    try:
        decoded = unquote_to_bytes(path.removeprefix("/")).decode()
    except UnicodeDecodeError as error:
        raise SourceError("the path is not UTF-8", url=redact(url)) from error
    return UrlParts(scheme, authority, decoded, query)


def redact(text: str) -> str:
    """Return `text` with the user names, passwords and queries of all URLs in it taken out."""
    return _URL_IN_TEXT.sub(_redact_match, text)


def _redact_match(match: re.Match[str]) -> str:
    start, rest = match.groups()
    authority, slash, path = re.split(r"[?]", rest, maxsplit=1)[0].partition("/")
    return f"{start}{authority.rpartition('@')[2]}{slash}{path}"


def _file(rest: str) -> str:
    """Return the canonical form of what follows `file:`, in any of its spellings."""
    path = rest
    if rest.startswith("//"):
        host, slash, below = rest[2:].partition("/")
        if re.fullmatch(r"[A-Za-z][:|]", host) is not None:
            path = f"/{host[0]}:{slash}{below}"
        elif host.lower() in ("", "localhost"):
            path = f"{slash}{below}"
        else:
            raise SourceError(
                "a file URL with a host is not supported; a local one has three slashes",
                url=f"file:{rest}",
            )
    if not path:
        raise SourceError("the URL is empty", url=f"file:{rest}")
    return file_url(_drive(os.fsdecode(unquote_to_bytes(path))))


def _drive(path: str) -> str:
    """Drop the slash before a Windows drive letter, on Windows only."""
    drive = sys.platform == "win32" and re.match(r"/[A-Za-z]:", path) is not None
    return path[1:] if drive else path


def _refuse_password(scheme: str, authority: str, url: str) -> None:
    _, at, _ = authority.rpartition("@")
    if not at:
        return
    if scheme.startswith("abfs") and _HADOOP_AUTHORITY.fullmatch(authority):
        return
    raise SourceError(
        "a URL with a user name or password is refused, for it would be written into every"
        " reference; give credentials as storage_options or through a registry",
        url=redact(url),
    )


def _web(scheme: str, authority: str, rest: str) -> str:
    path, mark, query = rest.split("#", 1)[0].partition("?")
    if any(_CREDENTIAL.fullmatch(name) for name, _ in parse_qsl(query, keep_blank_values=True)):
        raise SourceError(
            "a URL with a signature or token in its query is refused, for it would be written"
            " into every reference; give credentials as storage_options or through a registry",
            url=redact(f"{scheme}://{authority}{path}"),
        )
    encoded = quote(_STRAY_PERCENT.sub("%25", path), f"{_PATH_SAFE}%")
    return f"{scheme}://{authority.lower()}{encoded}{mark if query else ''}{query}"
