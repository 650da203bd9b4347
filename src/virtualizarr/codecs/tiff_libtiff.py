"""Encodings of TIFF that only libtiff decodes: each chunk becomes a file of one strip for it.

Old-style JPEG (TIFF 6.0, section 22), chroma subsampled outside of JPEG (section 21), CCITT RLE
aligned to words, NeXT, ThunderScan, and SGI LogL and LogLuv. YCbCr comes out as RGB, with the
rounding of libtiff. The file declares the size of the chunk, which bounds what libtiff allocates.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import Octets
from virtualizarr.codecs.tiff_jpeg import with_size
from virtualizarr.codecs.tiff_samples import Sample
from virtualizarr.errors import CorruptFileError

HEADER = struct.Struct("<2sHI")
ENTRY = struct.Struct("<HHI4s")
TYPES = {"H": 3, "I": 4, "d": 12}
COUNT_SIZE, NEXT_SIZE = 2, 4
YCBCR, LOGLUV = 6, 32845
SAMPLE_FORMATS = {"uint": 1, "int": 2, "float": 3}
INNER = ("none", "lzw", "deflate", "packbits", "lzma", "zstd")
SUBSAMPLED = "ycbcr_"
OLD_JPEG, SGI_LOG = "ojpeg", "sgilog"
BY_LIBTIFF: Mapping[str, int] = {
    OLD_JPEG: 6,
    "next": 32766,
    "ccittrlew": 32771,
    "thunderscan": 32809,
    SGI_LOG: 34676,
    "sgilog24": 34677,
    **{f"{SUBSAMPLED}{name}": 1 for name in INNER},
}
"""By our name: the Compression tag that the file made for libtiff has."""


class Chunk(Protocol):
    """What a file of one strip says of its image; the tiff codec is one."""

    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def edge(self) -> tuple[int, int]: ...
    @property
    def compression(self) -> str: ...
    @property
    def stored(self) -> Sample: ...
    @property
    def fill_order(self) -> int: ...
    @property
    def photometric(self) -> int: ...
    @property
    def subsampling(self) -> tuple[int, ...]: ...
    @property
    def luma(self) -> tuple[float, ...]: ...
    @property
    def black_white(self) -> tuple[float, ...]: ...
    def imagecodecs(self, function: str, *args: Any, **options: Any) -> Any: ...
    def corrupt(self, reason: str) -> CorruptFileError: ...


type Tags = Mapping[int, tuple[str, Sequence[float]]]


def clump_bytes(codec: Chunk, rows: int) -> int:
    """Return the bytes of so many rows of YCbCr, whose chroma comes after each clump of luma."""
    across, down = codec.subsampling
    return -(-rows // down) * -(-codec.shape[1] // across) * (across * down + 2)


def decode_by_libtiff(codec: Chunk, data: Octets, header: bytes) -> npt.NDArray[Any]:
    """Return the pixels of a chunk; `header` holds the tables of old-style JPEG, up to its scan.

    The last strip of an image may have fewer rows than the others: `edge` says how many. Subsampled
    chroma is not compressed any more: its size tells the rows, libtiff would not say what it lacks.
    """
    strip = data.tobytes()
    rows = codec.shape[0]
    if codec.compression.startswith(SUBSAMPLED):
        fitting = (n for n in (rows, codec.edge[0]) if 0 < clump_bytes(codec, n) <= len(strip))
        known = next(fitting, None)
        if known is None:
            raise codec.corrupt(f"{len(strip)} bytes for {rows} rows of subsampled YCbCr")
        return _decoded(codec, strip[: clump_bytes(codec, known)], header, known)
    try:
        return _decoded(codec, strip, header, rows)
    except CorruptFileError:
        if not 0 < codec.edge[0] < rows:
            raise
        return _decoded(codec, strip, header, codec.edge[0])


def _decoded(codec: Chunk, strip: bytes, header: bytes, rows: int) -> npt.NDArray[Any]:
    tags = _tags(codec, rows)
    if codec.compression == OLD_JPEG:
        header = with_size(header, rows, codec.shape[1])
    return np.asarray(codec.imagecodecs("tiff_decode", one_strip_file(tags, header, strip)))


def _tags(codec: Chunk, rows: int) -> Tags:
    _, columns, samples = codec.shape
    stored = codec.stored
    tags: dict[int, tuple[str, Sequence[float]]] = {
        256: ("I", [columns]),
        257: ("I", [rows]),
        258: ("H", [stored.bits] * samples),
        259: ("H", [BY_LIBTIFF[codec.compression]]),
        262: ("H", [max(codec.photometric, 0)]),
        266: ("H", [codec.fill_order]),
        277: ("H", [samples]),
        278: ("I", [rows]),
        284: ("H", [1]),
        339: ("H", [SAMPLE_FORMATS[stored.kind]] * samples),
    }
    if codec.photometric == YCBCR:
        tags[530] = ("H", codec.subsampling)
        if codec.luma:
            tags[529] = ("d", codec.luma)
        if codec.black_white:
            tags[532] = ("d", codec.black_white)
    return tags


def one_strip_file(tags: Tags, header: bytes, strip: bytes) -> bytes:
    """Return a TIFF file of one image with `tags` and the tags that say where `strip` lies.

    `header`, where not empty, becomes the JPEGInterchangeFormat of the image.
    """
    places = [273, 279, *((513, 514) if header else ())]
    count = len(tags) + len(places)
    values_at = HEADER.size + COUNT_SIZE + count * ENTRY.size + NEXT_SIZE
    packed = {tag: struct.pack(f"<{len(v)}{code}", *v) for tag, (code, v) in tags.items()}
    far = {tag: raw for tag, raw in packed.items() if len(raw) > NEXT_SIZE}
    header_at = values_at + sum(map(len, far.values()))
    where = {273: header_at + len(header), 279: len(strip), 513: header_at, 514: len(header)}
    entries: dict[int, bytes] = {
        tag: ENTRY.pack(tag, TYPES["I"], 1, struct.pack("<I", where[tag])) for tag in places
    }
    at = values_at
    for tag, (code, values) in tags.items():
        value = packed[tag]
        if tag in far:
            value = struct.pack("<I", at)
            at += len(far[tag])
        entries[tag] = ENTRY.pack(tag, TYPES[code], len(values), value)
    directory = b"".join(entries[tag] for tag in sorted(entries))
    start = HEADER.pack(b"II", 42, HEADER.size) + struct.pack("<H", count) + directory
    return b"".join([start, bytes(NEXT_SIZE), *far.values(), header, strip])


def decode_log_luv(codec: Chunk, data: Octets) -> npt.NDArray[Any]:
    """Return LogLuv of 32 bits as three integers of 16 bits, as libtiff's 16 bit format has them.

    The bytes of a row lie apart, highest first, each plane in runs (libtiff, tif_luv.c).
    """
    rows, columns, _ = codec.shape
    stream = data.tobytes()
    words: list[bytes] = []
    at = 0
    while len(words) < 4 * rows and at < len(stream):
        plane, at = _log_plane(codec, stream, at, columns)
        words.append(plane)
    if len(words) not in (4 * rows, 4 * codec.edge[0]):
        raise codec.corrupt(f"{len(words)} byte planes of LogLuv for {rows} rows")
    planes = np.frombuffer(b"".join(words), np.uint8).reshape(-1, 4, columns)
    light = planes[:, 0].astype(np.uint16) << 8 | planes[:, 1]
    chroma = ((planes[:, 2:].astype(np.float64) + 0.5) / 410 * (1 << 15)).astype(np.uint16)
    pixels = np.stack([light, chroma[:, 0], chroma[:, 1]], axis=-1)
    return pixels.view(codec.stored.dtype)


def _log_plane(codec: Chunk, stream: bytes, at: int, columns: int) -> tuple[bytes, int]:
    """Return one byte of each pixel of a row, and where the next plane begins."""
    plane = bytearray()
    while len(plane) < columns:
        if at + 1 >= len(stream):
            raise codec.corrupt("the LogLuv data end inside a row")
        head = stream[at]
        if head >= 128:
            plane += stream[at + 1 : at + 2] * (head - 126)
            at += 2
        else:
            plane += stream[at + 1 : at + 1 + head]
            at += 1 + head
    if len(plane) > columns:
        raise codec.corrupt("a run of LogLuv data ends beyond its row")
    return bytes(plane), at
