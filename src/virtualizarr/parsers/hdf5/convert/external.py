"""External raw data: a contiguous dataset whose bytes lie in other files (IV.A.2.h)."""

from __future__ import annotations

from math import gcd, prod

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ChunkManifest, Location, ManifestArray
from virtualizarr.parsers.hdf5.convert.build import array_of, data_size
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.elements import Element
from virtualizarr.parsers.hdf5.convert.urls import beside
from virtualizarr.parsers.hdf5.layout import Dataset
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.reading import Elsewhere, Reading, Stat


def read_external(file: OpenFile, dataset: Dataset, element: Element) -> Reading[ManifestArray]:
    """Return references into the external files, which are looked for beside the HDF5 file.

    Where the data are in several files the array is cut along its first axis, so that no chunk
    spans two. Raises UnsupportedFeatureError if the files do not end at whole rows.
    """
    shape, size = dataset.dataspace.shape, data_size(dataset)
    if size == 0:
        return array_of(dataset, element, shape=shape, chunk_shape=shape)
    bounds, offsets = _segments(dataset, size)
    names = [beside(file.url, each.name) for each in dataset.external_files[: len(offsets)]]
    urls = tuple(dict.fromkeys(names))
    facts = yield [Elsewhere(url, read_facts()) for url in urls]
    locations = tuple(
        Location(url, known.size, known.etag, known.last_modified)
        if isinstance(known, FileFacts)
        else Location(url)
        for url, known in zip(urls, facts, strict=True)
    )
    row = size // shape[0] if shape else size
    if any(bound % row for bound in bounds):
        raise UnsupportedFeatureError("external files that end within a row of the first axis")
    part = gcd(*(int(bound) for bound in bounds))
    start = np.arange(size // part, dtype=np.int64) * part
    segment = np.searchsorted(bounds, start, side="right")
    first = np.array([0, *bounds[:-1]], np.int64)
    offset = np.array(offsets, np.int64)[segment] + start - first[segment]
    code = np.array([urls.index(name) for name in names], np.uint32)[segment]
    grid = (size // part, *[1] * (len(shape) - 1)) if shape else ()
    manifest = ChunkManifest.from_columns(
        locations,
        code.reshape(grid),
        offset.astype(np.uint64).reshape(grid),
        np.broadcast_to(np.uint64(part), grid),
    )
    chunk_shape = (part // row, *shape[1:]) if shape else ()
    return array_of(dataset, element, shape=shape, chunk_shape=chunk_shape, manifest=manifest)


def read_facts() -> Reading[FileFacts]:
    """Return what is known of a file."""
    (facts,) = yield [Stat()]
    known: FileFacts = facts
    return known


def _segments(dataset: Dataset, size: int) -> tuple[list[int], list[int]]:
    """Return where each used segment ends in the data, and where it starts in its file."""
    bounds: list[int] = []
    offsets: list[int] = []
    end = 0
    for each in dataset.external_files:
        if end >= size:
            break
        if each.size == 0:
            raise UnsupportedFeatureError("an external file of no bytes among others")
        end = min(end + each.size, size) if each.size is not None else size
        bounds.append(end)
        offsets.append(each.offset)
    if end < size:
        raise CorruptFileError(f"external files hold {end} of {size} bytes")
    if prod(dataset.dataspace.shape) > 0 and max(offsets) >= 2**63:
        raise CorruptFileError(f"an external file's data start at byte {max(offsets)}")
    return bounds, offsets
