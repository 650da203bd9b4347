"""All files below a directory or prefix, as columns: what a listing of a store tells.

The facts are in the form in which a source gives them, so that a file which is read later can be
compared with what the listing said.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from obstore.store import HTTPStore, MemoryStore

from virtualizarr.errors import (
    SourceError,
    SourceNotFoundError,
    SourcePermissionError,
    UnsupportedFeatureError,
)
from virtualizarr.source.background import REQUESTS
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import Int64s
from virtualizarr.source.translate import CLIENT_ERRORS, translated

MAX_DEPTH = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class FileList:
    """Files below a directory, sorted by name.

    `names` are relative to the directory, with "/" between their parts, and not percent-encoded.
    The other columns have one entry a name: `sizes` in bytes, `etags` and `modified` None where
    they are not known.
    """

    names: Sequence[str]
    sizes: Int64s
    etags: Sequence[str | None]
    modified: Sequence[datetime | None]

    def facts(self, row: int) -> FileFacts:
        """Return what is known of one file."""
        return FileFacts(int(self.sizes[row]), self.etags[row], self.modified[row])

    @classmethod
    def of(cls, rows: Sequence[tuple[str, FileFacts]]) -> FileList:
        """Return the columns of named facts, whose sizes are known."""
        ordered = sorted(rows, key=lambda row: row[0])
        sizes = (facts.size for _, facts in ordered)
        return cls(
            [name for name, _ in ordered],
            np.fromiter((0 if size is None else size for size in sizes), np.int64, len(ordered)),
            [facts.etag for _, facts in ordered],
            [facts.last_modified for _, facts in ordered],
        )


def list_local(path: str, url: str) -> FileList:
    """Return the regular files below a local directory; symbolic links are followed.

    Raises `SourceNotFoundError`, `SourcePermissionError`, or `SourceError` where `path` is no
    directory or directories are nested without end.
    """
    try:
        return FileList.of(list(_walk(path)))
    except FileNotFoundError as error:
        raise SourceNotFoundError("there is no such directory", url=url) from error
    except PermissionError as error:
        raise SourcePermissionError("the directory may not be listed", url=url) from error
    except NotADirectoryError as error:
        raise SourceError("is a file, not a directory", url=url) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be listed: {error}", url=url) from error


def _walk(root: str) -> Iterator[tuple[str, FileFacts]]:
    todo = [(root, "", 0)]
    while todo:
        folder, prefix, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise OSError(f"directories are nested more than {MAX_DEPTH} deep")
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir():
                    todo.append((entry.path, f"{name}/", depth + 1))
                    continue
                try:
                    found = entry.stat()
                except FileNotFoundError:  # a dangling link, or removed just now
                    continue
                if stat.S_ISREG(found.st_mode):
                    modified = _EPOCH + timedelta(microseconds=found.st_mtime_ns // 1000)
                    yield name, FileFacts(found.st_size, None, modified)


def names_in_local(path: str) -> frozenset[str]:
    """Return the names directly in a local directory; none where there is no directory."""
    try:
        return frozenset(os.listdir(path))
    except (OSError, ValueError):
        return frozenset()


def names_in_store(store: Any, path: str, url: str) -> frozenset[str]:
    """Return the names directly below the prefix `path`; none where the store cannot list.

    Raises `SourceError` for a failure.
    """
    if isinstance(store, HTTPStore) or not hasattr(store, "list_with_delimiter"):
        return frozenset()
    prefix = path.strip("/")
    try:
        REQUESTS.start()
        found = store.list_with_delimiter(prefix if prefix else None)
    except CLIENT_ERRORS as error:
        if isinstance(error, SourceError):
            raise
        raise translated(error, url) from None
    paths = [*found["common_prefixes"], *(meta["path"] for meta in found["objects"])]
    return frozenset(str(one).rstrip("/").rpartition("/")[2] for one in paths)


def list_store(store: Any, path: str, url: str) -> FileList:
    """Return the objects below the prefix `path` of a store; none where there is nothing.

    Modification times are in whole seconds, as the responses that bring objects have them. Raises
    `UnsupportedFeatureError` for a store that cannot list, `SourceError` for a failure.
    """
    if isinstance(store, HTTPStore) or not hasattr(store, "list"):
        raise UnsupportedFeatureError("the store cannot list files", url=url)
    prefix = path.strip("/")
    skip = len(prefix) + 1 if prefix else 0
    exact = isinstance(store, MemoryStore)
    try:
        REQUESTS.start()
        pages = store.list(prefix if prefix else None)
        rows = [(str(meta["path"])[skip:], _facts(meta, exact)) for page in pages for meta in page]
    except CLIENT_ERRORS as error:
        if isinstance(error, SourceError):
            raise
        raise translated(error, url) from None
    return FileList.of([row for row in rows if row[0]])


def _facts(meta: Any, exact: bool) -> FileFacts:
    modified: datetime | None = meta["last_modified"]
    if modified is not None and modified.timestamp() <= 0:
        modified = None
    if modified is not None and not exact:
        modified = modified.replace(microsecond=0)
    return FileFacts(meta["size"], meta["e_tag"], modified)
