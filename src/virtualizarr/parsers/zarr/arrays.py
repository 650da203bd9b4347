"""The references of arrays that were described: from listings or from chunk manifests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.model import ChunkManifest, ManifestArray
from virtualizarr.parsers.zarr import json_manifest, parquet_manifest
from virtualizarr.parsers.zarr.columns import manifest_of
from virtualizarr.parsers.zarr.describe import Described
from virtualizarr.parsers.zarr.find import Opened, list_chunks
from virtualizarr.parsers.zarr.keys import chunk_files
from virtualizarr.parsers.zarr.own_chunks import inlined
from virtualizarr.parsers.zarr.places import Found, Place, child_urls, read_whole
from virtualizarr.parsers.zarr.resolve import Origin
from virtualizarr.parsers.zarr.shards import read_inner, sharding_of, split
from virtualizarr.source.reading import Elsewhere, Reading
from virtualizarr.store.chunk_manifest import JSON_TRANSFORMER


def read_arrays(
    opened: Opened, described: Mapping[str, Described], root: str, split_shards: bool
) -> Reading[dict[str, ManifestArray]]:
    """Return the arrays by path; `root` is the store's URL.

    Raises CorruptFileError and UnsupportedFeatureError naming the array.
    """
    native = {path: array for path, array in described.items() if array.transformer is None}
    arrays: dict[str, ManifestArray] = {}
    if native:
        place = yield from list_chunks(opened, native)
        for path, array in native.items():
            try:
                arrays[path] = yield from _from_files(place, path, array, split_shards)
                if array.is_inline and opened.url is not None:
                    arrays[path] = yield from _with_inline(opened.url, path, arrays[path])
            except VirtualizeError as error:
                raise error.located(node=path) from error.__cause__
    manifests = yield from _from_manifests(opened, described, root)
    arrays.update(manifests)
    return {path: arrays[path] for path in described}


def _from_files(
    place: Place, path: str, array: Described, split_shards: bool
) -> Reading[ManifestArray]:
    """Return an array whose chunks are keys of the store."""
    metadata = array.metadata
    folder = f"{path}/" if path else ""
    which, cells = chunk_files(place.names, folder, array.form, metadata.grid_shape)
    rows, wrapping = place.references(which, cells)
    sharding = sharding_of(metadata) if split_shards and wrapping is None else None
    if sharding is not None:
        rows = yield from read_inner(metadata, sharding, place, which, rows)
        metadata = split(metadata, sharding)
    if wrapping is not None:
        metadata = metadata.replace(codecs=(*metadata.codecs, wrapping))
    return ManifestArray(metadata, manifest_of(rows, metadata.grid_shape))


def _with_inline(base: str, path: str, array: ManifestArray) -> Reading[ManifestArray]:
    manifest = yield from inlined(array.manifest, _folder_url(base, path))
    return ManifestArray(array.metadata, manifest)


def _from_manifests(
    opened: Opened, described: Mapping[str, Described], root: str
) -> Reading[dict[str, ManifestArray]]:
    """Return the arrays that have a chunk manifest, all read at once."""
    found: dict[str, ManifestArray] = {}
    held = {path: array for path, array in described.items() if array.transformer is not None}
    if opened.url is None:
        for path, array in held.items():
            found[path] = yield from _from_archive(opened, path, array)
        return found
    beside = root.rpartition("/")[0]
    requests = []
    for path, array in held.items():
        folder = _folder_url(opened.url, path)
        origin = Origin(folder, beside)
        requests.append(Elsewhere(folder, _read_manifest(folder, array, origin)))
    answers = yield requests
    for (path, array), answer in zip(held.items(), answers, strict=True):
        if isinstance(answer, VirtualizeError):
            raise answer.located(node=path)
        found[path] = ManifestArray(array.metadata, answer)
    return found


def _folder_url(base: str, path: str) -> str:
    return child_urls(base, [path])[0] if path else base


def _read_manifest(folder: str, array: Described, origin: Origin) -> Reading[ChunkManifest]:
    assert array.transformer is not None
    _, manifest, locations = array.transformer
    names = [manifest, *([locations] if locations is not None else [])]
    contents = yield [Elsewhere(url, read_whole()) for url in child_urls(folder, names)]
    decoded = _decoded(array, contents, origin)
    return (yield from inlined(decoded, folder))


def _from_archive(opened: Opened, path: str, array: Described) -> Reading[ManifestArray]:
    assert opened.place is not None
    assert array.transformer is not None
    _, manifest, locations = array.transformer
    prefix = f"{path}/" if path else ""
    names = [prefix + manifest, *([prefix + locations] if locations is not None else [])]
    contents = yield from opened.place.whole(names)
    try:
        return ManifestArray(array.metadata, _decoded(array, contents, Origin(None, None)))
    except VirtualizeError as error:
        raise error.located(node=path) from error.__cause__


def _decoded(array: Described, contents: Sequence[Found], origin: Origin) -> ChunkManifest:
    """Return the manifest that a manifest's and, where given, a locations document's text hold."""
    text, *others = [_present(content) for content in contents]
    assert array.transformer is not None
    grid_shape = array.metadata.grid_shape
    if array.transformer[0] == JSON_TRANSFORMER:
        evidence = json_manifest.decode_locations(others[0]) if others else {}
        rows = json_manifest.decode_manifest(text, grid_shape, origin.resolve, evidence)
    else:
        rows = parquet_manifest.decode_manifest(text, grid_shape, origin.resolve)
    if len(rows.cells) and not len(rows.locations):
        raise CorruptFileError("the manifest names no files")
    return manifest_of(rows, grid_shape)


def _present(content: Found) -> memoryview | bytes:
    if isinstance(content, Exception):
        raise content
    return content
