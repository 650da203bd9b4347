"""From a URL to a source: which store serves it, and under which path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, unquote

from obstore.store import LocalStore

from virtualizarr.errors import SourceError, VirtualizeError
from virtualizarr.source.base import AnySource
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.guarded_web import guarded_store
from virtualizarr.source.local import LocalSource
from virtualizarr.source.object_store import ObjectSource
from virtualizarr.source.stores import store_for
from virtualizarr.source.urls import WEB_SCHEMES, local_path, normalize_url, redact, split_url


class Registry(Protocol):
    """What is needed of an `obspec_utils.registry.ObjectStoreRegistry`."""

    def resolve(self, url: str) -> tuple[Any, str]: ...


def open_source(
    url: str | os.PathLike[str],
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
    *,
    cache: bool = True,
    may_follow: Callable[[str], None] | None = None,
) -> AnySource:
    """Return a source for the file at `url`; no request is sent yet.

    Without a `registry` the store is built from the URL, `storage_options` (obstore's
    configuration keys, such as `skip_signature`, `region`, `endpoint`) and the environment. With
    one, only what is registered is opened, and `storage_options` must be None. Local files are
    read directly. Small ones are kept in memory, and what is read of others, unless `cache` is
    False (for single reads of chunks). With `may_follow`, a file on a web server is read by a
    client that asks it about every redirect.

    Raises `SourceError` for a malformed URL, one that carries credentials, or one that is not
    registered; `UnsupportedFeatureError` for a scheme without a store.
    """
    canonical = normalize_url(url)
    if registry is None and canonical.startswith("file://"):
        return LocalSource(local_path(canonical), canonical, keep=cache)
    store: Any
    if may_follow is not None and registry is None and split_url(canonical).scheme in WEB_SCHEMES:
        store, path = guarded_store(canonical, storage_options, may_follow), canonical
    else:
        store, path = resolve(canonical, registry, storage_options)
    if isinstance(store, LocalStore):
        return LocalSource(path_in(store, path), canonical, keep=cache)
    source = ObjectSource(store, path, canonical)
    return CachingSource(source) if cache else source


def resolve(
    canonical: str, registry: Registry | None, storage_options: Mapping[str, Any] | None
) -> tuple[Any, str]:
    """Return the store for a canonical URL and the decoded path in it; errors as `open_source`."""
    try:
        parts = split_url(canonical)
        if registry is None:
            if parts.scheme == "file":
                return LocalStore(), parts.path
            return store_for(parts, storage_options)
    except VirtualizeError as error:
        raise error.located(url=redact(canonical)) from None
    if storage_options is not None:
        raise SourceError(
            "storage_options were given together with a registry; set them on its stores",
            url=redact(canonical),
        )
    return _registered(canonical, registry)


def _registered(canonical: str, registry: Registry) -> tuple[Any, str]:
    """Ask the registry, for the decoded URL first: prefixes of stores are not percent-encoded."""
    decoded = unquote(canonical)
    spellings = [canonical] if set(decoded) & set("?#;") else [decoded, canonical]
    for spelling in spellings:
        try:
            store, path = registry.resolve(spelling)
        except ValueError:
            continue
        return store, path if spelling is decoded else unquote(path)
    known = ", ".join(sorted(_prefixes(registry)))
    raise SourceError(
        f"no store is registered for this URL; registered: {known if known else 'nothing'}",
        url=redact(canonical),
    )


def _prefixes(registry: Registry) -> Iterable[str]:
    """Return the URL prefixes of a registry, where it tells them."""
    for key, entry in getattr(registry, "map", {}).items():
        scheme, authority = key
        walk = [("", entry)]
        while walk:
            path, node = walk.pop()
            if node.store is not None:
                yield redact(f"{scheme}://{authority}{quote(path)}")
            walk += [(f"{path}/{name}", child) for name, child in node.children.items()]


def path_in(store: LocalStore, path: str) -> str:
    """Return the local path of `path` in `store`, whose root is its prefix or the file system's.

    Raises `SourceError` for a path that climbs out of the store.
    """
    if ".." in path.split("/"):
        raise SourceError(f"the path {path!r} leaves its store")
    root = str(store.prefix) if store.prefix is not None else ""
    return os.path.join(root, path) if root else local_path(f"file:///{quote(path)}")
