"""A store's metadata documents, of Zarr v2 and v3, as nodes by path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.zarr.places import Found

DOCUMENT = "zarr.json"
CONSOLIDATED = ".zmetadata"
V2_DOCUMENTS = (".zarray", ".zgroup", ".zattrs")
DOCUMENTS = (DOCUMENT, *V2_DOCUMENTS)
ROOT_DOCUMENTS = (*DOCUMENTS, CONSOLIDATED)
MAX_DEPTH = 64
_NOT_FINITE = re.compile(rb"NaN|Infinity")

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A group or an array, as its documents describe it.

    `document` is its zarr.json, .zarray or .zgroup; `attributes` are of either version.
    """

    zarr_format: int
    is_array: bool
    document: Json
    attributes: Json


type Nodes = Mapping[str, Node]


def decode(name: str, content: Found) -> Json:
    """Return a document. Raises CorruptFileError naming it, or the error that `content` is."""
    if isinstance(content, Exception):
        raise content
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        document = _decode_leniently(name, bytes(content), error)
    if not isinstance(document, dict):
        raise CorruptFileError("a metadata document must be a JSON object", node=name)
    return document


def _decode_leniently(name: str, raw: bytes, error: orjson.JSONDecodeError) -> Any:
    """Decode what older writers put: NaN and Infinity, which JSON has not."""
    if _NOT_FINITE.search(raw) is not None:
        try:
            document = json.loads(raw)
            json.dumps(document, ensure_ascii=False).encode()  # it lets halves of characters pass
            return document
        except (ValueError, RecursionError):
            pass
    raise CorruptFileError(f"the document is not JSON: {error.msg}", node=name, at=error.pos)


def nodes_of(documents: Mapping[str, Json]) -> dict[str, Node]:
    """Return the nodes that documents, by their keys, describe.

    Where a directory has documents of both versions, those of v3 count.
    """
    nodes: dict[str, Node] = {}
    for key, document in documents.items():
        path, _, name = key.rpartition("/")
        if name in (".zarray", ".zgroup") and f"{path}/{DOCUMENT}".lstrip("/") not in documents:
            attributes = documents.get(f"{path}/.zattrs".lstrip("/"), {})
            if path not in nodes or name == ".zarray":
                nodes[path] = Node(2, name == ".zarray", document, attributes)
        elif name == DOCUMENT:
            nodes[path] = v3_node(path, document)
    return nodes


def v3_node(path: str, document: Json) -> Node:
    """Return the node of a zarr.json; CorruptFileError where it is neither array nor group."""
    kind, attributes = document.get("node_type"), document.get("attributes")
    if kind not in ("array", "group") or document.get("zarr_format") != 3:
        raise CorruptFileError(
            f"a zarr.json of node_type {kind!r:.80} and zarr_format "
            f"{document.get('zarr_format')!r:.80}",
            node=path,
        )
    if attributes is not None and not isinstance(attributes, dict):
        raise CorruptFileError("the attributes are no JSON object", node=path)
    return Node(3, kind == "array", document, attributes if attributes is not None else {})


def consolidated(documents: Mapping[str, Json]) -> dict[str, Node] | None:
    """Return all nodes of a store from the consolidated metadata at its root; None without.

    Raises CorruptFileError where they are malformed.
    """
    root = documents.get(DOCUMENT)
    if root is not None:
        held = root.get("consolidated_metadata")
        if held is None:
            return None
        below = _part(held, DOCUMENT)
        nodes = {path.strip("/"): v3_node(path, document) for path, document in below.items()}
        return {"": v3_node("", root), **nodes}
    if CONSOLIDATED in documents:
        return nodes_of(_part(documents[CONSOLIDATED], CONSOLIDATED))
    return None


def _part(held: Any, name: str) -> Mapping[str, Json]:
    metadata = held.get("metadata") if isinstance(held, dict) else None
    known = isinstance(metadata, dict) and all(isinstance(v, dict) for v in metadata.values())
    if not known:
        raise CorruptFileError("the consolidated metadata are malformed", node=name)
    return metadata  # type: ignore[return-value]


def rebased(nodes: Nodes, group: str) -> dict[str, Node]:
    """Return the nodes at and below `group`, by their path relative to it."""
    if not group:
        return dict(nodes)
    below = f"{group}/"
    return {
        path[len(below) :]: node
        for path, node in nodes.items()
        if path == group or path.startswith(below)
    }


def document_names(names: Iterable[str]) -> list[str]:
    """Return which of a store's keys are metadata documents of nodes."""
    found = [name for name in names if name.endswith(DOCUMENTS)]
    return [name for name in found if name.rpartition("/")[2] in DOCUMENTS]


def check_paths(paths: Sequence[str]) -> None:
    """Raise CorruptFileError for a path that Zarr does not allow, or that is too deep."""
    for path in paths:
        parts = path.split("/") if path else []
        if any(part in ("", ".", "..") for part in parts) or "\0" in path:
            raise CorruptFileError("a node has no valid path", node=path[:200])
        if len(parts) > MAX_DEPTH:
            raise CorruptFileError(f"nodes are nested {len(parts)} deep", node=path[:200])
