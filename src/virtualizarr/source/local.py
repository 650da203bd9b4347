"""Files on a local or mounted disk, read with `pread`.

Why not `mmap`: a file that shrinks while it is mapped kills the process (SIGBUS), and nothing can
catch that; `pread` answers short, which becomes an error with a name. It costs 0.5 us a range more.

Why no open file is kept: each round opens the file, compares its size and time with those of the
first round, reads and closes. So nothing is left to close, ten thousand sources need no file
descriptors, forks, threads and pickles need no care, and a file replaced while it is parsed is
noticed. It costs about 20 us a round.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from virtualizarr.errors import (
    ChangedSourceError,
    SourceError,
    SourceIsDirectoryError,
    SourceNotFoundError,
    SourcePermissionError,
    VirtualizeError,
)
from virtualizarr.source.answers import answer_from
from virtualizarr.source.directory import FileList, list_local, names_in_local
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.limits import check_requests
from virtualizarr.source.pread import ShrunkFileError, read_blocks, read_range
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.urls import file_url

WHOLE_FILE_MAX = 8 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class LocalSource:
    """The bytes of one local file; blocking and async, thread-safe, picklable.

    A file of at most `WHOLE_FILE_MAX` bytes is read whole when it is first needed, and kept, unless
    `keep` is False: then every round reads what it asks for, and nothing is kept. `facts` has no
    etag: size and modification time say as much, and an inode number would call a faithful copy
    changed. Errors: `SourceNotFoundError`, `SourcePermissionError`, `ChangedSourceError` where the
    file is not the one that the first round saw, `SourceError` for the rest.
    """

    def __init__(
        self, path: str | os.PathLike[str], url: str | None = None, *, keep: bool = True
    ) -> None:
        """Read the file at `path`; `url` names it in errors and defaults to its `file://` URL."""
        self.path = os.path.abspath(path)
        self._keep = keep
        self.url = url if url is not None else file_url(self.path)
        self._stat: os.stat_result | None = None
        self._facts: FileFacts | None = None
        self._content: memoryview | None = None

    def __repr__(self) -> str:
        return f"LocalSource({self.path!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.path, self.url, self._keep))

    def facts(self) -> FileFacts:
        if self._facts is None:
            with self._opened():
                pass
        assert self._facts is not None
        return self._facts

    async def facts_async(self) -> FileFacts:
        return self._facts if self._facts is not None else await asyncio.to_thread(self.facts)

    def read(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        if self._content is not None:
            return answer_from(self._content, requests)
        with self._opened() as (file, size):
            if size > WHOLE_FILE_MAX or not self._keep:
                check_requests(requests, size)
                return [
                    memoryview(read_range(file, request[0], min(request[1], size) - request[0]))
                    if isinstance(request, ByteRange)
                    else read_blocks(file, request, size)
                    for request in requests
                ]
            content = memoryview(read_range(file, 0, size))
        self._content = content
        return answer_from(content, requests)

    async def read_async(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        if self._content is not None:
            return answer_from(self._content, requests)
        return await asyncio.to_thread(self.read, requests)

    def names_in(self) -> frozenset[str]:
        """Return the names directly in the directory at the path; none where it is none."""
        return names_in_local(self.path)

    def files_below(self) -> FileList:
        """Return the files below the directory at the path; errors as `list_local`."""
        return list_local(self.path, self.url)

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, int]]:
        """Open the file for one round: its descriptor and its size.

        The file is compared with what the first round saw, before and after the reads.
        """
        try:
            file = _open_no_wait(self.path)
            try:
                size = self._same_file(os.fstat(file))
                yield file, size
                self._same_file(os.fstat(file))
            finally:
                os.close(file)
        except VirtualizeError:
            raise
        except ShrunkFileError as error:
            raise ChangedSourceError("the file shrank while it was read", url=self.url) from error
        except FileNotFoundError as error:
            raise SourceNotFoundError("there is no such file", url=self.url) from error
        except PermissionError as error:
            raise SourcePermissionError("the file may not be read", url=self.url) from error
        except IsADirectoryError as error:
            raise SourceIsDirectoryError("is a directory, not a file", url=self.url) from error
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot be read: {error}", url=self.url) from error

    def _same_file(self, found: os.stat_result) -> int:
        if self._stat is None:
            if stat.S_ISDIR(found.st_mode):
                raise IsADirectoryError
            if not stat.S_ISREG(found.st_mode):
                raise SourceError("is not a regular file", url=self.url)
            modified = _EPOCH + timedelta(microseconds=found.st_mtime_ns // 1000)
            self._facts = FileFacts(size=found.st_size, last_modified=modified)
            self._stat = found
        seen = self._stat
        if (found.st_size, found.st_mtime_ns) != (seen.st_size, seen.st_mtime_ns):
            raise ChangedSourceError("the file changed while it was read", url=self.url)
        return found.st_size


def _rebuild(path: str, url: str, keep: bool) -> LocalSource:
    return LocalSource(path, url, keep=keep)


def _open_no_wait(path: str) -> int:
    """Open without waiting for the writer of a named pipe, which would hang."""
    return os.open(path, _FLAGS)
