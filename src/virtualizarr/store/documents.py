"""The `zarr.json` documents of a tree of virtual arrays."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from virtualizarr.codecs.bounded import bound
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.model.cf_fill import encode_cf_fill
from virtualizarr.model.json import Json, to_json


def array_document(array: ManifestArray, *, limited: bool = False) -> dict[str, Json]:
    """Return an array's `zarr.json`, with CF fill values in attributes as xarray expects them.

    `limited` replaces decompressors by forms that never give more than a chunk's declared size: for
    a reader that serves the document itself, not for documents that are written.
    """
    metadata = array.metadata
    return metadata.replace(
        attributes=encode_cf_fill(metadata.attributes, metadata.dtype),
        codecs=tuple(bound(metadata.codecs)) if limited else metadata.codecs,
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
    `array_document`.
    """
    documents: dict[str, Json] = {
        path: array_document(node, limited=limited)
        if isinstance(node, ManifestArray)
        else group_document(node)
        for path, node in below.items()
    }
    consolidated: dict[str, Json] = {
        "kind": "inline",
        "must_understand": False,
        "metadata": documents,
    }
    return {**group_document(group), "consolidated_metadata": consolidated}


def dumps(document: Mapping[str, Json]) -> bytes:
    """Return a document as JSON text."""
    return orjson.dumps(document)
