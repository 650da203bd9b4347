"""From flat references to a tree of virtual arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ArrayMetadata, ManifestArray, ManifestGroup
from virtualizarr.model.cf_fill import decode_cf_fill
from virtualizarr.parsers.kerchunk.columns import Files, manifest_of
from virtualizarr.parsers.kerchunk.document import metadata_documents
from virtualizarr.parsers.kerchunk.keys import KeyForm, paths_of, positions, runs_by_array
from virtualizarr.parsers.kerchunk.table import ReferenceTable
from virtualizarr.parsers.kerchunk.templates import Templates
from virtualizarr.store.zarr2 import metadata_from_v2, separator_of

ROOT_ARRAY_NAME = "data"
MAX_DEPTH = 64

type Documents = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Which part of the references is wanted: the group at `path`, without `dropped` variables."""

    path: str
    dropped: Collection[str]


def build_tree(
    table: ReferenceTable,
    templates: Templates,
    selection: Selection,
    files: Files,
) -> ManifestGroup:
    """Return the group that is selected, with all below it.

    Groups need no document of their own where arrays lie below them. An array at the very root
    becomes the variable `ROOT_ARRAY_NAME`. Raises CorruptFileError and UnsupportedFeatureError
    naming the key or the array.
    """
    rows = table.metadata_rows()
    documents = metadata_documents({table.name(row): table.value(row) for row in rows})
    v3 = _v3_arrays(documents)
    paths = dict.fromkeys([*paths_of(documents, ".zarray"), *v3])
    owned = runs_by_array(table, rows, paths)
    expanded: dict[str, str] = {}

    def resolve_template(text: str) -> str:
        if text not in expanded:
            expanded[text] = files.resolve(templates.expand(text))
        return expanded[text]

    expanding = replace(files, resolve=resolve_template)

    arrays: dict[str, ManifestArray] = {}
    for path in paths:
        if not is_selected(path, selection):
            continue
        try:
            metadata, form = described(path, documents, is_v3=path in v3)
            runs = owned.get(path, [])
            places = positions(table, runs, form, metadata.grid_shape)
            manifest = manifest_of(table, runs, places, metadata.grid_shape, expanding)
            arrays[path] = ManifestArray(metadata, manifest)
        except VirtualizeError as error:
            raise error.located(node=path) from error.__cause__
    return grown(arrays, group_attributes(documents), selection.path)


def _v3_arrays(documents: Documents) -> dict[str, None]:
    found: dict[str, None] = {}
    for path in paths_of(documents, "zarr.json"):
        kind = documents[_join(path, "zarr.json")].get("node_type")
        if kind not in ("array", "group"):
            raise CorruptFileError(f"a zarr.json of node_type {kind!r}", node=path)
        if kind == "array":
            found[path] = None
    return found


def is_selected(path: str, selection: Selection) -> bool:
    """Say whether the array at `path` is wanted."""
    root = selection.path
    below = not root or path == root or path.startswith(f"{root}/")
    return below and path.rpartition("/")[2] not in selection.dropped


def described(path: str, documents: Documents, *, is_v3: bool) -> tuple[ArrayMetadata, KeyForm]:
    """Return the description of an array and how its keys are spelled; errors as `build_tree`."""
    prefix = _join(path, "")
    if is_v3:
        return _described_v3(documents[_join(path, "zarr.json")], prefix)
    zarray = documents[_join(path, ".zarray")]
    metadata = metadata_from_v2(zarray, documents.get(_join(path, ".zattrs"), {}))
    return metadata, KeyForm(prefix, separator_of(zarray), (f"{prefix}0", prefix))


def _described_v3(document: Mapping[str, Any], prefix: str) -> tuple[ArrayMetadata, KeyForm]:
    metadata = ArrayMetadata.from_json(document)
    metadata = metadata.replace(attributes=decode_cf_fill(metadata.attributes, metadata.dtype))
    encoding = document.get("chunk_key_encoding", {"name": "default"})
    name = encoding.get("name") if isinstance(encoding, Mapping) else encoding
    settings = encoding.get("configuration") if isinstance(encoding, Mapping) else None
    separator = {"default": "/", "v2": "."}.get(str(name))
    if isinstance(settings, Mapping):
        separator = settings.get("separator", separator)
    if separator not in ("/", ".") or name not in ("default", "v2"):
        raise UnsupportedFeatureError(f"chunk_key_encoding {encoding!r:.80}")
    if name == "v2":
        return metadata, KeyForm(prefix, separator, (f"{prefix}0", prefix))
    return metadata, KeyForm(f"{prefix}c{separator}", separator, (f"{prefix}c",))


def group_attributes(documents: Documents) -> dict[str, Mapping[str, Any]]:
    """Return the attributes of every group that has a document, by path."""
    attributes: dict[str, Mapping[str, Any]] = {
        path: documents.get(_join(path, ".zattrs"), {}) for path in paths_of(documents, ".zgroup")
    }
    for path in paths_of(documents, ".zattrs"):
        if _join(path, ".zarray") not in documents:
            attributes.setdefault(path, documents[_join(path, ".zattrs")])
    for path in paths_of(documents, "zarr.json"):
        document = documents[_join(path, "zarr.json")]
        if document.get("node_type") == "group":
            found = document.get("attributes")
            attributes[path] = found if isinstance(found, Mapping) else {}
    return attributes


def grown(
    arrays: Mapping[str, ManifestArray], attributes: Mapping[str, Mapping[str, Any]], root: str
) -> ManifestGroup:
    """Return the group at path `root`, built from the deepest group upwards."""
    if root in arrays:
        name = root.rpartition("/")[2] if root else ROOT_ARRAY_NAME
        return ManifestGroup({name: arrays[root]})
    paths = _group_paths([*attributes, *(path.rpartition("/")[0] for path in arrays)])
    if root not in paths:
        raise UnsupportedFeatureError(f"there is no group {root!r} among the references")
    own_arrays: dict[str, dict[str, ManifestArray]] = {path: {} for path in paths}
    own_groups: dict[str, dict[str, ManifestGroup]] = {path: {} for path in paths}
    for path, array in arrays.items():
        if path in paths:
            raise CorruptFileError("there are nodes below an array", node=path)
        parent, _, name = path.rpartition("/")
        own_arrays[parent][name] = array
    for path in sorted(paths[1:], key=_depth, reverse=True):
        parent, _, name = path.rpartition("/")
        own_groups[parent][name] = ManifestGroup(
            own_arrays[path], own_groups[path], attributes.get(path)
        )
    return ManifestGroup(own_arrays[root], own_groups[root], attributes.get(root))


def _group_paths(paths: Sequence[str]) -> list[str]:
    """Return these paths and all above them, the root first, each once."""
    found = {"": None}
    for path in paths:
        parts = path.split("/") if path else []
        if len(parts) > MAX_DEPTH:
            raise CorruptFileError(f"groups are nested {len(parts)} deep", node=path[:200])
        found.update(dict.fromkeys("/".join(parts[:n]) for n in range(1, len(parts) + 1)))
    return list(found)


def _depth(path: str) -> int:
    return path.count("/")


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
