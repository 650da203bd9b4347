"""Icechunk repositories in tests: written by us, read by icechunk and zarr, and read by us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import zarr

from virtual_groups import FileOfArrays
from virtualizarr.model import INLINE, ArrayMetadata, ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.parsers.driver import Sources, parse_with, stamped
from virtualizarr.parsers.icechunk import IcechunkParser
from virtualizarr.source.local import LocalSource
from virtualizarr.source.open import open_source
from virtualizarr.source.urls import local_path, normalize_url
from virtualizarr.writers.icechunk import open_or_create_repository


def parsed(
    path: Path | str, options: Mapping[str, Any] | None = None, **parser: Any
) -> ManifestGroup:
    """Return what our parser reads from a repository."""
    sources = Sources(lambda url: open_source(url, None, options))
    return parse_with(IcechunkParser(**parser), normalize_url(path), sources)


def urls_of(group: ManifestGroup) -> list[str]:
    """Return the locations that a tree refers to."""
    return sorted({file.url for array in arrays_of(group) for file in array.manifest.locations})


def arrays_of(group: ManifestGroup) -> Iterator[ManifestArray]:
    yield from group.arrays.values()
    for child in group.groups.values():
        yield from arrays_of(child)


def opened(
    path: Path | str, group: ManifestGroup, options: Mapping[str, Any] | None = None
) -> zarr.Group:
    """Return the repository as icechunk and zarr show it, allowed to read the files of `group`."""
    repository = open_or_create_repository(path, urls_of(group), options, create=False)
    return zarr.open_group(repository.readonly_session("main").store, mode="r", zarr_format=3)


def history(path: Path) -> list[str]:
    """Return the ids of the snapshots of "main", the newest first."""
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(path)))
    return [snapshot.id for snapshot in repository.ancestry(branch="main")]


def stamp(group: ManifestGroup, *files: FileOfArrays) -> ManifestGroup:
    """Return the tree with the facts that its files have now, as a parse would have taken them."""
    facts = {each.location.url: LocalSource(each.path).facts() for each in files}
    return stamped(group, facts)


def inline(values: Any, dims: tuple[str, ...], **attributes: Any) -> ManifestArray:
    """Return values as one inline chunk, as loaded variables are given to writers."""
    values = np.asarray(values)
    metadata = ArrayMetadata.create(
        shape=values.shape,
        dtype=values.dtype,
        chunk_shape=values.shape,
        attributes=attributes,
        dimension_names=dims,
    )
    manifest = ChunkManifest.inlined(values.tobytes()).reshape_grid(metadata.grid_shape)
    return ManifestArray(metadata, manifest)


def with_native_inline(group: ManifestGroup) -> ManifestGroup:
    """Return a parsed tree with the repository's own chunk files read and held inline.

    Inline chunks of more than 512 bytes are kept by Icechunk in files of their own.
    """
    arrays = {name: _native_inline(array) for name, array in group.arrays.items()}
    groups = {name: with_native_inline(child) for name, child in group.groups.items()}
    return ManifestGroup(arrays, groups, group.attributes)


def _native_inline(array: ManifestArray) -> ManifestArray:
    manifest = array.manifest
    own = [code for code, file in enumerate(manifest.locations) if "/repo/chunks/" in file.url]
    location, offset, data = manifest.location.copy(), manifest.offset.copy(), manifest.inline
    for cell in map(tuple, np.argwhere(np.isin(manifest.location, own))):
        path = local_path(manifest.locations[manifest.location[cell]].url)
        start, length = int(manifest.offset[cell]), int(manifest.length[cell])
        location[cell], offset[cell] = INLINE, len(data)
        data += Path(path).read_bytes()[start : start + length]
    inlined = ChunkManifest.from_columns(
        manifest.locations, location, offset, manifest.length, data
    )
    return ManifestArray(array.metadata, inlined.compacted())
