"""kerchunk references: a tree of virtual arrays as a reference set of version 1.

Specification: "References specification" of fsspec/kerchunk. By default the hierarchy in it is Zarr
v2, which every reader of references knows; Zarr v3 on request, in JSON.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, overload

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ManifestGroup
from virtualizarr.model.evidence import OWN_KEY
from virtualizarr.source.open import Registry
from virtualizarr.source.sink import write_bytes
from virtualizarr.store.secrets import refuse_secrets
from virtualizarr.writers.kerchunk.directory import open_target
from virtualizarr.writers.kerchunk.entries import Block
from virtualizarr.writers.kerchunk.parquet import METADATA_FILE, Layout, parquet_files
from virtualizarr.writers.kerchunk.text import evidence_of, json_text, reference_blocks

RECORD_SIZE = 100_000
CATEGORICAL_THRESHOLD = 10
PARQUET_SUFFIXES = (".parquet", ".parq")

__all__ = ["CATEGORICAL_THRESHOLD", "RECORD_SIZE", "write"]


@overload
def write(
    group: ManifestGroup,
    target: None = None,
    *,
    format: Literal["dict"] = ...,
    zarr_format: Literal[2, 3] = ...,
) -> dict[str, Any]: ...
@overload
def write(
    group: ManifestGroup,
    target: str | os.PathLike[str] | None = None,
    *,
    format: str | None = None,
    zarr_format: Literal[2, 3] = ...,
    record_size: int = ...,
    categorical_threshold: int = ...,
    mode: Literal["w"] | None = ...,
    registry: Registry | None = ...,
    storage_options: Mapping[str, Any] | None = ...,
) -> dict[str, Any] | None: ...
def write(
    group: ManifestGroup,
    target: str | os.PathLike[str] | None = None,
    *,
    format: str | None = None,  # noqa: A002
    zarr_format: Literal[2, 3] = 2,
    record_size: int = RECORD_SIZE,
    categorical_threshold: int = CATEGORICAL_THRESHOLD,
    mode: Literal["w"] | None = None,
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Write the tree as kerchunk references.

    - `format`: "dict" (returned, nothing is written), "json" (a file) or "parquet" (a directory of
      files), at `target`, a path or URL. None chooses: "dict" without a target, "parquet" where its
      name ends in ".parquet" or ".parq", else "json".
    - `record_size`: in Parquet, chunks a file. Readers take a file at a time.
    - `categorical_threshold`: in Parquet, how often a URL must occur in a file, on average, for
      URLs to be written once and numbered.

    - `mode`: a file, and a local directory, at the target are replaced in one step. A directory in
      an object store cannot be, and is refused; with "w" its `.zmetadata` is removed before the
      first file is written and put back after the last, so that readers in between are told.

    What was known of the files when they were parsed (size, etag, times) stands under
    a key of our own, "virtualizarr", which other readers ignore. URLs are written as reference file
    systems read them: percent-encoded on the web only.

    Raises UnsupportedFeatureError, naming the array, for what the format cannot hold and saying
    what can; `SourceError` where the target cannot be written, or for Parquet holds something else;
    AlreadyExistsError for Parquet in an object store, without `mode="w"`; CombineError for a file
    that changed between two parses; MissingDependencyError for Parquet without pyarrow; ValueError
    for wrong arguments.
    """
    refuse_secrets(group)
    chosen = format if format is not None else _format_for(target)
    if mode not in (None, "w"):
        raise ValueError(f"mode is {mode!r}, not None or 'w'")
    if zarr_format not in (2, 3):
        raise ValueError(f"zarr_format is {zarr_format!r}, not 2 or 3")
    if chosen == "dict":
        if target is not None:
            raise ValueError('format="dict" returns the references; leave the target out')
        refs: Block = {}
        for block in reference_blocks(group, zarr_format):
            refs.update(block)
        own = evidence_of(group)
        return {"version": 1, "refs": refs, **({OWN_KEY: own} if own is not None else {})}
    if chosen not in ("json", "parquet"):
        raise UnsupportedFeatureError(
            f'kerchunk format {chosen!r}; known are "dict", "json" and "parquet"'
        )
    if target is None:
        raise ValueError(f'format="{chosen}" needs a target')
    if chosen == "json":
        text = json_text(reference_blocks(group, zarr_format, tuple), evidence_of(group))
        write_bytes(target, text, registry, storage_options)
        return None
    if zarr_format != 2:
        raise UnsupportedFeatureError(
            'Parquet references hold Zarr v2 only; format="json" can hold Zarr v3'
        )
    parts, metadata = parquet_files(group, Layout(record_size, categorical_threshold))
    sink = open_target(target, registry, storage_options, replaces=mode == "w")
    sink.write(parts, metadata, withdrawn=(METADATA_FILE,))
    return None


def _format_for(target: str | os.PathLike[str] | None) -> str:
    if target is None:
        return "dict"
    is_parquet = os.fspath(target).rstrip("/").lower().endswith(PARQUET_SUFFIXES)
    return "parquet" if is_parquet else "json"
