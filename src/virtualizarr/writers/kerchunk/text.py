"""References as one object of text: the hierarchy's keys and values, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import orjson

from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.model.cf_fill import encode_cf_fill
from virtualizarr.model.evidence import OWN_KEY, own_member
from virtualizarr.model.json import Json, to_json
from virtualizarr.writers.kerchunk.entries import Block, Row, entries
from virtualizarr.writers.kerchunk.filled import manifest_for_v2
from virtualizarr.writers.kerchunk.urls import literal_url
from virtualizarr.writers.kerchunk.zarr2 import documents_of


def json_text(blocks: Iterator[Block], own: dict[str, Json] | None) -> Iterator[bytes]:
    """Yield the JSON text of a reference set, a block of references at a time.

    `own` is what the set holds under `OWN_KEY`, before the references, if anything.
    """
    yield b'{"version":1,'
    if own is not None:
        yield b'"%b":%b,' % (OWN_KEY.encode(), dumps(own))
    yield b'"refs":{'
    separator = b""
    for block in blocks:
        if not block:
            continue
        yield separator + dumps(block)[1:-1]
        separator = b","
    yield b"}}"


def reference_blocks(
    group: ManifestGroup, zarr_format: Literal[2, 3], row: Row = list
) -> Iterator[Block]:
    """Yield all references of a tree, each group's before those of the groups in it.

    Byte ranges are of type `row`.
    """
    array_blocks = _v2_array if zarr_format == 2 else _v3_array
    for path, node in walk(group):
        yield _group_documents(node, path, zarr_format)
        for name, array in node.arrays.items():
            try:
                yield from array_blocks(array, f"{path}{name}", row)
            except VirtualizeError as error:
                raise error.located(node=f"{path}{name}") from error.__cause__


def evidence_of(group: ManifestGroup) -> dict[str, Json] | None:
    """Return what is known of the files of a tree, as it is held beside references.

    Raises CombineError where two arrays know contradicting facts of one file.
    """
    locations = (each for _, array in group.walk_arrays() for each in array.manifest.locations)
    return own_member(locations, literal_url)


def walk(group: ManifestGroup) -> Iterator[tuple[str, ManifestGroup]]:
    """Yield every group with what its keys begin with: "" or its path and a slash."""
    todo = [("", group)]
    while todo:
        path, node = todo.pop()
        yield path, node
        todo += [(f"{path}{name}/", child) for name, child in node.groups.items()][::-1]


def dumps(document: Any) -> bytes:
    """Return a document as JSON; UnsupportedFeatureError for what JSON cannot hold."""
    try:
        return orjson.dumps(document)
    except TypeError as error:
        raise UnsupportedFeatureError(f"cannot be written as JSON: {error}") from error


def _group_documents(group: ManifestGroup, path: str, zarr_format: Literal[2, 3]) -> Block:
    attributes = to_json(group.attributes)
    if zarr_format == 2:
        return {f"{path}.zgroup": _text({"zarr_format": 2}), f"{path}.zattrs": _text(attributes)}
    document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    return {f"{path}zarr.json": _text(document)}


def _v2_array(array: ManifestArray, path: str, row: Row) -> Iterator[Block]:
    documents = documents_of(array.metadata)
    yield {
        f"{path}/.zarray": _text(documents.zarray),
        f"{path}/.zattrs": _text(documents.zattrs),
    }
    manifest = manifest_for_v2(array, documents)
    yield from entries(manifest, f"{path}/", ".", f"{path}/0", literal_url, row)


def _v3_array(array: ManifestArray, path: str, row: Row) -> Iterator[Block]:
    metadata = array.metadata
    attributes = encode_cf_fill(metadata.attributes, metadata.dtype)
    yield {f"{path}/zarr.json": _text(metadata.replace(attributes=attributes).to_json())}
    yield from entries(array.manifest, f"{path}/c/", "/", f"{path}/c", literal_url, row)


def _text(document: Any) -> str:
    return dumps(document).decode()
