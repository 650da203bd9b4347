"""The `zarr.json` documents of a tree of virtual arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping

import orjson

from virtualizarr.codecs.bounded import bound
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.model.cf_fill import encode_cf_fill
from virtualizarr.model.json import Json, to_json
from virtualizarr.model.zarr_bridge import check_openable


def array_document(array: ManifestArray, *, limited: bool = False) -> dict[str, Json]:
    """Return an array's `zarr.json`, with CF fill values in attributes as xarray expects them.

    `limited` replaces decompressors by forms that never give more than a chunk's declared size: for
    a reader that serves the document itself, not for documents that are written. It raises what
    `check_openable` raises.
    """
    metadata = array.metadata
    if limited:
        metadata = metadata.replace(codecs=tuple(bound(metadata.codecs)))
        check_openable(metadata)
    return metadata.replace(
        attributes=encode_cf_fill(metadata.attributes, metadata.dtype)
    ).to_json()


def group_document(group: ManifestGroup) -> dict[str, Json]:
    """Return a group's `zarr.json`, without what is below it."""
    return {"zarr_format": 3, "node_type": "group", "attributes": to_json(group.attributes)}


def consolidated_document(
    group: ManifestGroup,
    below: Mapping[str, ManifestArray | ManifestGroup],
    *,
    limited: bool = False,
) -> dict[str, Json]:
    """Return a group's `zarr.json` with the documents of all nodes `below` it, by relative path.

    A reader then needs one request for the metadata of the whole tree. `limited` as in
    `array_document`; where that raises, the group's document stands alone, so that an array that
    cannot be opened costs only itself.
    """
    try:
        documents: dict[str, Json] = {
            path: array_document(node, limited=limited)
            if isinstance(node, ManifestArray)
            else group_document(node)
            for path, node in below.items()
        }
    except (CorruptFileError, UnsupportedFeatureError):
        return group_document(group)
    consolidated: dict[str, Json] = {
        "kind": "inline",
        "must_understand": False,
        "metadata": documents,
    }
    return {**group_document(group), "consolidated_metadata": consolidated}


def dumps(document: Mapping[str, Json]) -> bytes:
    """Return a document as JSON text."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:  # integers of more than 64 bits
        return json.dumps(document).encode()
