"""The files that a pattern names, on local disks and in every store that can list.

`*` and `?` match within one part of a path, `[...]` one character of a set, and `**`, as a part of
its own, any number of parts. Local patterns pass over hidden files, as shells do.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from obstore.store import LocalStore

from virtualizarr.errors import SourceNotFoundError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.source.background import REQUESTS
from virtualizarr.source.open import Registry, path_in, resolve
from virtualizarr.source.translate import CLIENT_ERRORS, translated
from virtualizarr.source.urls import (
    WEB_SCHEMES,
    child_url,
    file_url,
    local_path,
    normalize_url,
    redact,
)

_MAGIC = re.compile(r"[*?\[]")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://([^/]*)/?(.*)", re.DOTALL)
_CLASS = re.compile(r"\[(!?)(\]?[^\]]*)\]")


def glob_urls(
    pattern: str | os.PathLike[str],
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return the canonical URLs of the files that match `pattern`, sorted.

    A pattern without wildcards is returned as one URL, unseen. Raises `SourceNotFoundError` naming
    the pattern where nothing matches, `UnsupportedFeatureError` for stores that cannot list.
    """
    text = os.fspath(pattern)
    match = _URL.fullmatch(text)
    if _MAGIC.search(text) is None or (match is None and os.path.exists(text)):
        return [normalize_url(pattern)]
    if match is None:
        path = os.path.abspath(os.path.expanduser(text.removeprefix("file:")))
        found = _local(path, registry, storage_options)
    elif match[1].lower() == "file":
        found = _local(local_path(f"file:///{match[3]}"), registry, storage_options)
    elif match[1].lower() in WEB_SCHEMES:
        if re.search(r"[*\[]", text) is None:
            return [normalize_url(text)]
        raise UnsupportedFeatureError("web servers cannot list files", url=redact(text))
    else:
        found = _remote(match[1], match[2], match[3], registry, storage_options)
    if not found:
        raise SourceNotFoundError("no file matches the pattern", url=redact(text))
    return found


def _local(pattern: str, registry: Registry | None, options: Mapping[str, Any] | None) -> list[str]:
    if registry is not None:
        literal, _ = _split(pattern.lstrip("/"))
        store, path = resolve(file_url(f"/{literal}"), registry, options)
        if not isinstance(store, LocalStore):
            return _listed(store, path, pattern.lstrip("/"), literal, "file://")
    return [file_url(path) for path in sorted(glob.glob(pattern, recursive=True)) if _is_file(path)]


def _remote(
    scheme: str,
    authority: str,
    pattern: str,
    registry: Registry | None,
    options: Mapping[str, Any] | None,
) -> list[str]:
    literal, _ = _split(pattern)
    base = normalize_url(f"{scheme}://{authority}")
    store, path = resolve(child_url(base, literal), registry, options)
    if isinstance(store, LocalStore):
        root = path_in(store, path)
        below = glob.glob(pattern[len(literal) :].lstrip("/"), root_dir=root, recursive=True)
        names = [f"{literal}/{name}".lstrip("/") for name in sorted(below)]
        return [
            child_url(base, name)
            for name, found in zip(names, sorted(below), strict=True)
            if _is_file(os.path.join(root, found))
        ]
    return _listed(store, path, pattern, literal, base)


def _listed(store: Any, path: str, pattern: str, literal: str, base: str) -> list[str]:
    """List `store` below `path`, which is where the URL path `literal` lies in it."""
    wanted = re.compile(_regex(pattern[len(literal) :].lstrip("/")), re.DOTALL)
    flat = "/" not in pattern[len(literal) :].lstrip("/")
    prefix = path.strip("/")
    skip = len(prefix) + 1 if prefix else 0
    try:
        REQUESTS.start()
        keys = [str(meta["path"])[skip:] for meta in _objects(store, prefix, flat)]
    except VirtualizeError:
        raise
    except CLIENT_ERRORS as error:
        raise translated(error, child_url(base, literal)) from None
    matching = sorted(key for key in keys if wanted.fullmatch(key) is not None)
    return [child_url(base, f"{literal}/{key}".lstrip("/")) for key in matching]


def _objects(store: Any, prefix: str, flat: bool) -> Iterable[Any]:
    if flat and hasattr(store, "list_with_delimiter"):
        return list(store.list_with_delimiter(prefix if prefix else None)["objects"])
    if not hasattr(store, "list"):
        raise UnsupportedFeatureError(f"a {type(store).__name__} cannot list files")
    return [meta for page in store.list(prefix if prefix else None) for meta in page]


def _split(pattern: str) -> tuple[str, str]:
    """Split a pattern into the directory before its first wildcard, and the rest."""
    magic = _MAGIC.search(pattern)
    cut = pattern.rfind("/", 0, magic.start() if magic is not None else len(pattern))
    return pattern[: max(cut, 0)], pattern[cut + 1 :]


def _regex(pattern: str) -> str:
    parts = pattern.split("/")
    out = ""
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if part == "**":
            out += ".*" if last else "(?:[^/]+/)*"
        else:
            out += _part_regex(part) + ("" if last else "/")
    return out


def _part_regex(part: str) -> str:
    out = ""
    at = 0
    while at < len(part):
        if (group := _CLASS.match(part, at)) is not None:
            inside = re.sub(r"([\\\[\]^&~|])", r"\\\1", group[2])
            out += f"(?!/)[{'^' if group[1] else ''}{inside}]"
            at = group.end()
            continue
        out += {"*": "[^/]*", "?": "[^/]"}.get(part[at], re.escape(part[at]))
        at += 1
    return out


def _is_file(path: str) -> bool:
    return not os.path.isdir(path)
