"""A range server on loopback that waits before it answers, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import urllib.request
from pathlib import Path
from typing import Self

UNLIMITED = 1 << 30


class RangeServer:
    """Serves the files of a folder with a fixed latency a request; counts requests and bytes.

    `at_once` requests wait and are answered at a time, as if there were so many connections; the
    others wait for them.
    """

    def __init__(self, folder: Path, latency: float, at_once: int = UNLIMITED) -> None:
        self.folder = folder
        self.latency = latency
        self.at_once = at_once
        self.url = ""

    def start(self) -> Self:
        """Serve from now on, until this process ends or `stop` is called."""
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(
            target=_serve, args=(str(self.folder), self.latency, self.at_once, there), daemon=True
        )
        self._process.start()
        self.url = f"http://127.0.0.1:{here.recv()}"
        return self

    def stop(self) -> dict[str, int]:
        """Stop serving; return requests, bytes sent, and the most requests in flight at once."""
        counts = self.counts()
        self._process.terminate()
        self._process.join()
        return counts

    def counts(self) -> dict[str, int]:
        """Return requests, bytes sent, and the most requests that were in flight at once."""
        with urllib.request.urlopen(f"{self.url}/--counts--") as answer:
            counts: dict[str, int] = json.load(answer)
        return counts


def _serve(
    folder: str, latency: float, at_once: int, ready: multiprocessing.connection.Connection
) -> None:
    asyncio.run(_Server(Path(folder), latency, at_once).run(ready))


class _Server:
    def __init__(self, folder: Path, latency: float, at_once: int) -> None:
        self.folder = folder
        self.latency = latency
        self.slots = asyncio.Semaphore(at_once)
        self.counts = {"requests": 0, "bytes": 0, "in_flight": 0}
        self.now = 0
        self.open: dict[str, int] = {}

    async def run(self, ready: multiprocessing.connection.Connection) -> None:
        server = await asyncio.start_server(self.client, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = lines[0].split(" ")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                await self.answer(method, path, headers, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(
        self, method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter
    ) -> None:
        if path == "/--counts--":
            body = json.dumps(self.counts).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            return
        async with self.slots:
            await self.answer_late(method, path, headers, writer)

    async def answer_late(
        self, method: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter
    ) -> None:
        """Answer after the latency."""
        self.counts["requests"] += 1
        self.now += 1
        self.counts["in_flight"] = max(self.counts["in_flight"], self.now)
        await asyncio.sleep(self.latency)
        self.now -= 1
        path, _, query = path.partition("?")
        if "list-type=2" in query:
            body = self.listing(path.strip("/"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            return
        file = self.folder / Path(path).name
        if not file.is_file():
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        size = file.stat().st_size
        found = re.match(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
        start, stop = 0, size
        if found and found[1]:
            start = int(found[1])
            stop = min(size, int(found[2]) + 1) if found[2] else size
        elif found:
            start = max(0, size - int(found[2]))
        status = "206 Partial Content" if found else "200 OK"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {stop - start}\r\nAccept-Ranges: bytes\r\n"
            f'ETag: "{size:x}"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n'
            f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n\r\n".encode()
        )
        if method == "HEAD":
            return
        self.counts["bytes"] += stop - start
        fd = self.open.setdefault(str(file), os.open(file, os.O_RDONLY))
        while start < stop:
            piece = os.pread(fd, min(1 << 20, stop - start), start)
            writer.write(piece)
            start += len(piece)
            await writer.drain()

    def listing(self, bucket: str) -> bytes:
        """Return what S3 answers when asked for all objects of a bucket."""
        objects = "".join(
            f"<Contents><Key>{file.name}</Key><Size>{file.stat().st_size}</Size>"
            f"<LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{file.stat().st_size:x}</ETag></Contents>"
            for file in sorted(self.folder.iterdir())
        )
        return (
            f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{objects}"
            "</ListBucketResult>"
        ).encode()
