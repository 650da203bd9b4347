"""kerchunk references: a tree of virtual arrays as a reference set of version 1.

Specification: "References specification" of fsspec/kerchunk. By default the hierarchy in it is Zarr
v2, which every reader of references knows; Zarr v3 on request.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, Literal, overload
from urllib.parse import unquote

import numcodecs
import numpy as np
import orjson

from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import MISSING, ManifestArray, ManifestGroup
from virtualizarr.model.cf_fill import encode_cf_fill
from virtualizarr.model.dtypes import decode_fill
from virtualizarr.model.json import to_json
from virtualizarr.source.open import Registry
from virtualizarr.source.sink import write_bytes
from virtualizarr.writers.kerchunk.entries import Block, encoded_inline, entries, missing_keys
from virtualizarr.writers.kerchunk.zarr2 import Documents, documents_of

MAX_FILLED_BYTES = 4 * 1024 * 1024

__all__ = ["write"]


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
    registry: Registry | None = ...,
    storage_options: Mapping[str, Any] | None = ...,
) -> dict[str, Any] | None: ...
def write(
    group: ManifestGroup,
    target: str | os.PathLike[str] | None = None,
    *,
    format: str | None = None,  # noqa: A002
    zarr_format: Literal[2, 3] = 2,
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Write the tree as kerchunk references.

    `format` is "dict" (returned, nothing is written) or "json" (written to `target`, a path or URL,
    in one step); None chooses by whether there is a target. URLs are written as reference file
    systems read them: percent-encoded on the web only.

    Raises UnsupportedFeatureError, naming the array, for what the format cannot hold and saying
    what can; `SourceError` where the target cannot be written; ValueError for wrong arguments.
    """
    chosen = format if format is not None else "dict" if target is None else "json"
    if zarr_format not in (2, 3):
        raise ValueError(f"zarr_format is {zarr_format!r}, not 2 or 3")
    if chosen == "dict":
        if target is not None:
            raise ValueError('format="dict" returns the references; leave the target out')
        refs: Block = {}
        for block in _blocks(group, zarr_format):
            refs.update(block)
        return {"version": 1, "refs": refs}
    if chosen != "json":
        raise UnsupportedFeatureError(f'kerchunk format {chosen!r}; known are "dict" and "json"')
    if target is None:
        raise ValueError('format="json" needs a target')
    write_bytes(target, _json_text(_blocks(group, zarr_format)), registry, storage_options)
    return None


def _json_text(blocks: Iterator[Block]) -> Iterator[bytes]:
    """Yield the JSON text of a reference set, a block of references at a time."""
    yield b'{"version":1,"refs":{'
    separator = b""
    for block in blocks:
        if not block:
            continue
        try:
            text = orjson.dumps(block)
        except TypeError as error:
            raise UnsupportedFeatureError(f"cannot be written as JSON: {error}") from error
        yield separator + text[1:-1]
        separator = b","
    yield b"}}"


def _blocks(group: ManifestGroup, zarr_format: Literal[2, 3]) -> Iterator[Block]:
    """Yield all references of a tree, each group's before those of the groups in it."""
    array_blocks = _v2_array if zarr_format == 2 else _v3_array
    walk = [("", group)]
    while walk:
        path, node = walk.pop()
        yield _group_documents(node, path, zarr_format)
        for name, array in node.arrays.items():
            try:
                yield from array_blocks(array, f"{path}{name}")
            except VirtualizeError as error:
                raise error.located(node=f"{path}{name}") from error.__cause__
        walk += [(f"{path}{name}/", child) for name, child in node.groups.items()][::-1]


def _group_documents(group: ManifestGroup, path: str, zarr_format: Literal[2, 3]) -> Block:
    attributes = to_json(group.attributes)
    if zarr_format == 2:
        return {f"{path}.zgroup": _text({"zarr_format": 2}), f"{path}.zattrs": _text(attributes)}
    document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return {f"{path}zarr.json": _text(document)}


def _v2_array(array: ManifestArray, path: str) -> Iterator[Block]:
    documents = documents_of(array.metadata)
    yield {
        f"{path}/.zarray": _text(documents.zarray),
        f"{path}/.zattrs": _text(documents.zattrs),
    }
    manifest, prefix, scalar = array.manifest, f"{path}/", f"{path}/0"
    yield from entries(manifest, prefix, ".", scalar, literal_url)
    if documents.missing_reads_right:
        return
    count = int(np.count_nonzero(manifest.location == MISSING))
    if count:
        text = _filled_chunk(array, documents, count)
        yield dict.fromkeys(missing_keys(manifest, prefix, ".", scalar), text)


def _v3_array(array: ManifestArray, path: str) -> Iterator[Block]:
    metadata = array.metadata
    attributes = encode_cf_fill(metadata.attributes, metadata.dtype)
    yield {f"{path}/zarr.json": _text(metadata.replace(attributes=attributes).to_json())}
    yield from entries(array.manifest, f"{path}/c/", "/", f"{path}/c", literal_url)


def _filled_chunk(array: ManifestArray, documents: Documents, count: int) -> str:
    """Return a chunk of nothing but the fill value as an inline value, to stand `count` times.

    Needed where a Zarr v2 reader would take missing chunks for something else. Raises
    UnsupportedFeatureError where that would be too large.
    """
    metadata = array.metadata
    dtype = metadata.dtype
    shape = documents.chunk_shape
    reason = (
        f"{count} chunks are missing and read as {metadata.fill_value!r}, which Zarr v2 cannot say "
        f"next to a mask of {documents.zarray['fill_value']!r}; zarr_format=3 can"
    )
    if prod(shape) * max(dtype.itemsize, 8) > MAX_FILLED_BYTES:
        raise UnsupportedFeatureError(reason)
    fill = decode_fill(metadata.fill_value, dtype)
    chunk: Any = np.full(shape, fill, documents.stored)
    if documents.reversed_axes:
        chunk = np.ascontiguousarray(chunk.T)
    try:
        for config in documents.configs:
            chunk = numcodecs.get_codec(dict(config)).encode(chunk)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UnsupportedFeatureError(reason) from error
    text = encoded_inline(bytes(numcodecs.compat.ensure_bytes(chunk)))
    if len(text) * count > MAX_FILLED_BYTES:
        raise UnsupportedFeatureError(reason)
    return text


def literal_url(url: str) -> str:
    """Return a canonical URL as reference file systems read it: encoded on the web only.

    Raises UnsupportedFeatureError for a path that is not UTF-8.
    """
    if "%" not in url or url.startswith(("http://", "https://")):
        return url
    try:
        return unquote(url, errors="strict")
    except UnicodeDecodeError as error:
        raise UnsupportedFeatureError("the path is not UTF-8", url=url) from error


def _text(document: Any) -> str:
    return orjson.dumps(document).decode()
