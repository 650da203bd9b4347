"""Zarr v3 stores with chunk manifests: each array names the files that its chunks lie in.

Specification: `docs/chunk-manifest.md`, after zarr-specs #287. Inline chunks become ordinary chunk
objects, so arrays that were loaded can be read by any Zarr reader.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import orjson

from virtualizarr.errors import SourceError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import INLINE, ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.model.columns import offsets_of, thin
from virtualizarr.model.evidence import facts_json
from virtualizarr.model.json import Json
from virtualizarr.source.open import Registry
from virtualizarr.source.sink import Content
from virtualizarr.source.sink_tree import TreeSink, open_tree
from virtualizarr.source.urls import normalize_url, redact
from virtualizarr.store.chunk_manifest import (
    INLINE_KEY,
    JSON_TRANSFORMER,
    PARQUET_TRANSFORMER,
    transformer_json,
)
from virtualizarr.store.documents import consolidated_document, dumps
from virtualizarr.store.nodes import DOCUMENT, Tree, subtree
from virtualizarr.store.secrets import refuse_secrets
from virtualizarr.writers.zarr.json_text import manifest_text
from virtualizarr.writers.zarr.parquet import has_pyarrow, manifest_parquet
from virtualizarr.writers.zarr.paths import Paths, object_keys

COLUMNAR_FROM = 100_000
STORE_DOCUMENTS = (DOCUMENT, ".zgroup", ".zarray", ".zmetadata")

__all__ = ["write"]


def write(
    group: ManifestGroup,
    target: str | os.PathLike[str],
    *,
    mode: Literal["w-", "w"] = "w-",
    columnar: bool | None = None,
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write the tree as a Zarr v3 store at `target`, a path or URL.

    `mode` "w-" refuses to touch what is there, "w" replaces it if it is a Zarr store. `columnar`
    says whether manifests are Parquet files (True, needs pyarrow) or JSON (False); None takes
    Parquet for arrays of more than `COLUMNAR_FROM` references, where pyarrow is installed. A local
    store is replaced in one step; of a store of objects the root document is replaced last.

    Raises UnsupportedFeatureError, naming the node, for what Zarr cannot hold; `SourceError` where
    the target is taken, cannot be written or holds what the references lead to, or where a URL
    carries credentials; ValueError for a mode that does not exist.
    """
    if mode not in ("w-", "w"):
        raise ValueError(f"mode is {mode!r}, not 'w-' or 'w'")
    refuse_secrets(group)
    url = normalize_url(target).rstrip("/")
    sink = open_tree(target, registry, storage_options)
    is_taken = _check_target(sink, redact(url), mode)
    if is_taken:
        _check_not_within(group, url)
    generation = f".{secrets.token_hex(4)}" if is_taken and not sink.is_atomic else ""
    tree = Tree(group)
    for path in (*tree.groups, *tree.arrays):
        _check_name(path)
    plans = {path: _plan(array, columnar, generation) for path, array in tree.arrays.items()}
    root = consolidated_document(group, subtree(tree, ""))
    documents: Any = root["consolidated_metadata"]
    for path, plan in plans.items():
        documents["metadata"][path].update(plan)
    below = documents["metadata"].items()
    sink.write(
        _files(tree, plans),
        ((f"{path}/{DOCUMENT}", dumps(document)) for path, document in below),
        [(DOCUMENT, dumps(root))],
    )


def _check_target(sink: TreeSink, url: str, mode: str) -> bool:
    """Say whether there is a store to be replaced; raise SourceError where that is not wanted."""
    names = set(sink.names)
    if not names:
        return False
    if mode == "w-":
        raise SourceError("there is something already; mode='w' replaces a Zarr store", url=url)
    if names.isdisjoint(STORE_DOCUMENTS):
        raise SourceError(
            "what is there is no Zarr store, and is not replaced; remove it or write elsewhere",
            url=url,
        )
    return True


def _check_not_within(group: ManifestGroup, url: str) -> None:
    """Refuse to replace a store that the references lead into: its chunks would be gone."""
    for path, array in group.walk_arrays():
        for location in array.manifest.locations:
            if location.url.startswith(f"{url}/"):
                raise SourceError(
                    "the references lead into the store that would be replaced: write elsewhere",
                    url=redact(url),
                    node=path,
                )


def _check_name(path: str) -> None:
    for name in path.split("/") if path else ():
        if name in ("", ".", "..", DOCUMENT) or "\0" in name:
            raise UnsupportedFeatureError(f"Zarr allows no node named {name!r}", node=path)


type Plan = dict[str, Json]


def _plan(array: ManifestArray, columnar: bool | None, generation: str) -> Plan:
    """Return the members of an array's document that say how its chunks are held."""
    manifest = array.manifest
    codes = thin(manifest.location)
    if not bool((codes < INLINE).any()):
        return {INLINE_KEY: {"must_understand": False}} if (codes == INLINE).any() else {}
    if columnar is None:
        columnar = manifest.nrefs > COLUMNAR_FROM and has_pyarrow()
    if columnar:
        file, name = f"manifest{generation}.parquet", PARQUET_TRANSFORMER
        return {"storage_transformers": [transformer_json(name, file, None)]}
    locations = f"locations{generation}.json" if any(map(facts_json, manifest.locations)) else None
    transformer = transformer_json(JSON_TRANSFORMER, f"manifest{generation}.json", locations)
    return {"storage_transformers": [transformer]}


def _files(tree: Tree, plans: Mapping[str, Plan]) -> Iterator[tuple[str, Content]]:
    """Yield the files of all arrays but their documents: chunks and manifests."""
    for path, array in tree.arrays.items():
        try:
            for name, content in _array_files(array.manifest, plans[path]):
                yield f"{path}/{name}", content
        except VirtualizeError as error:
            raise error.located(node=path) from error.__cause__


def _array_files(manifest: ChunkManifest, plan: Plan) -> Iterator[tuple[str, Content]]:
    yield from _chunk_objects(manifest)
    transformers: Any = plan.get("storage_transformers")
    if transformers is None:
        return
    paths = Paths.of(manifest)
    (transformer,) = transformers
    files = {key: name[2:] for key, name in transformer["configuration"].items()}
    if transformer["name"] == PARQUET_TRANSFORMER:
        yield files["manifest"], manifest_parquet(manifest, paths)
        return
    yield files["manifest"], manifest_text(manifest, paths)
    if "locations" in files:
        known = {location.url: facts_json(location) for location in manifest.locations}
        yield (
            files["locations"],
            orjson.dumps({url: facts for url, facts in known.items() if facts}),
        )


def _chunk_objects(manifest: ChunkManifest) -> Iterator[tuple[str, Content]]:
    """Yield the inline chunks."""
    if not (thin(manifest.location) == INLINE).any():
        return
    cells = np.flatnonzero(manifest.location.reshape(-1) == INLINE)
    starts = offsets_of(manifest.offset_column).reshape(-1)[cells].tolist()
    lengths = manifest.length.reshape(-1)[cells].tolist()
    keys = object_keys(manifest.shape_chunk_grid, cells)
    for key, start, length in zip(keys, starts, lengths, strict=True):
        yield key, manifest.inline[start : start + length]
