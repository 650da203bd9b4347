"""Old-style JPEG (TIFF 6.0, section 22): its tables lie outside of the strips, named by tags.

The tables become one JPEG header, which the codec gets as it gets JPEGTables. Thumbnails of cameras
have no tags but the place of a JPEG stream; its frame header tells their size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from virtualizarr.codecs.tiff_jpeg import (
    DHT,
    DQT,
    DRI,
    SOS,
    Segment,
    frame_of,
    header_of,
    with_size,
)
from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.tiff.layout import Ifd, Tag, Values
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

OLD_JPEG = 6
YCBCR, RGB = 6, 2
HEADER_READ = 64 * 1024
"""Bytes read of a JPEG stream: what goes before its scan lies within, Exif's thumbnail too."""

QUANTISATION_BYTES = 64
HUFFMAN_COUNTS, HUFFMAN_READ = 16, 16 + 256
TABLE_TAGS = (Tag.JPEG_Q_TABLES, Tag.JPEG_DC_TABLES, Tag.JPEG_AC_TABLES)
SOF_BASELINE = 0xC0
MOST_COMPONENTS = 4


def is_old_jpeg(ifd: Ifd) -> bool:
    """Say whether the image of an IFD is old-style JPEG, or a mere JPEG stream."""
    is_stream = Tag.IMAGE_WIDTH not in ifd.values and Tag.JPEG_INTERCHANGE_FORMAT in ifd.values
    return ifd.number(Tag.COMPRESSION, 1) == OLD_JPEG or is_stream


def with_old_jpeg(ifds: Sequence[Ifd], facts: FileFacts) -> Reading[list[Ifd]]:
    """Return the IFDs, those of old-style JPEG with the tags that they imply.

    JPEGTables holds their header where the strips have none; width, length, samples, offsets and
    byte counts are there where the JPEG stream says them. One round, where there are such IFDs.
    """
    if not any(is_old_jpeg(ifd) for ifd in ifds):
        return list(ifds)
    wanted = {ifd.path: _ranges(ifd, facts.size) for ifd in ifds if is_old_jpeg(ifd)}
    flat = [one for ranges in wanted.values() for one in ranges]
    answers = iter((yield flat) if flat else ())
    read = {path: [next(answers).tobytes() for _ in ranges] for path, ranges in wanted.items()}
    return [_completed(ifd, read[ifd.path]) if ifd.path in read else ifd for ifd in ifds]


def _ranges(ifd: Ifd, size: int | None) -> list[ByteRange]:
    """Return where the JPEG stream begins, or else where the tables of the tags lie."""
    end = size if size is not None else 1 << 62
    stream = ifd.number(Tag.JPEG_INTERCHANGE_FORMAT, 0)
    if stream:
        places = [(stream, ifd.number(Tag.JPEG_INTERCHANGE_FORMAT_LENGTH, 0) or HEADER_READ)]
    else:
        places = [(at, HUFFMAN_READ) for tag in TABLE_TAGS for at in _offsets(ifd, tag)]
    if any(at >= end for at, _ in places):
        raise CorruptFileError(
            "JPEG tables beyond the end of the file", node=f"IFD {ifd.path}", at=ifd.at
        )
    return [ByteRange(at, min(at + min(n, HEADER_READ), end)) for at, n in places]


def _offsets(ifd: Ifd, tag: Tag) -> list[int]:
    values = ifd.values.get(tag)
    if values is None or values.dtype.kind != "u":
        return []
    return [int(at) for at in values[:MOST_COMPONENTS]]


def _completed(ifd: Ifd, read: Sequence[bytes]) -> Ifd:
    values = dict(ifd.values)
    try:
        if Tag.JPEG_INTERCHANGE_FORMAT in values and read:
            values |= _of_stream(ifd, read[0])
        elif read:
            values[Tag.JPEG_TABLES] = _bytes(header_of(list(_from_tables(ifd, read))))
    except CorruptFileError as error:
        raise CorruptFileError(str(error.reason), node=f"IFD {ifd.path}", at=ifd.at) from error
    values.setdefault(Tag.COMPRESSION, np.array([OLD_JPEG], np.uint16))
    if ifd.number(Tag.PHOTOMETRIC_INTERPRETATION, RGB) == RGB:
        values[Tag.PHOTOMETRIC_INTERPRETATION] = np.array([YCBCR], np.uint16)
    values.setdefault(Tag.BITS_PER_SAMPLE, np.array([8], np.uint16))
    values.setdefault(Tag.SAMPLES_PER_PIXEL, np.array([3], np.uint16))
    return replace(ifd, values=values)


def _bytes(data: bytes) -> Values:
    return np.frombuffer(data, np.uint8)


def _of_stream(ifd: Ifd, stream: bytes) -> Mapping[int, Values]:
    """Return what JPEGInterchangeFormat adds: the header, and what tags do not say."""
    start = ifd.number(Tag.JPEG_INTERCHANGE_FORMAT, 0)
    found: dict[int, Values] = {}
    frame = frame_of(stream)
    if frame is None:
        raise CorruptFileError("the JPEG stream has no frame header", at=start)
    if Tag.IMAGE_WIDTH not in ifd.values:
        found[Tag.IMAGE_WIDTH] = np.array([frame.columns], np.uint32)
        found[Tag.IMAGE_LENGTH] = np.array([frame.rows], np.uint32)
        found[Tag.SAMPLES_PER_PIXEL] = np.array([frame.components], np.uint16)
        if frame.components == 1:
            found[Tag.PHOTOMETRIC_INTERPRETATION] = np.array([1], np.uint16)
    places = {tag for tag in (Tag.STRIP_OFFSETS, Tag.TILE_OFFSETS) if tag in ifd.values}
    if not places:
        found[Tag.STRIP_OFFSETS] = ifd.values[Tag.JPEG_INTERCHANGE_FORMAT]
        if Tag.JPEG_INTERCHANGE_FORMAT_LENGTH in ifd.values:
            found[Tag.STRIP_BYTE_COUNTS] = ifd.values[Tag.JPEG_INTERCHANGE_FORMAT_LENGTH]
    elif all(ifd.number(tag, 0) != start for tag in places):
        found[Tag.JPEG_TABLES] = _bytes(with_size(stream, frame.rows, frame.columns))
    return found


def _from_tables(ifd: Ifd, read: Sequence[bytes]) -> Iterator[Segment]:
    """Yield the segments of a header that the tables of the tags make up, up to the scan."""
    tables = iter(read)
    counts = [len(_offsets(ifd, tag)) for tag in TABLE_TAGS]
    samples = ifd.number(Tag.SAMPLES_PER_PIXEL, 3)
    if counts != [samples] * 3 or samples > MOST_COMPONENTS:
        raise CorruptFileError(f"{counts} JPEG tables for {samples} samples")
    for i in range(samples):
        yield Segment(DQT, bytes([i]) + next(tables)[:QUANTISATION_BYTES])
    for kind in (0x00, 0x10):
        for i in range(samples):
            table = next(tables)
            codes = HUFFMAN_COUNTS + sum(table[:HUFFMAN_COUNTS])
            yield Segment(DHT, bytes([kind | i]) + table[:codes])
    restart = ifd.number(Tag.JPEG_RESTART_INTERVAL, 0)
    if restart:
        yield Segment(DRI, struct.pack(">H", restart & 0xFFFF))
    factors = ifd.values.get(Tag.YCBCR_SUB_SAMPLING)
    across, down = (2, 2) if factors is None or len(factors) < 2 else factors[:2].tolist()
    frame = struct.pack(">BHHB", 8, 1, 1, samples)
    for i in range(samples):
        sampling = (across << 4 | down) & 0xFF if i == 0 and samples > 1 else 0x11
        frame += bytes([i, sampling, i])
    yield Segment(SOF_BASELINE, frame)
    scan = b"".join(bytes([i, i << 4 | i]) for i in range(samples))
    yield Segment(SOS, bytes([samples]) + scan + b"\x00\x3f\x00")
