"""How the data of variables are stored: whole, in linked blocks, compressed, chunked, elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf4.coders import Coder, RasterCoder, decode_coder
from virtualizarr.parsers.hdf4.decode import Fields
from virtualizarr.parsers.hdf4.layout import (
    DFTAG_CHUNK,
    DFTAG_COMPRESSED,
    DFTAG_NULL,
    DFTAG_VS,
    SPECIAL_CHUNKED,
    SPECIAL_COMP,
    SPECIAL_EXT,
    SPECIAL_LINKED,
    Extents,
    Int64s,
    Key,
)
from virtualizarr.parsers.hdf4.read import HEADER_BYTES, OpenFile, extents_of, fetch
from virtualizarr.parsers.hdf4.variables import Members
from virtualizarr.source.reading import Reading

MAX_COMPRESSED_IN_PIECES = 4096
LENGTH_AT, STREAM_AT, MODEL_AT = 4, 8, 10  # in the description of a compressed element


@dataclass(frozen=True, slots=True)
class Plain:
    """Uncompressed bytes in one or several parts; `elsewhere` names another file."""

    extents: Extents
    elsewhere: str | None = None

    @property
    def total(self) -> int:
        return self.extents.total


@dataclass(frozen=True, slots=True)
class Compressed:
    """One compressed stream of `total` bytes."""

    total: int
    coder: Coder | RasterCoder
    extents: Extents


@dataclass(frozen=True, slots=True, eq=False)
class Chunked:
    """Chunks: grid positions (a row for each), and the part or parts of the file that hold each.

    `lengths` are of the axes, `total` is the bytes of all chunks' elements as the header counts
    them. `pieces` are chunks in several parts, by row.
    """

    total: int
    lengths: tuple[int, ...]
    chunk_shape: tuple[int, ...]
    fill: bytes
    origins: Int64s
    offset: Int64s
    length: Int64s
    coder: Coder | None
    shortest: int
    pieces: dict[int, Extents]


type Storage = Plain | Compressed | Chunked


def read_storage(file: OpenFile, key: Key, members: Members) -> Reading[Storage]:
    """Return how an element is stored; a round for tables of chunks or of linked blocks."""
    row = file.descriptors.find(key)
    if not file.descriptors.special[row]:
        return Plain(file.descriptors.extents(row))
    header = file.header_of(key)
    (code,) = header.take("H")
    if code == SPECIAL_LINKED:
        (place,) = yield from extents_of(file, [key])
        return Plain(place)
    if code == SPECIAL_EXT:
        return _external(header)
    if code == SPECIAL_COMP:
        return (yield from _compressed(file, header))
    if code == SPECIAL_CHUNKED:
        return (yield from _chunked(file, header, members))
    raise UnsupportedFeatureError(f"data stored as special element {code}")


def _external(header: Fields) -> Plain:
    length, offset, size = header.take("iii")
    if length < 0 or offset < 0:
        raise CorruptFileError(f"external data of {length} bytes at byte {offset}")
    name = header.raw(size).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    one = np.array([offset], np.int64), np.array([length], np.int64)
    return Plain(Extents(*one), name)


def _compressed(file: OpenFile, header: Fields) -> Reading[Compressed]:
    _, total, ref, _, code = header.take("HiHHH")
    if total < 0:
        raise CorruptFileError(f"compressed data of {total} bytes")
    coder = decode_coder(code, header)
    if file.descriptors.find((DFTAG_COMPRESSED, ref)) < 0:
        return Compressed(0, coder, Extents(np.empty(0, np.int64), np.empty(0, np.int64)))
    (place,) = yield from extents_of(file, [(DFTAG_COMPRESSED, ref)])
    return Compressed(total if place.total else 0, coder, place)


def _chunked(file: OpenFile, header: Fields, members: Members) -> Reading[Chunked]:
    _, _, _, elements, _, size, _, table, _, _, rank = header.take("iBiiiiHHHHi")
    if not 0 < rank <= 1000 or elements < 0 or not 0 < size <= 1024:
        raise CorruptFileError(f"chunks of rank {rank}, {elements} elements of {size} bytes")
    axes = [header.take("iii") for _ in range(rank)]
    (fill_size,) = header.take("i")
    fill = header.raw(fill_size)
    lengths, chunk_shape = tuple(a[1] for a in axes), tuple(a[2] for a in axes)
    if any(n < 1 for n in chunk_shape) or any(n < 0 for n in lengths):
        raise CorruptFileError(f"chunks of {chunk_shape} in an array of {lengths}")
    if table not in members.vdatas or file.descriptors.find((DFTAG_VS, table)) < 0:
        rows = np.zeros(0, _row_type(rank))
    else:
        (content,) = yield from fetch(file, [(DFTAG_VS, table)])
        vdata = members.vdatas[table]
        kind = _row_type(rank)
        if vdata.row_bytes != kind.itemsize or len(content) < vdata.nvert * kind.itemsize:
            raise CorruptFileError(
                f"the table of chunks has {vdata.nvert} rows of {vdata.row_bytes} bytes in "
                f"{len(content)} bytes"
            )
        rows = np.frombuffer(content, kind, vdata.nvert)
    rows = rows[rows["tag"] > DFTAG_NULL]
    if (rows["tag"] != DFTAG_CHUNK).any():
        raise UnsupportedFeatureError("chunks that are stored under other tags than DFTAG_CHUNK")
    nbytes = prod(chunk_shape) * size
    places = yield from _chunk_places(file, rows["ref"].astype(np.int64), nbytes)
    origins = rows["origin"].astype(np.int64)
    return Chunked(elements * size, lengths, chunk_shape, fill, origins, *places)


def _row_type(rank: int) -> np.dtype[np.void]:
    return np.dtype([("origin", ">i4", (rank,)), ("tag", ">u2"), ("ref", ">u2")])


def _chunk_places(
    file: OpenFile, refs: Int64s, nbytes: int
) -> Reading[tuple[Int64s, Int64s, Coder | None, int, dict[int, Extents]]]:
    """Return offsets, lengths, the coder, the bytes of the shortest chunk, and chunks in pieces."""
    dds = file.descriptors
    rows = dds.rows(DFTAG_CHUNK, refs)
    if (rows < 0).any() or not dds.present[rows].all():
        raise CorruptFileError("the table of chunks names a chunk that is not there")
    special = dds.special[rows]
    if not special.any():
        if (dds.length[rows] < nbytes).any():
            raise CorruptFileError(f"a chunk has less than {nbytes} bytes")
        return dds.offset[rows], np.full(len(rows), nbytes, np.int64), None, nbytes, {}
    raw = b"".join(file.headers[row] for row in rows[special].tolist())
    heads = np.frombuffer(raw, np.uint8).reshape(-1, HEADER_BYTES)
    codes = _column(heads, 0, ">u2")
    if not special.all() or (codes != SPECIAL_COMP).any():
        raise UnsupportedFeatureError("chunks some of which are stored in linked blocks")
    header = Fields(heads[0].tobytes(), "the description of a chunk")
    (_, _, _, _, _, code) = header.take("HHiHHH")
    coder = decode_coder(code, header)
    if (heads[:, MODEL_AT : header.at] != heads[0, MODEL_AT : header.at]).any():
        raise UnsupportedFeatureError("chunks that are compressed in different ways")
    streams = _column(heads, STREAM_AT, ">u2")
    stored = dds.rows(DFTAG_COMPRESSED, streams)
    if (stored < 0).any():
        raise CorruptFileError("a compressed chunk is not there")
    offset, length = dds.offset[stored], dds.length[stored]
    split = np.flatnonzero(dds.special[stored])
    if len(split) > MAX_COMPRESSED_IN_PIECES:
        raise UnsupportedFeatureError(f"{len(split)} compressed chunks in several pieces each")
    places = yield from extents_of(
        file, [(DFTAG_COMPRESSED, ref) for ref in streams[split].tolist()]
    )
    pieces = dict(zip(split.tolist(), places, strict=True))
    return offset, length, coder, int(_column(heads, LENGTH_AT, ">i4").min()), pieces


def _column(heads: npt.NDArray[np.uint8], at: int, kind: str) -> Int64s:
    dtype = np.dtype(kind)
    part = np.ascontiguousarray(heads[:, at : at + dtype.itemsize])
    return part.view(dtype).reshape(-1).astype(np.int64)
