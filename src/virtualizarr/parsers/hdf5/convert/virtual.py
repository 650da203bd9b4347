"""Virtual datasets (III.E): chunks of other datasets, where the mapping keeps them whole.

A source that does not exist, file or dataset, leaves the fill value, as in libhdf5. An unlimited
mapping reaches as far as its source does (libhdf5's view "last available"); `%b` in a name stands
for the numbers of blocks, counted until a source is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from virtualizarr.errors import (
    CorruptFileError,
    SourceNotFoundError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import ManifestArray
from virtualizarr.parsers.hdf5.convert.build import array_of
from virtualizarr.parsers.hdf5.convert.context import MAX_FILES, OpenFile
from virtualizarr.parsers.hdf5.convert.elements import Element
from virtualizarr.parsers.hdf5.convert.opening import open_file
from virtualizarr.parsers.hdf5.convert.placing import Piece, placed, recut
from virtualizarr.parsers.hdf5.convert.selections import AxisSelection, axes_of
from virtualizarr.parsers.hdf5.convert.urls import beside
from virtualizarr.parsers.hdf5.layout import Dataset, NoneSelection, VirtualLayout, VirtualMapping
from virtualizarr.parsers.hdf5.read import resolve
from virtualizarr.source.reading import Elsewhere, Reading, together

BLOCKS_AT_ONCE = 32
"""Numbered sources that are looked for in one round."""

type ReadArray = Callable[[OpenFile, Dataset], Reading[ManifestArray]]
type Source = tuple[str, str]  # file name and path, as the mapping has them


def read_virtual(
    file: OpenFile,
    dataset: Dataset,
    element: Element,
    layout: VirtualLayout,
    read_array: ReadArray,
) -> Reading[ManifestArray]:
    """Return a virtual dataset as references to the chunks of its sources.

    Raises UnsupportedFeatureError if a chunk of a source is mapped in part, or sources differ in
    type, chunk shape or codecs.
    """
    if element.axes:
        raise UnsupportedFeatureError("virtual datasets of array elements")
    mappings = [m for m in layout.mappings if not isinstance(m.virtual_selection, NoneSelection)]
    numbered = [m for m in mappings if "%b" in m.source_file + m.source_dataset]
    plain = [m for m in mappings if m not in numbered]
    named = {(m.source_file, m.source_dataset) for m in plain}
    sources = yield from _read_sources(file, sorted(named), read_array)
    shape = dataset.dataspace.shape
    pieces = [
        _piece(source, axes_of(m.virtual_selection, shape), m)
        for m in plain
        if (source := sources[m.source_file, m.source_dataset]) is not None
    ]
    for mapping in numbered:
        pieces += yield from _read_numbered(file, mapping, shape, read_array)
    for axis, limit in enumerate(dataset.dataspace.max_shape):
        if limit is None and pieces:
            reach = max(piece.target[axis].stop for piece in pieces)
            shape = (*shape[:axis], reach, *shape[axis + 1 :])
    empty = array_of(dataset, element, shape=shape, chunk_shape=shape)
    try:
        return placed(empty, pieces)
    except UnsupportedFeatureError as refusal:
        try:
            return placed(empty, recut(pieces))
        except (UnsupportedFeatureError, ValueError):
            raise refusal from None


def _piece(
    source: ManifestArray, target: tuple[AxisSelection, ...], mapping: VirtualMapping
) -> Piece:
    """Return a mapping with the ends it left open filled in from the source's extent."""
    taken = axes_of(mapping.source_selection, source.shape)
    open_source = [axis for axis, each in enumerate(taken) if each.count is None]
    open_target = [axis for axis, each in enumerate(target) if each.count is None]
    if len(open_source) > 1 or len(open_target) != len(open_source):
        raise UnsupportedFeatureError("a virtual dataset with more than one open end")
    if open_source:
        axis, other = open_source[0], open_target[0]
        first = taken[axis]
        if first.stride != first.block:
            raise UnsupportedFeatureError("a source taken with gaps, without an end")
        elements = max(0, source.shape[axis] - first.start)
        taken = _changed(taken, axis, first.cut(elements))
        target = _changed(target, other, target[other].cut(elements))
    for each, extent in zip(taken, source.shape, strict=True):
        if each.stop > extent:
            raise CorruptFileError(f"a selection ends at {each.stop} of {extent} elements")
    return Piece(source, taken, target)


def _changed(
    axes: tuple[AxisSelection, ...], axis: int, value: AxisSelection
) -> tuple[AxisSelection, ...]:
    return (*axes[:axis], value, *axes[axis + 1 :])


def _read_numbered(
    file: OpenFile, mapping: VirtualMapping, shape: tuple[int, ...], read_array: ReadArray
) -> Reading[list[Piece]]:
    """Return the pieces of a mapping with `%b` in a name, up to the first missing source."""
    target = axes_of(mapping.virtual_selection, shape)
    axes = [axis for axis, each in enumerate(target) if each.count is None]
    if len(axes) != 1:
        raise UnsupportedFeatureError("a virtual dataset of numbered sources without an open end")
    axis, pieces = axes[0], list[Piece]()
    while True:
        first = len(pieces)
        names = [_numbered(mapping, n) for n in range(first, first + BLOCKS_AT_ONCE)]
        found = yield from _read_sources(file, names, read_array)
        for number, name in enumerate(names, first):
            source = found[name]
            if source is None:
                return pieces
            block = _changed(target, axis, target[axis].nth(number))
            pieces.append(_piece(source, block, mapping))


def _numbered(mapping: VirtualMapping, number: int) -> Source:
    both = (mapping.source_file, mapping.source_dataset)
    name, path = (text.replace("%b", str(number)).replace("%%", "%") for text in both)
    return name, path


def _read_sources(
    file: OpenFile, names: Sequence[Source], read_array: ReadArray
) -> Reading[dict[Source, ManifestArray | None]]:
    """Return the source datasets, None for those that do not exist."""
    found: dict[Source, ManifestArray | None] = dict.fromkeys(names)
    here: dict[Source, Reading[ManifestArray]] = {}
    other: dict[Source, Elsewhere] = {}
    for source in names:
        name, path = source
        url = file.url if name == "." else beside(file.url, name)
        local = resolve(file.hierarchy, path) if url == file.url else None
        if isinstance(local, Dataset):
            here[source] = _read_local(file, local, read_array)
        elif url != file.url or file.hierarchy.ancestors:
            reading = _read_source(url, path, file.trail, read_array)
            other[source] = Elsewhere(url, reading)
    answers = (yield list(other.values())) if other else []
    for source, answer in zip(other, answers, strict=True):
        missing = isinstance(answer, SourceNotFoundError) or type(answer) is VirtualizeError
        if isinstance(answer, VirtualizeError) and not missing:
            raise answer
        found[source] = None if missing else answer
    arrays = yield from together(list(here.values()))
    return {**found, **dict(zip(here, arrays, strict=True))}


def _read_local(file: OpenFile, dataset: Dataset, read_array: ReadArray) -> Reading[ManifestArray]:
    place = (file.url, dataset.path)
    if place in file.trail or len(file.trail) > MAX_FILES:
        raise CorruptFileError("a virtual dataset is its own source", node=dataset.path)
    return (yield from read_array(replace(file, trail=(*file.trail, place)), dataset))


def _read_source(
    url: str, path: str, trail: tuple[tuple[str, str], ...], read_array: ReadArray
) -> Reading[ManifestArray]:
    path = "/" + path.strip("/")
    if (url, path) in trail or len(trail) > MAX_FILES:
        raise CorruptFileError("a virtual dataset is its own source", node=path)
    file = yield from open_file(url, path, trail)
    root = file.hierarchy.root
    if not isinstance(root, Dataset):
        raise VirtualizeError("is not a dataset", node=path)
    return (yield from read_array(file, root))
