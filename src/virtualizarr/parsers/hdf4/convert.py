"""From variables to virtual arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from virtualizarr.codecs.fill_up import FillUp
from virtualizarr.codecs.hdf4_raster import Hdf4Raster
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import (
    INLINE,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    RegularGrid,
)
from virtualizarr.parsers.hdf4.calibration import cf_attributes
from virtualizarr.parsers.hdf4.coders import CodecJson, RasterCoder
from virtualizarr.parsers.hdf4.external import beside, read_facts
from virtualizarr.parsers.hdf4.layout import Extents, Variable, default_fill
from virtualizarr.parsers.hdf4.placing import Placed, place_parts, place_whole
from virtualizarr.parsers.hdf4.read import OpenFile
from virtualizarr.parsers.hdf4.storage import Chunked, Compressed, Plain, Storage, read_storage
from virtualizarr.parsers.hdf4.variables import Members
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading

FILL, IMAGE_FILL = "_FillValue", "FillValue"
MAX_INLINE_STREAMS = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Conversion:
    """What the conversion of every variable of a file needs."""

    file: OpenFile
    location: Location
    members: Members
    chunk_bytes: int | None
    cf: bool


@dataclass(frozen=True, slots=True)
class Shaped:
    """A variable with the shape that its data give it, and the value of what was not written."""

    variable: Variable
    shape: tuple[int, ...]
    fill: Any

    @property
    def itemsize(self) -> int:
        return self.variable.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.itemsize

    @property
    def fill_bytes(self) -> bytes:
        """The value of what was not written, as it is stored."""
        return bytes(np.array(self.fill).astype(self.variable.dtype).tobytes())

    def array(
        self,
        conversion: Conversion,
        chunk_shape: Sequence[int],
        codecs: Sequence[CodecJson],
        manifest: ChunkManifest | None,
    ) -> ManifestArray:
        """Return the virtual array; without a manifest every chunk is missing."""
        metadata = ArrayMetadata.create(
            shape=self.shape,
            dtype=self.variable.dtype,
            chunk_shape=chunk_shape,
            codecs=codecs,
            fill_value=self.fill,
            attributes=cf_attributes(self.variable.attributes, conversion.cf),
            dimension_names=self.variable.dims,
        )
        if manifest is None or 0 in self.shape:
            manifest = ChunkManifest.empty(metadata.grid_shape)
        return ManifestArray(metadata, manifest)


def to_array(conversion: Conversion, variable: Variable) -> Reading[ManifestArray]:
    """Return the virtual array of a variable; errors name it."""
    try:
        storage: Storage = Plain(Extents(np.empty(0, np.int64), np.empty(0, np.int64)))
        if variable.data is not None:
            storage = yield from read_storage(conversion.file, variable.data, conversion.members)
        shaped = _shaped(variable, storage)
        if variable.raster is not None:
            storage = _as_raster(shaped, variable.raster, storage)
        if isinstance(storage, Plain):
            return (yield from _plain(conversion, shaped, storage))
        if isinstance(storage, Compressed):
            return (yield from _compressed(conversion, shaped, storage))
        return (yield from _chunked(conversion, shaped, storage))
    except VirtualizeError as error:
        raise error.located(node=variable.name) from error.__cause__


def _as_raster(shaped: Shaped, raster: Hdf4Raster, storage: Storage) -> Compressed:
    """Return the stream of an image that its own codec decodes."""
    if not isinstance(storage, Plain) or storage.elsewhere is not None:
        raise UnsupportedFeatureError("an interlaced or compressed image as a special element")
    return Compressed(shaped.nbytes, RasterCoder(raster), storage.extents)


def _shaped(variable: Variable, storage: Storage) -> Shaped:
    shape = variable.shape
    if variable.unlimited and shape:
        row = prod(shape[1:]) * variable.dtype.itemsize
        shape = (storage.total // row if row else 0, *shape[1:])
    if prod(shape) * variable.dtype.itemsize >= 1 << 50:
        raise CorruptFileError(f"an array of shape {shape}")
    return Shaped(variable, shape, _fill(variable, storage))


def _fill(variable: Variable, storage: Storage) -> Any:
    dtype = variable.dtype
    if isinstance(storage, Chunked) and len(storage.fill) == dtype.itemsize:
        return np.frombuffer(storage.fill, dtype)[0]
    declared = variable.attributes.get(IMAGE_FILL if variable.zero else FILL)
    if isinstance(declared, np.generic) and declared.dtype == dtype.newbyteorder("="):
        return declared
    if isinstance(declared, str) and dtype.kind == "S" and len(declared.encode()) <= 1:
        return declared.encode()
    return np.zeros((), dtype)[()] if variable.zero else default_fill(dtype)


def _plain(conversion: Conversion, shaped: Shaped, storage: Plain) -> Reading[ManifestArray]:
    skip = shaped.variable.skip
    parts = storage.extents.within(skip, skip + shaped.nbytes)
    if not parts.total or not shaped.nbytes:
        chunk_shape = (
            place_whole(
                conversion.location, 0, shaped.shape, shaped.itemsize, conversion.chunk_bytes
            ).chunk_shape
            if shaped.nbytes
            else shaped.shape
        )
        return shaped.array(conversion, chunk_shape, [], None)
    location = conversion.location
    if storage.elsewhere is not None:
        url = beside(location.url, storage.elsewhere)
        (facts,) = yield [Elsewhere(url, read_facts())]
        known = facts if isinstance(facts, FileFacts) else FileFacts()
        location = Location(url, known.size, known.etag, known.last_modified)
    check_present(parts, location)
    placed: Placed
    if len(parts.offset) == 1 and parts.total == shaped.nbytes:
        placed = place_whole(
            location, int(parts.offset[0]), shaped.shape, shaped.itemsize, conversion.chunk_bytes
        )
    elif storage.elsewhere is not None:
        raise UnsupportedFeatureError("external data that end before the array does")
    else:
        placed = yield from place_parts(
            location, parts, shaped.shape, shaped.itemsize, shaped.fill_bytes
        )
    return shaped.array(conversion, placed.chunk_shape, [], placed.manifest)


def _compressed(
    conversion: Conversion, shaped: Shaped, storage: Compressed
) -> Reading[ManifestArray]:
    stream = storage.extents
    if not storage.total or not stream.total or not shaped.nbytes:
        return shaped.array(conversion, shaped.shape, [], None)
    check_present(stream, conversion.location)
    length = min(storage.total, shaped.nbytes)
    codecs = storage.coder.codecs(shaped.variable.dtype, length)
    if length < shaped.nbytes:
        codecs = [_fill_up(shaped), *codecs]
    elif not codecs:
        stream = stream.within(0, length)
    offset, size, inline = yield from _streams([stream])
    manifest = ChunkManifest.from_columns(
        (conversion.location,) if inline is None else (),
        np.full(1, 0 if inline is None else INLINE, np.uint32),
        offset,
        size,
        inline if inline is not None else b"",
    )
    return shaped.array(
        conversion, shaped.shape, codecs, manifest.reshape_grid((1,) * len(shaped.shape))
    )


def _streams(streams: Sequence[Extents]) -> Reading[tuple[Any, Any, bytes | None]]:
    """Return offset and length of each stream, in the file; in the third, bytes, if in pieces."""
    size = np.array([stream.total for stream in streams], np.uint64)
    if all(len(stream.offset) == 1 for stream in streams):
        return np.array([stream.offset[0] for stream in streams], np.uint64), size, None
    if int(size.sum()) > MAX_INLINE_STREAMS:
        raise UnsupportedFeatureError(
            f"compressed data of {int(size.sum()):,} bytes in pieces (linked blocks)"
        )
    ranges = [
        ByteRange(int(at), int(at) + int(n))
        for stream in streams
        for at, n in zip(stream.offset, stream.length, strict=True)
    ]
    answers = yield ranges
    return np.cumsum(size) - size, size, b"".join(map(bytes, answers))


def _chunked(conversion: Conversion, shaped: Shaped, storage: Chunked) -> Reading[ManifestArray]:
    shape, chunk_shape = shaped.shape, storage.chunk_shape
    if shaped.variable.zero:
        if storage.lengths != shape[: len(storage.lengths)]:
            raise UnsupportedFeatureError("a chunked image of other width than height")
        chunk_shape = (*chunk_shape, *shape[len(chunk_shape) :])  # components are one element
    if len(shape) != len(chunk_shape):
        raise CorruptFileError(f"chunks of {chunk_shape} in an array of {shape}")
    nbytes = prod(chunk_shape) * shaped.itemsize
    codecs: list[CodecJson] = []
    if storage.coder is not None:
        length = min(storage.shortest, nbytes)
        codecs = storage.coder.codecs(shaped.variable.dtype, length)
        if length < nbytes:
            codecs = [_fill_up(shaped), *codecs]
    grid = RegularGrid(chunk_shape).grid_shape(shape)
    origins = np.zeros((len(storage.origins), len(grid)), np.int64)
    origins[:, : storage.origins.shape[1]] = storage.origins
    inside = (origins < np.array(grid)).all(axis=1) & (origins >= 0).all(axis=1)
    if not inside.any():
        return shaped.array(conversion, chunk_shape, codecs, None)
    cell = np.ravel_multi_index(tuple(origins[inside].T), grid).astype(np.int64)
    offset, length_of = storage.offset.copy(), storage.length.copy()
    codes = np.zeros(len(offset), np.uint32)
    inline = b""
    if storage.pieces:
        rows = np.array(list(storage.pieces), np.int64)
        offset[rows], length_of[rows], data = yield from _streams(list(storage.pieces.values()))
        if data is not None:
            codes[rows], inline = INLINE, data
    direct = Extents(offset[inside & (codes == 0)], length_of[inside & (codes == 0)])
    if (direct.offset < 0).any() or (direct.length < 0).any():
        raise CorruptFileError("a chunk was never written, though the table of chunks names it")
    check_present(direct, conversion.location)
    rows_manifest = ChunkManifest.from_rows(
        grid,
        conversion.location,
        cell,
        offset[inside].astype(np.uint64),
        length_of[inside].astype(np.uint64),
        conversion.location.size,
    )
    if inline:
        rows_manifest = _with_inline(rows_manifest, cell, codes[inside], inline)
    return shaped.array(conversion, chunk_shape, codecs, rows_manifest)


def _with_inline(manifest: ChunkManifest, cell: Any, codes: Any, inline: bytes) -> ChunkManifest:
    """Return the manifest with the chunks of code INLINE read from `inline`."""
    location = np.array(manifest.location).reshape(-1)
    location[cell[codes == INLINE]] = INLINE
    return ChunkManifest.from_columns(
        manifest.locations,
        location.reshape(manifest.shape_chunk_grid),
        manifest.offset,
        manifest.length,
        inline,
    ).compacted()


def _fill_up(shaped: Shaped) -> CodecJson:
    codec = FillUp(tuple(shaped.fill_bytes))
    return {"name": codec.name, "configuration": codec.configuration()}


def check_present(parts: Extents, location: Location) -> None:
    """Raise CorruptFileError unless the file holds all parts."""
    end = int((parts.offset + parts.length).max(initial=0))
    if location.size is not None and end > location.size:
        raise CorruptFileError(
            f"the file is truncated: the data end at byte {end:,}, the file at "
            f"{location.size:,}; drop_variables opens the rest",
            at=location.size,
        )
