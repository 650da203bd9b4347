"""Where a writer's directory goes: a local one, replaced in one step, or a prefix of a store.

A local directory is written beside its target, flushed to disk and then exchanged with it: by one
call of the system on Linux and macOS, elsewhere by two renames, between which nothing is at the
target. A store cannot exchange prefixes. There objects are put one by one, the one that counts
last; a writer that replaces gives new names to what readers of the old state still need.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched, chain
from pathlib import PurePosixPath
from typing import Any, Protocol

import obstore
from obstore.store import LocalStore

from virtualizarr.errors import SourceError, SourceNotFoundError
from virtualizarr.source.directory import list_store
from virtualizarr.source.open import Registry, path_in, resolve
from virtualizarr.source.sink import Content
from virtualizarr.source.translate import CLIENT_ERRORS, translated
from virtualizarr.source.urls import local_path, normalize_url, redact

FLUSHED_SINGLY = 64
PUTS_IN_FLIGHT = 16
_RENAME_EXCHANGE = 2  # renameat2 on Linux; RENAME_SWAP of renamex_np on macOS has the same value
_AT_FDCWD = -100

type File = tuple[str, Content]


class TreeSink(Protocol):
    """A directory that is about to be written."""

    @property
    def names(self) -> Collection[str]:
        """What lies there now: names of files, and where it is local of directories, at its top."""
        ...

    @property
    def is_atomic(self) -> bool:
        """Whether all files change at once; if not, old and new ones lie side by side a while."""
        ...

    def write(self, *phases: Iterable[File], withdrawn: Collection[str] = ()) -> None:
        """Replace all that lies there by files, in phases, one after the other.

        Names may hold "/". Where files do not change at once, the `withdrawn` are removed before
        anything is written. Raises `SourceError` where something cannot be written.
        """
        ...


def open_tree(
    target: str | os.PathLike[str],
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> TreeSink:
    """Return the directory at a path or URL, found as by `open_source`; nothing is written yet.

    Raises what `open_source` raises, and `SourceError` where what lies there cannot be listed.
    """
    canonical = normalize_url(target).rstrip("/")
    if registry is None and canonical.startswith("file://"):
        return LocalTree(local_path(canonical), canonical)
    store, path = resolve(canonical, registry, storage_options)
    if isinstance(store, LocalStore):
        return LocalTree(path_in(store, path), canonical)
    return StoreTree(store, path.strip("/"), redact(canonical))


@dataclass(frozen=True, slots=True)
class LocalTree:
    """A local directory."""

    path: str
    url: str

    @property
    def is_atomic(self) -> bool:
        return True

    @property
    def names(self) -> Collection[str]:
        try:
            return os.listdir(self.path)
        except FileNotFoundError:
            return ()
        except NotADirectoryError as error:
            raise SourceError("is a file, not a directory", url=self.url) from error
        except OSError as error:
            raise _unwritten(error, self.url) from error

    def write(self, *phases: Iterable[File], withdrawn: Collection[str] = ()) -> None:
        del withdrawn
        real = os.path.realpath(self.path)
        folder, name = os.path.split(real)
        beside = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(6)}.partial")
        try:
            os.mkdir(beside)
        except FileNotFoundError as error:
            raise SourceNotFoundError(
                "cannot be written: the directory above does not exist", url=self.url
            ) from error
        except OSError as error:
            raise _unwritten(error, self.url) from error
        try:
            _fill(beside, chain.from_iterable(map(_names_checked, phases)))
            _put_in_place(beside, real)
            _flush(folder)
        except OSError as error:
            if isinstance(error, SourceError):
                raise
            raise _unwritten(error, self.url) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _names_checked(files: Iterable[File]) -> Iterable[File]:
    for name, content in files:
        if not PurePosixPath(name).parts or ".." in name.split("/") or name.startswith("/"):
            raise SourceError(f"{name!r} is no name of a file in a directory")
        yield name, content


def _fill(root: str, files: Iterable[File]) -> None:
    """Write files below a directory and flush them to disk."""
    paths: list[str] = []
    folders = {root: None}
    for name, content in files:
        path = os.path.join(root, *name.split("/"))
        folder = os.path.dirname(path)
        if folder not in folders:
            os.makedirs(folder, exist_ok=True)
            while folder not in folders:
                folders[folder] = None
                folder = os.path.dirname(folder)
        with open(path, "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
        paths.append(path)
    if len(paths) > FLUSHED_SINGLY and hasattr(os, "sync"):
        os.sync()
        return
    for path in (*paths, *folders):
        _flush(path)


def _flush(path: str) -> None:
    """Make what was written to a file or directory last, where the system can."""
    with contextlib.suppress(PermissionError, IsADirectoryError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _put_in_place(new: str, target: str) -> None:
    """Move a directory to where another, or none, is; the other is left in its place."""
    if not os.path.lexists(target):
        os.rename(new, target)
        return
    if _exchanged(new, target):
        return
    old = f"{new}.old"
    os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        os.rename(old, target)
        raise
    os.rename(old, new)


def _exchanged(one: str, two: str) -> bool:
    """Exchange two directories in one step; False where the system or its disk cannot."""
    first, second = os.fsencode(one), os.fsencode(two)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(library.renamex_np(first, second, _RENAME_EXCHANGE) == 0)
        done = library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _RENAME_EXCHANGE)
    except (OSError, AttributeError, TypeError):
        return False
    return bool(done == 0)


@dataclass(frozen=True, slots=True)
class StoreTree:
    """A prefix of an object store."""

    store: Any
    path: str
    url: str

    @property
    def is_atomic(self) -> bool:
        return False

    @property
    def names(self) -> Collection[str]:
        return list_store(self.store, self.path, self.url).names

    def write(self, *phases: Iterable[File], withdrawn: Collection[str] = ()) -> None:
        before = set(self.names)
        written: set[str] = set()
        self._remove(sorted(before & set(withdrawn)))
        with ThreadPoolExecutor(PUTS_IN_FLIGHT) as pool:
            for phase in phases:
                for batch in batched(_names_checked(phase), PUTS_IN_FLIGHT):
                    written.update(name for name, _ in batch)
                    list(pool.map(self._put, batch))
        self._remove(sorted(before - written - set(withdrawn)))

    def _remove(self, names: list[str]) -> None:
        try:
            if names:
                obstore.delete(self.store, [self._key(name) for name in names])
        except CLIENT_ERRORS as error:
            raise translated(error, self.url) from None

    def _put(self, file: File) -> None:
        name, content = file
        try:
            data = content if isinstance(content, bytes) else b"".join(content)
            obstore.put(self.store, self._key(name), data)
        except CLIENT_ERRORS as error:
            if isinstance(error, SourceError):
                raise
            raise translated(error, self.url) from None

    def _key(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


def _unwritten(error: OSError, url: str) -> SourceError:
    return SourceError(f"cannot be written: {error.strerror}", url=url)
