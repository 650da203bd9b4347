"""Where a writer's bytes go: a local file, replaced in one step, or one object of a store."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from virtualizarr.errors import SourceError, SourceNotFoundError, SourcePermissionError
from virtualizarr.source.open import Registry, path_in, resolve
from virtualizarr.source.urls import local_path, normalize_url, redact

type Content = bytes | Iterable[bytes]


def write_bytes(
    target: str | os.PathLike[str],
    data: Content,
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write `data` (bytes, or pieces of them in order) to a path or URL.

    A reader sees the old file or the new one, never a part: a local file is written beside its
    target, flushed to disk and renamed; a store gets one put. The store is found as by
    `open_source`. Raises `SourceError` where nothing can be written, and what that raises.
    """
    canonical = normalize_url(target)
    if registry is None and canonical.startswith("file://"):
        _replace_file(local_path(canonical), data, canonical)
        return
    store, path = resolve(canonical, registry, storage_options)
    if isinstance(store, LocalStore):
        _replace_file(path_in(store, path), data, canonical)
        return
    try:
        obstore.put(store, path, data if isinstance(data, bytes) else b"".join(data))
    except (BaseError, OSError) as error:
        reason = redact(str(error)).split("\n\nDebug source", 1)[0]
        raise SourceError(f"cannot be written: {reason}", url=redact(canonical)) from None


def _replace_file(path: str, data: Content, url: str) -> None:
    """Write a local file beside `path` and rename it; symbolic links are followed."""
    real = os.path.realpath(path)
    folder, name = os.path.split(real)
    beside = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(6)}.partial")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise _translated(error, url) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(beside, os.stat(real).st_mode & 0o777)
        os.replace(beside, real)
    except BaseException as error:  # also an interrupt must leave nothing beside the target
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError) and not isinstance(error, SourceError):
            raise _translated(error, url) from error
        raise
    _sync_directory(folder)


def _sync_directory(path: str) -> None:
    """Make the rename last, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _translated(error: OSError, url: str) -> SourceError:
    kinds: dict[type[OSError], type[SourceError]] = {
        FileNotFoundError: SourceNotFoundError,
        PermissionError: SourcePermissionError,
    }
    kind = kinds.get(type(error), SourceError)
    reason = "the directory does not exist" if kind is SourceNotFoundError else str(error.strerror)
    return kind(f"cannot be written: {reason}", url=url)
