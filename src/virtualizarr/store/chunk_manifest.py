"""Names of the chunk-manifest formats, which their writer and their reader share.

Specification: `docs/chunk-manifest.md`, after zarr-specs #287. An array of such a store names its
manifest in `storage_transformers`; chunks that the manifest does not name are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.json import Json

JSON_TRANSFORMER = "chunk-manifest-json"
PARQUET_TRANSFORMER = "chunk-manifest-parquet"
TRANSFORMERS = (JSON_TRANSFORMER, PARQUET_TRANSFORMER)

INLINE_KEY = "inline_chunks"
"""A member of an array's document, which other readers ignore: its chunks were inline chunks."""

SCALAR_KEYS = ("0", "c", "")
"""Spellings of the one chunk key of an array without axes; the first is written."""

HERE = "./"
"""Paths that begin so are relative to the array's directory in the store, others to the directory
that the store lies in."""

COLUMNS = (
    *("chunk", "path", "offset", "length"),
    *("size", "etag", "last_modified", "unmodified_since"),
)
"""The columns of the Parquet form, of which the first four are needed."""


def transformer_json(name: str, manifest: str, locations: str | None) -> dict[str, Json]:
    """Return a member of `storage_transformers`; the files lie in the array's directory.

    `locations` is the file of what was known of the files referred to, None where there is none.
    """
    files: dict[str, Json] = {"manifest": HERE + manifest}
    if locations is not None:
        files["locations"] = HERE + locations
    return {"name": name, "configuration": files}


def transformer_of(document: Mapping[str, Any]) -> tuple[str, str, str | None] | None:
    """Return the transformer's name, the manifest and the locations of an array's document.

    The files are paths below the array's directory. None for an array without a manifest. Raises
    UnsupportedFeatureError for another transformer, CorruptFileError for a malformed one and for
    paths that leave the array's directory.
    """
    transformers = document.get("storage_transformers")
    if not transformers:
        return None
    if not isinstance(transformers, list) or not isinstance(transformers[0], Mapping):
        raise CorruptFileError(f"storage_transformers are {transformers!r:.80}")
    name, settings = transformers[0].get("name"), transformers[0].get("configuration")
    if len(transformers) > 1 or name not in TRANSFORMERS:
        raise UnsupportedFeatureError(f"storage transformers {transformers!r:.80}")
    if not isinstance(settings, Mapping) or not isinstance(settings.get("manifest"), str):
        raise CorruptFileError(f"the transformer {name} names no manifest: {settings!r:.80}")
    locations = settings.get("locations")
    if locations is not None and not isinstance(locations, str):
        raise CorruptFileError(f"the storage transformer {name} has locations {locations!r:.80}")
    return (
        str(name),
        path_below(settings["manifest"]),
        path_below(locations) if locations is not None else None,
    )


def path_below(path: str) -> str:
    """Return a relative path without its leading "./"; CorruptFileError where it may lead out."""
    parts = path.removeprefix(HERE).split("/")
    climbs = any(part in ("", ".", "..") for part in parts)
    if climbs or not set(path).isdisjoint(":\\\0"):
        raise CorruptFileError(f"the path {path!r:.200} does not lie below the array's directory")
    return "/".join(parts)
