"""The segments of JPEG streams inside TIFF (ISO 10918-1, annex B)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from virtualizarr.errors import CorruptFileError

SOI, EOI, SOS, DQT, DHT, DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
TEM, RST0 = 0x01, 0xD0
SOF_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
NEEDED = frozenset({DQT, DHT, DRI, SOS}) | SOF_MARKERS
FRAME = struct.Struct(">BHHB")  # precision, rows, columns, components


class Segment(NamedTuple):
    """A marker segment: `body` is what follows its length."""

    marker: int
    body: bytes


class Frame(NamedTuple):
    """The frame header (B.2.2); `marker` says which process encoded the picture."""

    rows: int
    columns: int
    precision: int
    components: int
    marker: int


def segments(stream: bytes) -> Iterator[Segment]:
    """Yield the marker segments of a stream up to its first scan header, that included.

    Raises CorruptFileError for what is no JPEG stream, or ends before.
    """
    if stream[:2] != b"\xff\xd8":
        raise CorruptFileError("no JPEG stream")
    at = 2
    while at + 4 <= len(stream):
        if stream[at] != 0xFF:
            raise CorruptFileError(f"no JPEG marker at byte {at} of a stream")
        marker = stream[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == TEM or RST0 <= marker <= SOI:
            at += 2
            continue
        length = max(int.from_bytes(stream[at + 2 : at + 4], "big"), 2)
        yield Segment(marker, stream[at + 4 : at + 2 + length])
        if marker in (SOS, EOI):
            return
        at += 2 + length


def frame_of(stream: bytes) -> Frame | None:
    """Return the frame header of a stream; None where its beginning has none."""
    for marker, body in segments(stream):
        if marker in SOF_MARKERS and len(body) >= FRAME.size:
            precision, rows, columns, components = FRAME.unpack_from(body)
            return Frame(rows, columns, precision, components, marker)
    return None


def header_of(parts: Sequence[Segment]) -> bytes:
    """Return a stream of these segments, which ends with its scan header."""
    return b"\xff\xd8" + b"".join(
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in parts
    )


def with_size(header: bytes, rows: int, columns: int) -> bytes:
    """Return a header whose frame has the size given; only what decoding needs is kept."""
    parts: list[Segment] = []
    for marker, body in segments(header):
        if marker in SOF_MARKERS:
            precision = body[:1]
            body = precision + struct.pack(">HH", rows, columns) + body[5:]
        if marker in NEEDED:
            parts.append(Segment(marker, body))
    return header_of(parts)
