"""Web servers that a file names: read by a client that asks before it follows a redirect.

The client of all other requests follows redirects by itself, wherever they lead. A server that the
reader did not choose himself could so have its reader ask for what lies inside his own network.
This one is slower, a thread a request, and stops at every redirect. It takes no batches.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

import urllib3
from obstore.exceptions import NotSupportedError

from virtualizarr.errors import SourceError, UnsupportedFeatureError
from virtualizarr.source.stores import sorted_options
from virtualizarr.source.urls import WEB_SCHEMES, redact, split_url

MOST_REDIRECTS = 10
CONNECTIONS = 64
_EXPLANATION = 4096  # bytes of the body of a failure
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_NEVER = datetime.fromtimestamp(0, UTC)
_KNOWN = frozenset(
    {"allow_http", "allow_invalid_certificates", "connect_timeout", "default_headers"}
    | {"proxy_url", "timeout", "user_agent", "http1_only"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a store of obspec's kind answers with; `meta` has `size`, `e_tag`, `last_modified`."""

    meta: Mapping[str, Any]
    content: bytes

    def buffer(self) -> bytes:
        return self.content


@dataclass(frozen=True)
class GuardedWebStore:
    """One file on a web server, as a store that `StoreClient` reads; blocking.

    `may_follow` is called with the URL of every redirect, and raises where it may not be followed.
    `client` are options as obstore's `client_options`, the timeouts among them; credentials in
    headers are sent to no other host, nor without encryption if they were to be sent with it.
    """

    url: str
    may_follow: Callable[[str], None]
    client: Mapping[str, Any] = field(repr=False)

    def get(self, path: str, options: Mapping[str, Any] | None = None) -> Answer:
        """Return the range `options["range"]`, or the whole file.

        Raises what `translate` understands: `FileNotFoundError`, `PermissionError`, `OSError` with
        the status, `NotSupportedError` where the server has no ranges.
        """
        del path
        wanted: tuple[int, int] | None = options["range"] if options else None
        response = self._response("GET", wanted)
        try:
            meta = _meta(response)
            if wanted is None:
                return Answer(meta, _content(response, meta["size"]))
            if response.status != 206:
                raise NotSupportedError("Range request not supported by the server")
            first = _first_byte(response)
            if first != wanted[0]:
                raise OSError(f"IncompleteBody: the response begins at byte {first}")
            return Answer(meta, _content(response, wanted[1] - wanted[0]))
        finally:
            _released(response)

    def head(self, path: str) -> Mapping[str, Any]:
        """Return size, etag and time."""
        del path
        response = self._response("HEAD", None)
        try:
            return _meta(response)
        finally:
            _released(response)

    def _response(self, method: str, wanted: tuple[int, int] | None) -> Any:
        """Return the answer to a request, its body still unread; redirects are asked about."""
        url, own = self.url, split_url(self.url)[:2]
        headers = {"Accept-Encoding": "identity", **_headers(self.client)}
        if wanted is not None:
            headers["Range"] = f"bytes={wanted[0]}-{wanted[1] - 1}"
        for _ in range(MOST_REDIRECTS + 1):
            pool = _pool(_proxy_for(url, self.client), *_settings(self.client))
            try:
                response = pool.request(
                    method,
                    url,
                    headers=headers,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                )
            except urllib3.exceptions.ProtocolError as error:
                raise OSError(f"connection closed ({_said(error)})") from None
            except urllib3.exceptions.HTTPError as error:
                raise OSError(f"error sending request ({_said(error)})") from None
            if response.status not in _REDIRECTS:
                _check_status(response)
                return response
            _released(response)
            url = self._redirected(url, response.headers.get("Location"))
            if split_url(url)[:2] != own:
                headers = {k: v for k, v in headers.items() if k.lower() not in _SECRET_HEADERS}
        raise OSError(f"more than {MOST_REDIRECTS} redirects")

    def _redirected(self, url: str, location: str | None) -> str:
        """Return where a redirect leads, if that is the web and may be followed."""
        if not location:
            raise OSError("a redirect that does not say where to")
        try:  # spelled by the parser of the client, so that no host is understood in two ways
            target = urllib3.util.parse_url(urljoin(url, location)).url
        except (urllib3.exceptions.LocationParseError, ValueError):
            raise OSError("a redirect to a malformed URL") from None
        if target.partition("://")[0] not in WEB_SCHEMES:
            raise OSError(f"a redirect that leaves the web: {redact(target)}")
        self.may_follow(target)
        return target


def guarded_store(
    url: str, storage_options: Mapping[str, Any] | None, may_follow: Callable[[str], None]
) -> GuardedWebStore:
    """Return the store of a file on a web server; raises for options that this client has not."""
    config, client, _ = sorted_options(storage_options if storage_options is not None else {})
    unknown = config.keys() | client.keys() - _KNOWN
    if unknown:
        raise UnsupportedFeatureError(
            f"storage_options {sorted(unknown)} for a file that references name on a web server: "
            'pass a registry with a store of yours, or allowed_locations="all" if you trust them',
            url=redact(url),
        )
    return GuardedWebStore(url, may_follow, client)


@lru_cache(maxsize=64)
def _pool(
    proxy: str | None, verify: bool, connect: float, read: float
) -> urllib3.PoolManager | urllib3.ProxyManager:
    options: dict[str, Any] = {
        "num_pools": 64,
        "maxsize": CONNECTIONS,
        "timeout": urllib3.Timeout(connect=connect, read=read),
        "cert_reqs": "CERT_REQUIRED" if verify else "CERT_NONE",
    }
    if proxy is not None:
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)


def _settings(client: Mapping[str, Any]) -> tuple[bool, float, float]:
    verify = not client.get("allow_invalid_certificates", False)
    return verify, _seconds(client["connect_timeout"]), _seconds(client["timeout"])


def _seconds(value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    try:
        return float(str(value).removesuffix("s"))
    except ValueError:
        raise SourceError(f"{value!r} is no time in seconds") from None


def _headers(client: Mapping[str, Any]) -> dict[str, str]:
    texts = {
        str(name): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in dict(client.get("default_headers", {})).items()
    }
    if "user_agent" in client:
        texts["User-Agent"] = str(client["user_agent"])
    return texts


def _proxy_for(url: str, client: Mapping[str, Any]) -> str | None:
    """Return the proxy by which a URL is reached: that of the options, or of the environment."""
    if "proxy_url" in client:
        return str(client["proxy_url"])
    scheme, authority, *_ = split_url(url)
    proxies = urllib.request.getproxies()
    if scheme not in proxies or urllib.request.proxy_bypass(authority):
        return None
    return proxies[scheme]


def _check_status(response: Any) -> None:
    """Raise what a status of failure means, with the code that an XML body names."""
    status = response.status
    if status < 300:
        return
    code = ""
    with suppress(urllib3.exceptions.HTTPError):
        body = response.read(_EXPLANATION, decode_content=False).decode(errors="replace")
        code = "".join(f"<{found}" for found in body.split("<") if found.startswith("Code>"))
        code = code and f"{code}</Code>"
    _released(response)
    kind = {401: PermissionError, 403: PermissionError, 404: FileNotFoundError}.get(status, OSError)
    raise kind(f"status code: {status} {code}".strip())


def _meta(response: Any) -> dict[str, Any]:
    """Return size, etag and time as the headers tell them; a time of 0 where they do not."""
    headers = response.headers
    total = headers.get("Content-Length")
    if response.status == 206:
        total = headers.get("Content-Range", "").rpartition("/")[2]
    try:
        modified = parsedate_to_datetime(headers["Last-Modified"])
    except (KeyError, TypeError, ValueError):
        modified = _NEVER
    if modified.tzinfo is None:
        modified = modified.replace(tzinfo=UTC)
    return {
        "size": int(total) if total and total.isdigit() else None,
        "e_tag": headers.get("ETag"),
        "last_modified": modified,
    }


def _first_byte(response: Any) -> int | None:
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else None


def _content(response: Any, most: int | None) -> bytes:
    """Return the body, which must not be longer than `most` bytes."""
    if most is None:
        raise OSError("the response does not tell its length")
    try:
        content: bytes = response.read(most, decode_content=False)
        if response.read(1, decode_content=False):
            raise OSError("IncompleteBody: the response is longer than what was asked for")
    except urllib3.exceptions.HTTPError as error:
        raise OSError(f"connection closed ({_said(error)})") from None
    return content


def _released(response: Any) -> None:
    """Give the connection back if its answer was read to the end; else close it."""
    if not response.isclosed():
        response.close()
    response.release_conn()


def _said(error: BaseException) -> str:
    return redact(" ".join(f"{type(error).__name__}: {error}".split()))
