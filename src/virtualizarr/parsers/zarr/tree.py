"""From arrays and attributes by path to a tree of groups."""

from __future__ import annotations

from collections.abc import Mapping

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.zarr.documents import Nodes

ROOT_ARRAY_NAME = "data"


def grown(arrays: Mapping[str, ManifestArray], nodes: Nodes, group: str) -> ManifestGroup:
    """Return the tree of nodes by their paths.

    Groups above an array need no documents of their own. Where the root is an array, it becomes
    the one variable of a group, under the last part of the path `group`, or `ROOT_ARRAY_NAME`.
    """
    if "" in nodes and nodes[""].is_array:
        name = group.rpartition("/")[2] if group else ROOT_ARRAY_NAME
        return ManifestGroup({name: arrays[""]})
    paths = _group_paths(nodes)
    own_arrays: dict[str, dict[str, ManifestArray]] = {path: {} for path in paths}
    own_groups: dict[str, dict[str, ManifestGroup]] = {path: {} for path in paths}
    for path in nodes:
        if nodes[path].is_array and path in paths:
            raise CorruptFileError("there are nodes below an array", node=path)
    for path, array in arrays.items():
        parent, _, name = path.rpartition("/")
        own_arrays[parent][name] = array
    for path in sorted(paths, key=lambda path: path.count("/"), reverse=True):
        if path:
            parent, _, name = path.rpartition("/")
            own_groups[parent][name] = _group(path, nodes, own_arrays, own_groups)
    return _group("", nodes, own_arrays, own_groups)


def _group(
    path: str,
    nodes: Nodes,
    arrays: Mapping[str, Mapping[str, ManifestArray]],
    groups: Mapping[str, Mapping[str, ManifestGroup]],
) -> ManifestGroup:
    attributes = nodes[path].attributes if path in nodes else None
    return ManifestGroup(arrays[path], groups[path], attributes)


def _group_paths(nodes: Nodes) -> list[str]:
    """Return the paths of all groups, those without documents too, in the order of the nodes."""
    found = {"": None}
    for path, node in nodes.items():
        parts = path.split("/") if path else []
        whole = len(parts) + (0 if node.is_array else 1)
        found.update(dict.fromkeys("/".join(parts[:n]) for n in range(1, whole)))
    return list(found)
