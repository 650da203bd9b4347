"""Where Parquet references go: a directory that is empty, or that holds such references."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import orjson

from virtualizarr.errors import SourceError
from virtualizarr.source.open import Registry
from virtualizarr.source.sink_tree import TreeSink, open_tree
from virtualizarr.source.urls import normalize_url, redact
from virtualizarr.writers.kerchunk.existing import metadata_document
from virtualizarr.writers.kerchunk.parquet import METADATA_FILE

_PART = re.compile(r"(?:.*/)?refs\.\d+\.parq", re.DOTALL)


def open_target(
    target: str | os.PathLike[str],
    registry: Registry | None,
    storage_options: Mapping[str, Any] | None,
) -> TreeSink:
    """Return the directory at a path or URL for writing.

    Raises SourceError where something else lies there, which is left alone.
    """
    sink = open_tree(target, registry, storage_options)
    names = set(sink.names)
    url = normalize_url(target).rstrip("/")
    unfinished = all(map(_PART.fullmatch, names))
    if unfinished or (METADATA_FILE in names and _is_ours(url, registry, storage_options)):
        return sink
    raise SourceError(
        "what is there are no Parquet references, and it is not replaced; remove it or write "
        "elsewhere",
        url=redact(url),
    )


def _is_ours(
    url: str, registry: Registry | None, storage_options: Mapping[str, Any] | None
) -> bool:
    """Say whether the metadata of a directory are those of Parquet references."""
    try:
        document = metadata_document(url, registry, storage_options)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, Mapping) and "record_size" in document
