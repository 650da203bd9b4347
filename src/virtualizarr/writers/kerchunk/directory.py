"""Where Parquet references go: a directory that is empty, or that holds such references."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import orjson

from virtualizarr.errors import AlreadyExistsError, SourceError
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
    *,
    replaces: bool,
) -> TreeSink:
    """Return the directory at a path or URL for writing.

    References in an object store, which cannot be exchanged in one step, are replaced only if it
    `replaces`; what a killed writer left there is completed. Raises AlreadyExistsError without, and
    SourceError where something else lies there, which is left alone.
    """
    sink = open_tree(target, registry, storage_options)
    names = set(sink.names)
    url = normalize_url(target).rstrip("/")
    if all(map(_PART.fullmatch, names)):
        return sink
    if METADATA_FILE in names and _is_ours(url, registry, storage_options):
        if sink.is_atomic or replaces:
            return sink
        raise AlreadyExistsError(
            "there are Parquet references, whose files have names that the format fixes, so that "
            "in an object store they cannot be replaced in one step: readers would meet old and "
            "new ones mixed. Write to another prefix, or as JSON, Icechunk or Zarr, which can be "
            "replaced and appended to; mode='w' makes them unreadable while they are replaced",
            url=redact(url),
        )
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
