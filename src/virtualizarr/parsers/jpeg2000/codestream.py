"""JPEG 2000 codestreams: the main header, and where the tiles lie (15444-1, annex A)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.jpeg2000_tile import SIZES, SIZES_AT, SOC, SOT, TILE_PART, Grid
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

SIZ, TLM, PPM = 0xFF51, 0xFF55, 0xFF60
FIRST_READ = 64 * 1024
MAX_HEADER = 16 * 1024 * 1024
MAX_TILES = 65535
MAX_COMPONENTS = 16384
MAX_WALK = 4096
EDGE = 38
"""Bytes of SIZ in front of its components, and of the marker."""

type Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MainHeader:
    """A main header: `raw` from SOC to the first SOT; `components` have bits, sign and spacing.

    `tile_parts` are the lengths of all tile-parts and the tiles they are of, where markers TLM say
    so; `has_packed_headers` that packet headers are in the main header (PPM).
    """

    raw: bytes
    grid: Grid
    components: tuple[tuple[int, bool, int, int], ...]
    tile_parts: tuple[Int64s, Int64s] | None
    has_packed_headers: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of a decoded sample; raises UnsupportedFeatureError where components differ."""
        if len(set(self.components)) != 1:
            raise UnsupportedFeatureError("JPEG 2000 components of different kinds or sizes")
        bits, signed, across, down = self.components[0]
        if (across, down) != (1, 1) or bits > 32:
            raise UnsupportedFeatureError(
                f"JPEG 2000 components of {bits} bits, subsampled by {across} and {down}"
            )
        size = 1 if bits <= 8 else 2 if bits <= 16 else 4
        return np.dtype(f"{'i' if signed else 'u'}{size}")


def read_main_header(start: int, limit: int) -> Reading[MainHeader]:
    """Read the main header of the codestream in bytes `start` to `limit` of the file."""
    wanted = FIRST_READ
    while True:
        end = min(start + wanted, limit)
        (raw,) = yield [ByteRange(start, end)]
        stop = _end_of_header(raw)
        if stop is not None:
            return decode_main_header(bytes(raw[:stop]))
        if len(raw) < end - start or end == limit or wanted >= MAX_HEADER:
            raise CorruptFileError("the codestream ends inside its header", at=start + len(raw))
        wanted *= 16


def _segments(raw: bytes | memoryview) -> Any:
    """Yield offset, marker and length of the marker segments behind SOC; stop at SOT."""
    at = 2
    while at + 4 <= len(raw):
        marker, length = struct.unpack_from(">HH", raw, at)
        if marker == int.from_bytes(SOT):
            yield at, marker, 0
            return
        if marker < 0xFF00 or length < 2:
            raise CorruptFileError(f"no marker segment at byte {at} of the codestream")
        yield at, marker, length
        at += 2 + length


def _end_of_header(raw: memoryview) -> int | None:
    if bytes(raw[:2]) != SOC:
        raise CorruptFileError("no JPEG 2000 codestream")
    for at, marker, _ in _segments(raw):
        if marker == int.from_bytes(SOT):
            return int(at)
    return None


def decode_main_header(raw: bytes) -> MainHeader:
    """Return what the marker segments say that is needed to find and size the tiles."""
    if len(raw) < 2 + EDGE or int.from_bytes(raw[2:4]) != SIZ:
        raise CorruptFileError("the codestream does not begin with SIZ")
    grid = Grid(*SIZES.unpack_from(raw, SIZES_AT))
    inside = grid.tile_x <= grid.x_offset < grid.x and grid.tile_y <= grid.y_offset < grid.y
    if not inside or not grid.tile_width or not grid.tile_height:
        raise CorruptFileError(f"SIZ is {grid}")
    count = int.from_bytes(raw[EDGE + 2 : EDGE + 4])
    table = raw[EDGE + 4 : EDGE + 4 + 3 * count]
    if not 1 <= count <= MAX_COMPONENTS or len(table) < 3 * count:
        raise CorruptFileError(f"SIZ has {count} components")
    components = tuple(
        ((table[i] & 0x7F) + 1, table[i] >> 7 == 1, table[i + 1], table[i + 2])
        for i in range(0, 3 * count, 3)
    )
    lengths: list[Int64s] = []
    tiles: list[Int64s] = []
    packed = False
    for at, marker, length in _segments(raw):
        packed |= marker == PPM
        if marker == TLM:
            part = _tile_part_lengths(raw[at + 4 : at + 2 + length])
            lengths.append(part[0])
            tiles.append(part[1] if len(part[1]) else np.zeros(0, np.int64))
    parts = None
    if lengths:
        sizes = np.concatenate(lengths)
        numbers = np.concatenate(tiles)
        parts = (sizes, numbers if len(numbers) else np.arange(len(sizes)))
    return MainHeader(raw, grid, components, parts, packed)


def _tile_part_lengths(segment: bytes) -> tuple[Int64s, Int64s]:
    """Return lengths and tile numbers of a segment TLM (A.7.1); no numbers if none are stored."""
    if len(segment) < 2:
        raise CorruptFileError("TLM is cut short")
    kind = segment[1] >> 4
    number = {0: [], 1: [("tile", "u1")], 2: [("tile", ">u2")]}.get(kind & 3)
    if number is None:
        raise CorruptFileError(f"Stlm is {segment[1]}")
    size = ">u4" if kind & 4 else ">u2"
    dtype = np.dtype([*number, ("length", size)])
    table = np.frombuffer(segment[2:], dtype, len(segment[2:]) // dtype.itemsize)
    tiles = table["tile"].astype(np.int64) if number else np.zeros(0, np.int64)
    return table["length"].astype(np.int64), tiles


def read_tiles(header: MainHeader, start: int, limit: int) -> Reading[tuple[Int64s, Int64s] | None]:
    """Return where the parts of each tile lie: offset and length, by the number of the tile.

    TLM tells it at once; without it one round a tile-part. None where they cannot be told apart:
    parts of a tile that do not follow one another, tiles without parts, packet headers elsewhere.
    """
    count = header.grid.across * header.grid.down
    if header.has_packed_headers or not 1 < count <= MAX_TILES:
        return None
    first = start + len(header.raw)
    if header.tile_parts is not None:
        lengths, tiles = header.tile_parts
        offsets = first + np.cumsum(lengths) - lengths
    else:
        found = yield from _walk(first, limit)
        if found is None:
            return None
        offsets, lengths, tiles = found
    return _by_tile(count, offsets, lengths, tiles, limit)


def _walk(at: int, limit: int) -> Reading[tuple[Int64s, Int64s, Int64s] | None]:
    """Return offsets, lengths and tiles of tile-parts, each of which says where the next one is."""
    rows: list[tuple[int, int, int]] = []
    while at + TILE_PART.size <= limit:
        (raw,) = yield [ByteRange(at, at + TILE_PART.size)]
        if len(raw) < TILE_PART.size or bytes(raw[:2]) != SOT:
            break
        _, _, tile, length, _, _ = TILE_PART.unpack(raw)
        length = length if length else limit - at
        if length < TILE_PART.size or len(rows) >= MAX_WALK:
            return None
        rows.append((at, length, tile))
        at += length
    if not rows:
        return None
    table = np.array(rows, np.int64)
    return table[:, 0], table[:, 1], table[:, 2]


def _by_tile(
    count: int, offsets: Int64s, lengths: Int64s, tiles: Int64s, limit: int
) -> tuple[Int64s, Int64s] | None:
    order = np.argsort(tiles, kind="stable")
    offsets, lengths, tiles = offsets[order], lengths[order], tiles[order]
    follows = offsets[1:] == offsets[:-1] + lengths[:-1]
    same = tiles[1:] == tiles[:-1]
    firsts = np.flatnonzero(np.r_[True, ~same])
    if not (follows | ~same).all() or not np.array_equal(tiles[firsts], np.arange(count)):
        return None
    total = np.add.reduceat(lengths, firsts)
    if (total < TILE_PART.size).any() or int((offsets[firsts] + total).max()) > limit:
        raise CorruptFileError(f"tiles of the codestream end behind byte {limit}")
    return offsets[firsts], total
