"""What the walk finds, in the form of `h5py_view`, and how the two differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from parsers.hdf5.structures.h5py_view import UNREADABLE, plain
from virtualizarr.parsers.hdf5.layout import (
    BrokenObject,
    ChunkedLayout,
    CommittedDatatype,
    CompactLayout,
    ContiguousLayout,
    Dataset,
    DataspaceType,
    ExternalLink,
    Group,
    HardLink,
    Hierarchy,
    SoftLink,
    Superblock,
    Undecoded,
    VirtualLayout,
)
from virtualizarr.parsers.hdf5.layout_datatype import Array, Compound, Reference, VariableLength
from virtualizarr.parsers.hdf5.read import read_superblock, walk
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

KINDS = {Group: "Group", Dataset: "Dataset", CommittedDatatype: "Datatype"}
LAYOUTS = {CompactLayout: 0, ContiguousLayout: 1, ChunkedLayout: 2, VirtualLayout: 3}


def opened(data: bytes, group: str = "/") -> tuple[Superblock, Hierarchy, BytesSource]:
    """Return superblock and hierarchy of the file `data`, and the source that they came from."""
    source = BytesSource(data)
    superblock = run(read_superblock(), source)
    return superblock, run(walk(superblock, group), source), source


def attribute_value(datatype: Any, value: Any) -> Any:
    """Return an attribute's value in `h5py_view.plain`'s form; references become a word."""
    if value is None or isinstance(value, Undecoded):
        return value
    if isinstance(datatype, Reference):
        if np.ndim(value) == 0:
            return "reference"
        return [attribute_value(datatype, each) for each in value]
    if isinstance(datatype, Array):
        return attribute_value(datatype.base, value)
    if isinstance(datatype, Compound):
        if not isinstance(value, np.void):
            return [attribute_value(datatype, each) for each in value]
        return [attribute_value(each.datatype, value[each.name]) for each in datatype.members]
    if isinstance(datatype, VariableLength) and not datatype.is_string:
        nested = value.dtype == object and (len(value) == 0 or isinstance(value[0], np.ndarray))
        if nested and not isinstance(datatype.base, VariableLength):
            return [attribute_value(datatype.base, each) for each in value]
        return attribute_value(datatype.base, value)
    return plain(value)


def differences(hierarchy: Hierarchy, seen: dict[str, Any]) -> list[Any]:
    """Return what `hierarchy` and h5py's view of the same file do not agree on."""
    unread = {path: hierarchy.paths.get(path) for path in seen["unreadable"]}
    found: list[Any] = []
    paths = seen["paths"] | {path: at for path, at in unread.items() if at is not None}
    if hierarchy.paths != paths:
        found.append(("paths", set(hierarchy.paths.items()) ^ set(paths.items())))
    if _links(hierarchy) != seen["links"]:
        found.append(("links", _links(hierarchy), seen["links"]))
    for address, theirs in seen["objects"].items():
        ours = hierarchy.objects.get(address)
        if isinstance(ours, BrokenObject):
            found.append((ours.path, "broken", str(ours.error)))
        elif ours is None or KINDS[type(ours)] != theirs["kind"]:
            found.append((address, ours, theirs["kind"]))
        else:
            found += [(ours.path, *each) for each in _attributes(ours, theirs["attributes"])]
            if isinstance(ours, Dataset):
                found += [(ours.path, *each) for each in _dataset(ours, theirs)]
    return found


def _links(hierarchy: Hierarchy) -> dict[str, Any]:
    links: dict[str, Any] = {}
    for each in hierarchy.objects.values():
        for link in each.links.values() if isinstance(each, Group) else ():
            path = each.path.rstrip("/") + "/" + link.name
            if isinstance(link, SoftLink):
                links[path] = ("soft", link.target)
            elif isinstance(link, ExternalLink):
                links[path] = ("external", link.file, link.target)
            elif not isinstance(link, HardLink):
                links[path] = ("user-defined",)
    return links


def _attributes(ours: Any, theirs: dict[str, Any]) -> list[Any]:
    if set(ours.attributes) != set(theirs):
        return [("attribute names", sorted(ours.attributes), sorted(theirs))]
    found: list[Any] = []
    for name, attribute in ours.attributes.items():
        value = attribute_value(attribute.datatype, attribute.value)
        if theirs[name] != UNREADABLE and value != theirs[name]:
            found.append(("attribute", name, value, theirs[name], attribute.datatype))
    return found


def _dataset(ours: Dataset, theirs: dict[str, Any]) -> list[Any]:
    layout = ours.layout
    null = ours.dataspace.type is DataspaceType.NULL
    virtual = isinstance(layout, VirtualLayout)  # h5py shows what the sources have at this moment
    described = {
        "shape": theirs["shape"] if virtual else None if null else ours.dataspace.shape,
        "max_shape": None if null else ours.dataspace.max_shape,
        "layout": LAYOUTS[type(layout)],
        "chunks": layout.chunk_shape if isinstance(layout, ChunkedLayout) else None,
        "filters": [(each.id, each.client_data) for each in ours.filters],
        "fill": int(ours.fill_value.state),
        "external": [(each.name, each.offset) for each in ours.external_files],
        "sources": [(each.source_file, each.source_dataset) for each in layout.mappings]
        if virtual
        else None,
    }
    if isinstance(layout, ContiguousLayout) and not ours.external_files:
        described["offset"] = layout.address
    return [(key, ours, theirs[key]) for key, ours in described.items() if ours != theirs[key]]
