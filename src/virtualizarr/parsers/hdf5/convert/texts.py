"""Variable-length strings and object references: values that are read and kept inline, as text.

The strings lie in global heaps; a reference holds the address of an object, which means nothing
outside of the file, so it becomes the object's path. Each chunk of the dataset becomes an inline
chunk encoded as `vlen-utf8`; a dataset that is not chunked becomes one. A chunk that was never
written stays missing, with the fill value, which is the empty string where the file gives none.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, ManifestArray
from virtualizarr.parsers.hdf5.convert.attributes import path_of
from virtualizarr.parsers.hdf5.convert.build import array_of, data_size
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.elements import element_of
from virtualizarr.parsers.hdf5.convert.pipeline import decode_chunk, pipeline_of
from virtualizarr.parsers.hdf5.decode_fields import UNDEFINED
from virtualizarr.parsers.hdf5.index import ChunkedData, ChunkIndex, read_chunk_index
from virtualizarr.parsers.hdf5.layout import (
    ChunkedLayout,
    CompactLayout,
    ContiguousLayout,
    Dataset,
    DataspaceType,
    FillState,
)
from virtualizarr.parsers.hdf5.layout_datatype import (
    Array,
    Datatype,
    Padding,
    Reference,
    VariableLength,
)
from virtualizarr.parsers.hdf5.read import read_vlen, through_cache_image
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

MAX_GROWTH = 16
"""How many times the file's size its strings may take, for elements may share a heap object."""

SPARE_BYTES = 16 * 1024 * 1024

type Text = VariableLength | Reference

type StoredChunks = list[tuple[int, bytes]]
"""The chunks present: position in the chunk grid, and descriptors of all elements."""


def read_texts(file: OpenFile, dataset: Dataset) -> Reading[ManifestArray]:
    """Return a dataset of variable-length strings, or of references to objects, with values inline.

    Bytes that are not UTF-8 are read as Latin-1. A reference to no object is the empty string.
    Raises UnsupportedFeatureError if the texts take far more bytes than the file or lie in other
    files.
    """
    datatype, element = _base_of(dataset.datatype), element_of(dataset.datatype)
    if dataset.dataspace.type is DataspaceType.NULL:
        return array_of(dataset, element, shape=(0,), chunk_shape=(1,))
    shape = dataset.dataspace.shape
    if isinstance(dataset.layout, ChunkedLayout):
        chunk_shape = dataset.layout.chunk_shape
        chunks = yield from _read_chunks(file, dataset, dataset.layout)
    else:
        chunk_shape = shape
        chunks = yield from _read_block(file, dataset)
    array = array_of(dataset, element, shape=shape, chunk_shape=chunk_shape)
    grid = array.metadata.grid_shape
    if len(chunks) < prod(grid) or None in dataset.dataspace.max_shape:  # it may be lengthened
        fill = yield from _read_fill(file, dataset, datatype)
        array = ManifestArray(array.metadata.replace(fill_value=fill), array.manifest)
    if not chunks:
        return array
    texts = yield from _read_texts(file, datatype, b"".join(data for _, data in chunks))
    count = len(chunks[0][1]) // datatype.size
    encoded = [encode_texts(texts[at : at + count]) for at in range(0, len(texts), count)]
    manifest = _inlined(encoded, [cell for cell, _ in chunks], grid)
    return ManifestArray(array.metadata, manifest)


def _base_of(datatype: Datatype) -> Text:
    """Return the type of a dataset's texts, of which its elements may be arrays."""
    while isinstance(datatype, Array):
        datatype = datatype.base
    assert isinstance(datatype, VariableLength | Reference)
    return datatype


def _read_block(file: OpenFile, dataset: Dataset) -> Reading[StoredChunks]:
    """Return the descriptors of a dataset that is not chunked, as its only chunk."""
    size = data_size(dataset)
    match dataset.layout:
        case CompactLayout(data=data) if size:
            if len(data) < size:
                raise CorruptFileError(f"compact data of {len(data)} bytes, {size} are declared")
            return [(0, data[:size])]
        case ContiguousLayout(address=int(address)) if size and not dataset.external_files:
            file.check_extent(address, size, "contiguous data")
            (data,) = yield [ByteRange(address, address + size)]
            return [(0, _whole(data, size, address))]
        case CompactLayout() | ContiguousLayout() if not dataset.external_files:
            return []
        case _:
            raise UnsupportedFeatureError("variable-length strings or references in other files")


def _read_chunks(file: OpenFile, dataset: Dataset, layout: ChunkedLayout) -> Reading[StoredChunks]:
    """Return the descriptors of all chunks present, filters undone."""
    space, sizes = dataset.dataspace, file.superblock.sizes
    if len(layout.chunk_shape) != len(space.shape):
        raise CorruptFileError(f"chunks {layout.chunk_shape} do not fit shape {space.shape}")
    pipeline = pipeline_of(dataset.filters, dataset.datatype.size)
    data = ChunkedData(layout, space.shape, space.max_shape, bool(dataset.filters))
    index = yield from through_cache_image(
        file.superblock, read_chunk_index(data, sizes, file.size)
    )
    size = prod(layout.chunk_shape) * dataset.datatype.size
    limit = SPARE_BYTES + (file.size if file.size is not None else 0) * MAX_GROWTH
    if size * len(index) > limit:
        raise UnsupportedFeatureError(
            f"{len(index)} chunks of {size} bytes of strings or references"
        )
    rows = list(zip(*(each.tolist() for each in _columns(index)), strict=True))
    blocks = yield [ByteRange(address, address + stored) for _, address, stored, _ in rows]
    return [
        (cell, decode_chunk(pipeline, mask, _whole(block, stored, address), size))
        for (cell, address, stored, mask), block in zip(rows, blocks, strict=True)
    ]


def _columns(index: ChunkIndex) -> tuple[npt.NDArray[np.integer[Any]], ...]:
    return index.cell, index.address, index.size, index.filter_mask


def _whole(data: memoryview, size: int, address: int) -> bytes:
    if len(data) < size:
        raise CorruptFileError(f"{len(data)} of {size} bytes are in the file", at=address)
    return bytes(data)


def _read_fill(file: OpenFile, dataset: Dataset, datatype: Text) -> Reading[str]:
    fill = dataset.fill_value
    if fill.state is not FillState.USER_DEFINED or not fill.value or not any(fill.value):
        return ""
    if len(fill.value) != dataset.datatype.size:
        raise CorruptFileError(f"a string's fill value has {len(fill.value)} bytes")
    texts = yield from _read_texts(file, datatype, fill.value)
    if len(set(texts)) != 1:
        raise UnsupportedFeatureError("a fill value that differs within an array element")
    return texts[0]


def _read_texts(file: OpenFile, datatype: Text, stored: bytes) -> Reading[list[str]]:
    """Return the texts that stored elements stand for, all heaps in one batch."""
    if isinstance(datatype, Reference):
        return _paths(file, datatype, stored)
    columns = np.frombuffer(stored, datatype.descriptor_dtype())
    length, known = columns["length"], file.size
    limit = SPARE_BYTES + MAX_GROWTH * (known if known is not None else 0)
    present = (columns["address"] != 0) & (length != 0)
    total = int(length[present].sum(dtype=np.uint64)) * datatype.base.size
    if total > limit:
        raise UnsupportedFeatureError(f"strings of {total} bytes in a file of {known}")
    values = yield from read_vlen(
        file.superblock, length, columns["address"], columns["index"], datatype.base.size
    )
    return [decode_text(value, datatype.padding) for value in values]


def _paths(file: OpenFile, datatype: Reference, stored: bytes) -> list[str]:
    """Return the paths of the objects that references lead to."""
    addresses = np.frombuffer(stored, datatype.numpy_dtype())
    base, undefined = file.superblock.sizes.base, UNDEFINED[datatype.size]
    return [
        "" if address in (0, undefined) else path_of(address + base, file.paths)
        for address in addresses.tolist()
    ]


def decode_text(value: bytes, padding: Padding) -> str:
    """Return stored text without its padding; Latin-1 if it is not UTF-8."""
    if padding is Padding.SPACE_PAD:
        value = value.rstrip(b" ")
    elif b"\0" in value:
        value = value.partition(b"\0")[0]
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def encode_texts(texts: Sequence[str]) -> bytes:
    """Encode strings as Zarr's `vlen-utf8` does: a count, then length and bytes of each."""
    parts = [struct.pack("<I", len(texts))]
    for text in texts:
        data = text.encode()
        parts += (struct.pack("<I", len(data)), data)
    return b"".join(parts)


def _inlined(
    encoded: Sequence[bytes], cells: Sequence[int], grid: tuple[int, ...]
) -> ChunkManifest:
    location = np.full(prod(grid), MISSING, np.uint32)
    offset = np.zeros(prod(grid), np.uint64)
    length = np.zeros(prod(grid), np.uint64)
    sizes = np.array([len(chunk) for chunk in encoded], np.uint64)
    location[cells] = INLINE
    offset[cells] = np.cumsum(sizes) - sizes
    length[cells] = sizes
    return ChunkManifest.from_columns(
        (), location.reshape(grid), offset.reshape(grid), length.reshape(grid), b"".join(encoded)
    )
