"""Columns of tables of fixed-size rows, as arrays whose chunks are blocks of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from virtualizarr.codecs.field import COPY, FLIP, Field
from virtualizarr.model import (
    AffineRun,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
)
from virtualizarr.parsers.fits.chunking import codec_json, contiguous_array, even_length

BLOCK_BYTES = 4 * 1024 * 1024
ROW = "row"


@dataclass(frozen=True, slots=True)
class Rows:
    """`count` rows of `row_bytes` bytes each, from byte `at` on; chunks hold `block` rows."""

    location: Location
    at: int
    count: int
    row_bytes: int
    chunk_bytes: int | None

    @property
    def block(self) -> int:
        if self.chunk_bytes is None:
            return max(self.count, 1)
        most = max(1, min(self.chunk_bytes, BLOCK_BYTES) // max(self.row_bytes, 1))
        return even_length(max(self.count, 1), most)


@dataclass(frozen=True, slots=True)
class Column:
    """A field of every row.

    `offset` and `width` in bytes; `kind`, `size`, `null`, `scale`, `zero` and `decimals` as the
    field codec takes them; `dtype` and `inner` of what it makes of one row.
    """

    name: str
    offset: int
    width: int
    kind: str
    size: int
    dtype: np.dtype[Any]
    inner: tuple[int, ...]
    attributes: Mapping[str, Any]
    null: str | None = None
    scale: float = 1.0
    zero: float = 0.0
    decimals: int = 0

    def field(self, row_bytes: int) -> Field:
        """Return the codec that picks the column from rows of `row_bytes` bytes."""
        return Field(
            row_bytes,
            self.offset,
            self.width,
            self.kind,
            self.size,
            self.null,
            self.scale,
            self.zero,
            pad=True,
            decimals=self.decimals,
        )


def column_array(rows: Rows, column: Column) -> ManifestArray:
    """Return a column as an array of (row, ...); it reads whole rows and keeps its field."""
    shape = (rows.count, *column.inner)
    dims = (ROW, *(f"{column.name}_dim{i}" for i in range(1, len(shape))))
    if column.width == rows.row_bytes and column.kind in (COPY, FLIP):
        packed = prod(column.inner) * column.dtype.itemsize == column.width
        if packed:
            return contiguous_array(
                rows.location,
                rows.at,
                shape,
                column.dtype,
                flip=column.kind == FLIP,
                chunk_bytes=rows.chunk_bytes,
                attributes=column.attributes,
                dims=dims,
            )
    block = rows.block
    codecs = [codec_json(column.field(rows.row_bytes))] if column.width > 0 else []
    metadata = ArrayMetadata.create(
        shape=shape,
        dtype=column.dtype,
        chunk_shape=(block, *column.inner),
        codecs=codecs,
        attributes=column.attributes,
        dimension_names=dims,
    )
    grid_shape = metadata.grid_shape
    if column.width == 0:
        return ManifestArray(metadata, ChunkManifest.empty(grid_shape))
    step = block * rows.row_bytes
    lengths = np.full(grid_shape[:1], step, np.uint64)
    if lengths.size:
        lengths[-1] = rows.count * rows.row_bytes - step * (len(lengths) - 1)
    lengths = lengths.reshape(-1, *(1,) * len(column.inner))
    steps = (step, *(0,) * len(column.inner))
    manifest = ChunkManifest.single_file(
        rows.location,
        AffineRun(rows.at, steps, grid_shape),
        np.broadcast_to(lengths, grid_shape),
    )
    return ManifestArray(metadata, manifest)
