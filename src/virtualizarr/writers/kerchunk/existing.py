"""How references that are there are kept, so that what is added to them is kept alike."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import orjson

from virtualizarr.source.open import Registry, open_source
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.urls import child_url, normalize_url
from virtualizarr.writers.kerchunk.parquet import METADATA_FILE

UNSIZED = 2**31
_V3 = re.compile(rb'zarr\.json"\s*:')


def settings_of(
    target: str | os.PathLike[str],
    format: str,  # noqa: A002 -- its name in `write`
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Return the options of `write` that references at a path or URL were written with.

    That is `zarr_format` for JSON and `record_size` for Parquet, which has been parsed before.
    Raises what `open_source` raises.
    """
    url = normalize_url(target)
    if format == "json":
        is_v3 = _V3.search(_content(url, registry, storage_options)) is not None
        return {"zarr_format": 3 if is_v3 else 2}
    document = metadata_document(url, registry, storage_options)
    return {"record_size": document["record_size"]}


def metadata_document(
    url: str, registry: Registry | None, storage_options: Mapping[str, Any] | None
) -> Any:
    """Return the decoded metadata file of a directory; JSONDecodeError where it is not JSON."""
    return orjson.loads(
        _content(child_url(url.rstrip("/"), METADATA_FILE), registry, storage_options)
    )


def _content(
    url: str, registry: Registry | None, storage_options: Mapping[str, Any] | None
) -> memoryview:
    source = open_source(url, registry, storage_options, cache=False)
    size = source.facts().size
    (text,) = source.read([ByteRange(0, size if size is not None else UNSIZED)])
    return memoryview(text)
