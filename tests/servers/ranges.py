"""A web server on the loopback interface that serves byte ranges, counts, and fails on request."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

LOGIN_PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>" * 40
EXPIRED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code><Message>The provided'
    b" token has expired.</Message><Token-0>canary5d41402abc</Token-0></Error>"
)


@dataclass
class Counts:
    """What was asked since the last `reset`; `bytes` counts bodies sent."""

    requests: int = 0
    gets: int = 0
    heads: int = 0
    bytes: int = 0
    in_flight_max: int = 0
    ranges: list[tuple[str, int, int]] = field(default_factory=list)


class RangeServer:
    """Serves `files` (URL path without the slash -> bytes) on its own thread and event loop.

    `latency` seconds pass before each answer. `faults[path]` is a list of fault names, used up one
    a GET; a last entry ending in `!` stays for ever. Faults: any status number, `503` with
    Retry-After, `cut` (the connection closes inside the body), `short` (the body is half of what
    Content-Range says, and Content-Length agrees with the body), `whole` (200 in place of 206),
    `stall` (no answer), `star` (Content-Range without a size), `redirect` (to `moved/<path>`),
    `loop` (a redirect to itself), `reset` (the connection is reset, without an answer), `break` (it
    is reset inside the body), `drip` (the body stops half way, and the connection stays open),
    `shifted` (bytes from one place further on, and a Content-Range that says so), `total` (a
    Content-Range with the size of another file), `page` (200 with a login page), `expired` (403
    with XML, as S3 answers), `garbage` (no HTTP at all). `redirects[path]` is a status and where
    to; `heads` are the requests as they came.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.redirects: dict[str, tuple[str, str]] = {}
        self.heads: list[str] = []
        self.latency = 0.0
        self.counts = Counts()
        self.headers: dict[str, str] = {}
        self.facts: dict[str, str] = {}  # in place of the ETag and Last-Modified of a file
        self._in_flight = 0
        self._talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def reset(self) -> None:
        self.counts = Counts()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        )
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(_turns())  # connections being made get made
        server.close()
        for task, writer in self._talks.items():
            task.cancel()
            writer.transport.abort()
        self._loop.run_until_complete(_turns())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks[self._loop.create_task(self._talk(reader, writer))] = writer

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
                if not await self._answer(head, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False where the connection must close."""
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        path = unquote(target.split("?")[0].lstrip("/"))
        found = re.search(r"^range: *bytes=(\d+)-(\d+)", head, re.IGNORECASE | re.MULTILINE)
        counts = self.counts
        counts.requests += 1
        self.heads.append(head)
        self._in_flight += 1
        counts.in_flight_max = max(counts.in_flight_max, self._in_flight)
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            counts.gets += method == "GET"
            counts.heads += method == "HEAD"
            return await self._send(method, path, found, writer)
        finally:
            self._in_flight -= 1

    def _next_fault(self, path: str) -> str:
        queue = self.faults.get(path)
        if not queue:
            return ""
        return queue[0][:-1] if queue[0].endswith("!") else queue.pop(0)

    async def _send(
        self, method: str, path: str, found: re.Match[str] | None, writer: asyncio.StreamWriter
    ) -> bool:
        fault = self._next_fault(path) if method == "GET" else ""
        if self.faults.get(path) == ["page!"]:
            fault = "page"
        if path in self.redirects:
            status, location = self.redirects[path]
            return await self._status(writer, status, f"Location: {location}\r\n")
        if fault == "stall":
            await asyncio.sleep(3600)
        if fault == "reset":
            return _reset(writer)
        if fault == "garbage":
            writer.write(b"\0\x01 this is no HTTP\r\n\r\n")
            await writer.drain()
            return False
        if fault == "page":
            kind = "Content-Type: text/html\r\n"
            return await self._status(writer, "200 OK", kind, LOGIN_PAGE, method == "HEAD")
        if fault == "expired":
            return await self._status(writer, "403 Forbidden", body=EXPIRED)
        if fault == "loop":
            return await self._status(writer, "302 Found", f"Location: /{path}\r\n")
        if fault.isdigit():
            extra = "Retry-After: 1\r\n" if fault == "503" else ""
            return await self._status(writer, f"{fault} Fault", extra)
        if fault == "redirect":
            return await self._status(writer, "302 Found", f"Location: /moved/{path}\r\n")
        data = self.files.get(path.removeprefix("moved/"))
        if data is None:
            return await self._status(writer, "404 Not Found")
        size = len(data)
        start, stop, status = 0, size, "200 OK"
        extra = ""
        if found is not None and fault != "whole" and method == "GET":
            start, stop = int(found[1]), min(int(found[2]) + 1, size)
            if start >= size:
                return await self._status(
                    writer, "416 Range Not Satisfiable", f"Content-Range: bytes */{size}\r\n"
                )
            status = "206 Partial Content"
            if fault == "shifted":
                start, stop = min(start + 1, size - 1), min(stop + 1, size)
            total = {"star": "*", "total": str(size + 7)}.get(fault, str(size))
            extra = f"Content-Range: bytes {start}-{stop - 1}/{total}\r\n"
        body = b"" if method == "HEAD" else data[start:stop]
        length = stop - start
        if fault == "short":
            body = body[: len(body) // 2]
            length = len(body)
        self.counts.ranges.append((path, start, stop))
        etag = f"{hash(data) % 2**64:x}"
        extra += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        facts = {"ETag": f'"{etag}"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        extra += "".join(f"{name}: {value}\r\n" for name, value in (facts | self.facts).items())
        writer.write(
            f"HTTP/1.1 {status}\r\nAccept-Ranges: bytes\r\n{extra}"
            f"Content-Length: {length}\r\n\r\n".encode()
        )
        if fault in ("cut", "break", "drip"):
            writer.write(body[: len(body) // 2])
            await writer.drain()
            if fault == "drip":
                await asyncio.sleep(3600)
            return _reset(writer) if fault == "break" else False
        self.counts.bytes += len(body)
        writer.write(body)
        await writer.drain()
        return True

    async def _status(
        self,
        writer: asyncio.StreamWriter,
        status: str,
        extra: str = "",
        body: bytes = b"",
        head: bool = False,
    ) -> bool:
        writer.write(f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode())
        writer.write(b"" if head else body)
        await writer.drain()
        return True


async def _turns() -> None:
    """Let the event loop turn some times: on a busy machine a pause may be over in one turn."""
    for _ in range(20):
        await asyncio.sleep(0)


def _reset(writer: asyncio.StreamWriter) -> bool:
    """Close the connection so that the peer sees it reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False
