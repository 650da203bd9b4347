"""Vdatas: tables of fixed-size rows as groups of arrays, one for each field."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from virtualizarr.codecs.field import Field
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.parsers.hdf4.coders import CodecJson
from virtualizarr.parsers.hdf4.convert import Conversion, check_present
from virtualizarr.parsers.hdf4.decode import CHARACTERS, field_dtype
from virtualizarr.parsers.hdf4.layout import (
    DFTAG_VS,
    FULL_INTERLACE,
    Extents,
    Vdata,
    VdataField,
)
from virtualizarr.parsers.hdf4.names import node_names
from virtualizarr.parsers.hdf4.placing import Placed, place_parts, place_whole
from virtualizarr.parsers.hdf4.storage import Plain, read_storage
from virtualizarr.source.reading import Reading, together

ROW = "row"
BLOCK_BYTES = 4 * 1024 * 1024
TABLE = -1

type FieldAttributes = Mapping[int, Mapping[str, Any]]


def read_table(
    conversion: Conversion, ref: int, vdata: Vdata, attributes: FieldAttributes
) -> Reading[ManifestGroup]:
    """Return a table: a variable for each field, of (row,) or (row, order).

    `attributes` are those of each field by its number, of the table itself under TABLE. Errors name
    the table: CorruptFileError where rows are missing, UnsupportedFeatureError for numbers that
    numpy does not have, and for tables that are stored compressed.
    """
    try:
        parts = yield from _rows(conversion, ref, vdata)
        found = yield from together(
            [
                _column(conversion, vdata, number, parts, attributes.get(number, {}))
                for number in range(len(vdata.fields))
            ]
        )
    except VirtualizeError as error:
        raise error.located(node=vdata.name) from error.__cause__
    names = node_names([field.name for field in vdata.fields])
    return ManifestGroup(
        dict(zip(names, found, strict=True)), attributes=dict(attributes.get(TABLE, {}))
    )


def _rows(conversion: Conversion, ref: int, vdata: Vdata) -> Reading[Extents]:
    """Return the parts of the file that hold the rows."""
    total = vdata.nvert * vdata.row_bytes
    nothing = Extents(np.empty(0, np.int64), np.empty(0, np.int64))
    if not total or not vdata.fields:
        return nothing
    widest = max(field.offset + field.size for field in vdata.fields)
    if widest > vdata.row_bytes:
        raise CorruptFileError(f"fields need {widest} bytes of a row that has {vdata.row_bytes}")
    if conversion.file.descriptors.find((DFTAG_VS, ref)) < 0:
        raise CorruptFileError(f"the {vdata.nvert} rows of the table are not there")
    storage = yield from read_storage(conversion.file, (DFTAG_VS, ref), conversion.members)
    if not isinstance(storage, Plain) or storage.elsewhere is not None:
        raise UnsupportedFeatureError("a table that is stored compressed or in another file")
    if storage.total < total:
        raise CorruptFileError(f"the table has {storage.total} bytes, {total} are needed")
    parts = storage.extents.within(0, total)
    check_present(parts, conversion.location)
    return parts


def _column(
    conversion: Conversion,
    vdata: Vdata,
    number: int,
    parts: Extents,
    attributes: Mapping[str, Any],
) -> Reading[ManifestArray]:
    field = vdata.fields[number]
    dtype, inner = _element(field)
    if prod(inner) * dtype.itemsize != field.size:
        raise CorruptFileError(
            f"field {field.name!r} has {field.size} bytes for {field.order} of {dtype}"
        )
    shape = (vdata.nvert, *inner)
    row_bytes = vdata.row_bytes
    if vdata.interlace != FULL_INTERLACE:
        parts = parts.within(vdata.nvert * field.offset, vdata.nvert * (field.offset + field.size))
        row_bytes = field.size
    placed = yield from _placed(conversion, parts, vdata.nvert, row_bytes)
    metadata = ArrayMetadata.create(
        shape=shape,
        dtype=dtype,
        chunk_shape=(*placed.chunk_shape, *inner),
        codecs=_codecs(vdata, field),
        attributes=attributes,
        dimension_names=(ROW, *(f"{field.name}_dim{i}" for i in range(1, len(shape)))),
    )
    return ManifestArray(metadata, placed.manifest.reshape_grid(metadata.grid_shape))


def _placed(conversion: Conversion, parts: Extents, count: int, row_bytes: int) -> Reading[Placed]:
    """Return rows as chunks of whole rows: those across two parts of the file are kept inline."""
    if not parts.total:
        return Placed((max(count, 1),), ChunkManifest.empty((1 if count else 0,)))
    if len(parts.offset) == 1:
        most = conversion.chunk_bytes
        block = BLOCK_BYTES if most is None else min(most, BLOCK_BYTES)
        start = int(parts.offset[0])
        return place_whole(conversion.location, start, (count,), row_bytes, block)
    return (
        yield from place_parts(conversion.location, parts, (count,), row_bytes, bytes(row_bytes))
    )


def _element(field: VdataField) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the dtype of a field and the shape of one row of it; characters are a text."""
    if field.kind & 0xFFF in CHARACTERS and field.kind & 0xFFF != CHARACTERS[0]:
        return np.dtype(f"S{max(field.order, 1)}"), ()
    dtype = field_dtype(field.kind)
    return dtype, () if field.order == 1 else (field.order,)


def _codecs(vdata: Vdata, field: VdataField) -> list[CodecJson]:
    if vdata.interlace != FULL_INTERLACE or field.size == vdata.row_bytes or not vdata.nvert:
        return []
    codec = Field(vdata.row_bytes, field.offset, field.size)
    return [{"name": codec.name, "configuration": codec.configuration()}]
