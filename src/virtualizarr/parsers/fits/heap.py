"""Columns of arrays that vary in length: contiguous ragged arrays, as CF has them (section 9.3.3).

A column `v` becomes `v`, all elements one row after the other, and `v_count`, how many of them each
row has. Where the heap holds them in that order (as writers do) nothing is read or copied; else the
elements are kept inline. Texts become one text per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.field import COPY, TEXT, Field
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray
from virtualizarr.model.inline import positions
from virtualizarr.parsers.fits.chunking import (
    CodecJson,
    codec_json,
    contiguous_array,
    flipping,
)
from virtualizarr.parsers.fits.columns import NUMBERS, HeapColumn
from virtualizarr.parsers.fits.layout import HDU
from virtualizarr.parsers.fits.read import exactly
from virtualizarr.parsers.fits.rows import ROW, Column, Rows, column_array
from virtualizarr.source.ranges import ByteBlocks
from virtualizarr.source.reading import Reading

INLINE_BYTES = 4 * 1024 * 1024
WIDE_ROW = 4096

type Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where each row's elements lie in the file: byte offsets, bytes, and elements."""

    start: Int64s
    nbytes: Int64s
    count: Int64s

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        return self.nbytes > 0

    @property
    def in_order(self) -> bool:
        """Whether the elements of all rows lie one after the other."""
        start, nbytes = self.start[self.present], self.nbytes[self.present]
        return bool((start[1:] == start[:-1] + nbytes[:-1]).all())


def read_descriptors(rows: Rows, offset: int, descriptor: np.dtype[Any]) -> Reading[Int64s]:
    """Return the descriptors of a column: a row for each, of element count and heap offset."""
    width = 2 * descriptor.itemsize
    if rows.row_bytes > WIDE_ROW:
        starts = rows.at + offset + np.arange(rows.count, dtype=np.int64) * rows.row_bytes
        (blocks,) = yield [ByteBlocks(starts, width)]
    else:
        raw = yield from exactly(rows.at, rows.at + rows.count * rows.row_bytes)
        whole = np.frombuffer(raw, np.uint8).reshape(rows.count, rows.row_bytes)
        blocks = np.ascontiguousarray(whole[:, offset : offset + width])
    return np.asarray(blocks).reshape(-1).view(descriptor).reshape(-1, 2).astype(np.int64)


def heap_ranges(hdu: HDU, descriptors: Int64s, bits: int, name: str) -> Ranges:
    """Return where elements of `bits` bits lie; CorruptFileError where they leave the heap."""
    count, offset = descriptors[:, 0], descriptors[:, 1]
    rows, row_bytes = hdu.axes[1], hdu.axes[0]
    heap = hdu.integer("THEAP", rows * row_bytes)
    size = hdu.data_size
    wrong = (count < 0) | (count > size * 8) | (offset < 0) | (offset > size)
    nbytes = -(-np.where(wrong, 0, count) * bits // 8)
    wrong |= (count > 0) & (heap + offset + nbytes > size)
    if heap < 0 or heap > size or wrong.any():
        row = int(np.flatnonzero(wrong)[0]) if wrong.any() else 0
        raise hdu.corrupt(f"row {row} of column {name} lies outside the heap")
    return Ranges(hdu.data_at + heap + offset, nbytes, count)


def heap_arrays(hdu: HDU, rows: Rows, column: HeapColumn) -> Reading[dict[str, ManifestArray]]:
    """Return the arrays of a column of descriptors; at most two rounds."""
    descriptors = yield from read_descriptors(rows, column.offset, column.descriptor)
    bits = {"X": 1, "L": 8, "A": 8}.get(column.letter, 0) or NUMBERS[column.letter].itemsize * 8
    ranges = heap_ranges(hdu, descriptors, bits, column.name)
    if column.letter == "A":
        return {column.name: (yield from _texts(rows, column, ranges))}
    element = f"{column.name}_element"
    width = column.descriptor.itemsize
    count = Column(
        f"{column.name}_count",
        column.offset,
        width,
        COPY,
        1,
        column.descriptor,
        (),
        {"sample_dimension": element},
    )
    values = yield from _elements(rows, column, ranges, element)
    return {column.name: values, count.name: column_array(rows, count)}


def _elements(
    rows: Rows, column: HeapColumn, ranges: Ranges, element: str
) -> Reading[ManifestArray]:
    total = int(ranges.count.sum())
    scaling, attributes = column.scaling, column.attributes
    if column.letter in NUMBERS and (total == 0 or ranges.in_order):
        start = int(ranges.start[ranges.present][0]) if total else rows.at
        return contiguous_array(
            rows.location,
            start,
            (total,),
            scaling.dtype,
            flip=scaling.flip,
            chunk_bytes=rows.chunk_bytes,
            attributes=attributes,
            dims=(element,),
        )
    raw: npt.NDArray[Any] = yield from _gathered(column, ranges)
    codecs: list[CodecJson] = []
    if scaling.flip:
        codecs = flipping(scaling.dtype)
    elif column.letter == "L":
        raw = _logicals(raw)
    elif column.letter == "X":
        spread = np.unpackbits(raw)
        first = (np.cumsum(ranges.nbytes) - ranges.nbytes) * 8
        raw = spread[positions(first, ranges.count)]
    return inline_array(raw.tobytes(), (total,), scaling.dtype, codecs, attributes, (element,))


def _logicals(raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which are true: "T", or 1 where there are only 0 and 1, as some astropy wrote them."""
    legacy = raw.size > 0 and int(raw.max()) == 1
    return np.equal(raw, 1 if legacy else ord("T"))


def _texts(rows: Rows, column: HeapColumn, ranges: Ranges) -> Reading[ManifestArray]:
    size = max(int(ranges.count.max(initial=0)), 1)
    if size * rows.count > INLINE_BYTES:
        raise _too_large(column, size * rows.count)
    raw = yield from _gathered(column, ranges)
    texts = np.zeros((rows.count, size), np.uint8)
    texts[np.arange(size) < ranges.count[:, None]] = raw
    codecs = [codec_json(Field(size, 0, size, TEXT, size))]
    dtype = np.dtype(f"S{size}")
    return inline_array(texts.tobytes(), (rows.count,), dtype, codecs, column.attributes, (ROW,))


def _gathered(column: HeapColumn, ranges: Ranges) -> Reading[npt.NDArray[np.uint8]]:
    """Return the bytes of all rows, one row after the other."""
    present = ranges.present
    if not present.any():
        return np.zeros(0, np.uint8)
    start, nbytes = ranges.start[present], ranges.nbytes[present]
    first, last = int(start.min()), int((start + nbytes).max())
    if max(int(nbytes.sum()), last - first) > INLINE_BYTES:
        raise _too_large(column, int(nbytes.sum()))
    raw = yield from exactly(first, last)
    return np.frombuffer(raw, np.uint8)[positions(start - first, nbytes)]


def _too_large(column: HeapColumn, nbytes: int) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        f"column {column.name}: its arrays of varying length are not stored in the order of the "
        f"rows and need {nbytes:,} bytes, more than the {INLINE_BYTES:,} that are kept inline; "
        f"drop_variables=[{column.name!r}] opens the rest"
    )


def inline_array(
    data: bytes,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    codecs: list[CodecJson],
    attributes: Any,
    dims: tuple[str, ...],
) -> ManifestArray:
    """Return an array of one chunk whose bytes are kept with the references."""
    metadata = ArrayMetadata.create(
        shape=shape,
        dtype=dtype,
        chunk_shape=shape,
        codecs=codecs,
        attributes=attributes,
        dimension_names=dims,
    )
    if 0 in shape:
        return ManifestArray(metadata, ChunkManifest.empty(metadata.grid_shape))
    return ManifestArray(metadata, ChunkManifest.inlined(data).reshape_grid(metadata.grid_shape))
