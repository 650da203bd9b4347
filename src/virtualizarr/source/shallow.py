"""The names directly in a directory or prefix: enough to tell which kind of store it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from obstore.store import HTTPStore, LocalStore

from virtualizarr.errors import SourceError, SourcePermissionError
from virtualizarr.source.background import REQUESTS
from virtualizarr.source.open import Registry, path_in, resolve
from virtualizarr.source.translate import CLIENT_ERRORS, translated
from virtualizarr.source.urls import local_path, redact


def names_at(
    canonical: str,
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> frozenset[str]:
    """Return the names of files and directories in the one at a canonical URL.

    Empty where there is no directory, and where the store cannot list. Raises `SourceError` for
    other failures, and what `resolve` raises.
    """
    if registry is None and canonical.startswith("file://"):
        return _local(local_path(canonical), canonical)
    store, path = resolve(canonical, registry, storage_options)
    if isinstance(store, LocalStore):
        return _local(path_in(store, path), canonical)
    if isinstance(store, HTTPStore) or not hasattr(store, "list_with_delimiter"):
        return frozenset()
    prefix = path.strip("/")
    try:
        REQUESTS.start()
        found = store.list_with_delimiter(prefix if prefix else None)
    except CLIENT_ERRORS as error:
        if isinstance(error, SourceError):
            raise
        raise translated(error, redact(canonical)) from None
    paths = [str(meta["path"]) for meta in found["objects"]] + list(found["common_prefixes"])
    return frozenset(str(each).rstrip("/").rpartition("/")[2] for each in paths)


def _local(path: str, url: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except PermissionError as error:
        raise SourcePermissionError("the directory may not be listed", url=url) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be listed: {error}", url=url) from error
