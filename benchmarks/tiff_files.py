"""A tiled TIFF with overviews (TIFF 6.0) whose directories are real and whose tiles are a hole."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import numpy as np

TILE = 256
SHORT, LONG = 3, 4
ENTRIES = 11


def pyramid(path: Path, side: int, levels: int) -> int:
    """Write a square image of `side` pixels and overviews of half the size; return the tiles."""
    sides = [side >> level for level in range(levels)]
    counts = [(each // TILE) ** 2 for each in sides]
    directory = 2 + 12 * ENTRIES + 4
    arrays = 8 + directory * levels
    first = arrays + 8 * sum(counts)
    lengths = np.random.default_rng(0).integers(8_000, 30_000, sum(counts), np.uint32)
    offsets = (first + np.concatenate([[0], np.cumsum(lengths, dtype=np.uint64)[:-1]])).astype(
        "<u4"
    )
    with path.open("wb") as file:
        file.write(pack("<2sHI", b"II", 42, 8))
        done = 0
        for level, (each, count) in enumerate(zip(sides, counts, strict=True)):
            at = arrays + 8 * done
            following = 8 + directory * (level + 1) if level + 1 < levels else 0
            file.write(_directory(each, count, at, at + 4 * count, level > 0, following))
            done += count
        done = 0
        for count in counts:
            file.write(offsets[done : done + count].tobytes())
            file.write(lengths[done : done + count].astype("<u4").tobytes())
            done += count
        file.truncate(first + int(lengths.sum(dtype=np.uint64)))
    return sum(counts)


def _directory(
    side: int, tiles: int, offsets: int, lengths: int, is_overview: bool, following: int
) -> bytes:
    entries = (
        (254, LONG, 1, int(is_overview)),  # NewSubfileType
        (256, LONG, 1, side),  # ImageWidth
        (257, LONG, 1, side),  # ImageLength
        (258, SHORT, 1, 8),  # BitsPerSample
        (259, SHORT, 1, 8),  # Compression: Deflate
        (262, SHORT, 1, 1),  # PhotometricInterpretation: BlackIsZero
        (277, SHORT, 1, 1),  # SamplesPerPixel
        (322, LONG, 1, TILE),  # TileWidth
        (323, LONG, 1, TILE),  # TileLength
        (324, LONG, tiles, offsets),  # TileOffsets
        (325, LONG, tiles, lengths),  # TileByteCounts
    )
    packed = b"".join(pack("<HHII", *entry) for entry in entries)
    return pack("<H", len(entries)) + packed + pack("<I", following)
