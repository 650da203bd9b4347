"""Files on a local or mounted disk, read with `pread`.

Why not `mmap`: a file that shrinks while it is mapped kills the process (SIGBUS), and nothing can
catch that; `pread` answers short, which becomes an error with a name. It costs 0.5 us a range more.

Why no open file is kept: each round opens the file, compares its size and time with those of the
first round, reads and closes. So nothing is left to close, ten thousand sources need no file
descriptors, forks, threads and pickles need no care, and a file replaced while it is parsed is
noticed. It costs about 15 us a round.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import (
    ChangedSourceError,
    SourceError,
    SourceNotFoundError,
    SourcePermissionError,
)
from virtualizarr.source.answers import answer_from
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.limits import check_requests
from virtualizarr.source.ranges import ByteBlocks, ByteRange

WHOLE_FILE_MAX = 8 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LocalSource:
    """The bytes of one local file; blocking and async, thread-safe, picklable.

    A file of at most `WHOLE_FILE_MAX` bytes is read whole when it is first needed. `facts` has no
    etag: size and modification time say as much, and an inode number would call a faithful copy
    changed. Errors: `SourceNotFoundError`, `SourcePermissionError`, `ChangedSourceError` where the
    file is not the one that the first round saw, `SourceError` for the rest.
    """

    def __init__(self, path: str | os.PathLike[str], url: str | None = None) -> None:
        """Read the file at `path`; `url` names it in errors and defaults to its `file://` URL."""
        self.path = os.path.abspath(path)
        self.url = url if url is not None else Path(self.path).as_uri()
        self._stat: os.stat_result | None = None
        self._content: memoryview | None = None

    def __repr__(self) -> str:
        return f"LocalSource({self.path!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return (LocalSource, (self.path, self.url))

    def facts(self) -> FileFacts:
        if self._stat is None:
            with self._opened():
                pass
        assert self._stat is not None
        modified = _EPOCH + timedelta(microseconds=self._stat.st_mtime_ns // 1000)
        return FileFacts(size=self._stat.st_size, last_modified=modified)

    async def facts_async(self) -> FileFacts:
        return self.facts() if self._stat is not None else await asyncio.to_thread(self.facts)

    def read(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        if self._content is not None:
            return answer_from(self._content, requests)
        with self._opened() as (file, size):
            if size <= WHOLE_FILE_MAX:
                self._content = memoryview(self._read_exactly(file, 0, size))
                return answer_from(self._content, requests)
            check_requests(requests, size)
            return [
                self._read_range(file, request, size)
                if isinstance(request, ByteRange)
                else self._read_blocks(file, request, size)
                for request in requests
            ]

    async def read_async(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        if self._content is not None:
            return answer_from(self._content, requests)
        return await asyncio.to_thread(self.read, requests)

    @contextmanager
    def _opened(self) -> Iterator[tuple[io.FileIO, int]]:
        """Open the file for one round: the file and its size, once it is known to be unchanged."""
        try:
            with open(self.path, "rb", buffering=0, opener=_open_no_wait) as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise SourceError("is not a regular file", url=self.url)
                if self._stat is None:
                    self._stat = found
                elif (found.st_size, found.st_mtime_ns) != (
                    self._stat.st_size,
                    self._stat.st_mtime_ns,
                ):
                    raise ChangedSourceError("the file changed while it was read", url=self.url)
                yield file, found.st_size
        except SourceError:
            raise
        except FileNotFoundError as error:
            raise SourceNotFoundError("there is no such file", url=self.url) from error
        except PermissionError as error:
            raise SourcePermissionError("the file may not be read", url=self.url) from error
        except IsADirectoryError as error:
            raise SourceError("is a directory, not a file", url=self.url) from error
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot be read: {error}", url=self.url) from error

    def _read_range(self, file: io.FileIO, wanted: ByteRange, size: int) -> memoryview:
        start, stop = wanted
        return memoryview(self._read_exactly(file, start, min(stop, size) - start))

    def _read_blocks(self, file: io.FileIO, blocks: ByteBlocks, size: int) -> npt.NDArray[np.uint8]:
        """Read blocks into one array; blocks that follow each other in the file are one read."""
        out = np.empty((len(blocks.starts), blocks.size), np.uint8)
        if not out.size:
            return out
        flat = memoryview(out.reshape(-1))
        starts = np.minimum(blocks.starts, size)
        first = np.flatnonzero(np.diff(starts, prepend=-1 - blocks.size) != blocks.size)
        begins = first * blocks.size
        ends = np.append(begins[1:], out.size)
        stops = np.minimum(starts[first] + (ends - begins), size)
        for start, stop, begin, end in zip(
            starts[first].tolist(), stops.tolist(), begins.tolist(), ends.tolist(), strict=True
        ):
            filled = begin + (stop - start)
            self._read_into(file, start, flat[begin:filled])
            if filled < end:
                out.reshape(-1)[filled:end] = 0
        return out

    def _read_exactly(self, file: io.FileIO, start: int, count: int) -> bytes | bytearray:
        if count <= 0:
            return b""
        data = _pread(file, count, start)
        if len(data) == count:
            return data
        whole = bytearray(count)
        whole[: len(data)] = data
        self._read_into(file, start + len(data), memoryview(whole)[len(data) :])
        return whole

    def _read_into(self, file: io.FileIO, start: int, target: memoryview) -> None:
        """Fill `target` from `start` on; the kernel may answer a large read in parts."""
        while len(target):
            count = _preadv(file, target, start)
            if count == 0:
                raise ChangedSourceError("the file shrank while it was read", url=self.url)
            start += count
            target = target[count:]


def _open_no_wait(path: str, flags: int) -> int:
    """Open without waiting for the writer of a named pipe, which would hang."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


if sys.platform == "win32":

    def _pread(file: io.FileIO, count: int, start: int) -> bytes:
        file.seek(start)
        return os.read(file.fileno(), count)

    def _preadv(file: io.FileIO, target: memoryview, start: int) -> int:
        file.seek(start)
        return file.readinto(target)

else:

    def _pread(file: io.FileIO, count: int, start: int) -> bytes:
        return os.pread(file.fileno(), count, start)

    def _preadv(file: io.FileIO, target: memoryview, start: int) -> int:
        return os.preadv(file.fileno(), [target], start)
