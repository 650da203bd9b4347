"""A read-only Zarr store over HTTP, for readers in any language on the same machine.

GET and HEAD of a key, with one byte range (RFC 9110, section 14), nothing else. It listens on the
loopback address alone, and answers only requests that name it so: a web page elsewhere that makes
its own name lead here reads nothing.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import unquote, urlsplit

from virtualizarr.errors import ForbiddenReferenceError, VirtualizeError
from virtualizarr.store.plain import PlainStore

LOOPBACK = "127.0.0.1"
_RANGE = re.compile(r"bytes=(?=\d|-\d)(\d{0,18})-(\d{0,18})")


class ZarrServer(ThreadingHTTPServer):
    """Serves a store at `url` until it is shut down. Port 0 takes one that is free."""

    daemon_threads = True

    def __init__(self, store: PlainStore, port: int) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.store = store

    def server_bind(self) -> None:
        """Bind without asking a name service what this machine is called, as the base does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}"

    @property
    def hosts(self) -> frozenset[str]:
        """What a request's Host may say."""
        return frozenset(f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ZarrServer

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self._send(HTTPStatus.FORBIDDEN, b"this server answers on its own machine only\n")
            return
        key = unquote(urlsplit(self.path).path).lstrip("/")
        size = self.server.store.size_of(key)
        if size is None:
            self._send(HTTPStatus.NOT_FOUND, b"there is no such key\n", with_body=with_body)
            return
        asked = self.headers.get("Range")
        cut = bounds(asked, size) if asked is not None else (0, size)
        if cut is None:
            headers = {"Content-Range": f"bytes */{size}"}
            self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", headers)
            return
        start, stop = cut
        try:
            data = self.server.store.read(key, start, stop) if with_body else b""
        except VirtualizeError as error:
            is_forbidden = isinstance(error, ForbiddenReferenceError)
            status = HTTPStatus.FORBIDDEN if is_forbidden else HTTPStatus.BAD_GATEWAY
            self._send(status, f"{error}\n".encode())
            return
        is_part = asked is not None and _RANGE.fullmatch(asked) is not None
        headers = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"} if is_part else {}
        status = HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK
        self._send(status, data, headers, length=stop - start, with_body=with_body)

    def _send(
        self,
        status: HTTPStatus,
        data: bytes,
        headers: dict[str, str] | None = None,
        *,
        length: int | None = None,
        with_body: bool = True,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(length if length is not None else len(data)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in (headers if headers is not None else {}).items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- a name of http.server
        """Say nothing: keys and addresses of readers are no one's business."""


def bounds(asked: str, size: int) -> tuple[int, int] | None:
    """Return where the bytes that a Range header asks for begin and end; None if there are none.

    A header of another form, or of several ranges, is ignored, as RFC 9110 (14.2) allows.
    """
    match = _RANGE.fullmatch(asked)
    if match is None:
        return 0, size
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, size) if length else None
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    return (start, stop) if start < stop else None
