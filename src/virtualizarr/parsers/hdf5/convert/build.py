"""From the parts of a dataset to a ManifestArray."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray, RegularGrid
from virtualizarr.model.dtypes import data_type_of, encode_fill
from virtualizarr.model.json import Json
from virtualizarr.model.metadata import CodecJson, serializer_of
from virtualizarr.parsers.hdf5.convert.elements import Element
from virtualizarr.parsers.hdf5.convert.fill import fill_of
from virtualizarr.parsers.hdf5.layout import Dataset, FillValue

MAX_AXES = 64  # of a numpy array
MAX_CELLS = 1 << 48  # of a grid; its columns take no memory while all chunks are missing


def array_of(
    dataset: Dataset,
    element: Element,
    *,
    shape: tuple[int, ...],
    chunk_shape: Sequence[int],
    codecs: Sequence[CodecJson] = (),
    manifest: ChunkManifest | None = None,
) -> ManifestArray:
    """Return the array of a dataset with `element`s; `codecs` are those of its filters.

    `shape` and `chunk_shape` are the dataset's own; the axes of array elements are put behind them.
    Without a manifest every chunk is missing. A manifest may have any shape of as many cells as the
    grid.
    """
    data_type, inner, fill = _described(element, dataset.fill_value, dataset.datatype.size)
    chunks = tuple([length if length > 0 else 1 for length in (*chunk_shape, *element.axes)])
    metadata = ArrayMetadata(
        (*shape, *element.axes), data_type, RegularGrid(chunks), (*inner, *codecs), fill
    )
    grid = metadata.grid_shape
    if len(grid) > MAX_AXES or prod(grid) > MAX_CELLS:
        raise UnsupportedFeatureError(f"a chunk grid of {grid}")
    if manifest is None:
        return ManifestArray(metadata, ChunkManifest.empty(grid))
    if manifest.shape_chunk_grid != grid:
        manifest = manifest.reshape_grid(grid)
    return ManifestArray(metadata, manifest)


@lru_cache(maxsize=1024)
def _described(
    element: Element, fill: FillValue, size: int
) -> tuple[Json, tuple[CodecJson, ...], Json]:
    """Return the data type, the codecs before any filter, and the fill value, as JSON."""
    dtype = element.dtype
    return (
        data_type_of(dtype),
        (serializer_of(dtype), *element.codecs),
        encode_fill(fill_of(fill, size, element), dtype),
    )


def data_size(dataset: Dataset) -> int:
    """Return the bytes of all elements; CorruptFileError if no file could hold so many."""
    size = prod(dataset.dataspace.shape) * dataset.datatype.size
    if size >= 2**63:
        raise CorruptFileError(f"shape {dataset.dataspace.shape} holds {size} bytes")
    return size
