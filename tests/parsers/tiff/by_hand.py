"""TIFF files put together tag by tag, for what no library at hand writes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

CODES = {"B": 1, "s": 2, "H": 3, "I": 4, "d": 12, "Q": 16}
SIZES = {"B": 1, "s": 1, "H": 2, "I": 4, "d": 8, "Q": 8}

type Tags = Mapping[int, tuple[str, Any]]


def tiff_bytes(tags: Tags, chunks: Sequence[bytes], *, is_tiled: bool = False) -> bytes:
    """Return a little-endian BigTIFF of one image with these tags, and its strips or tiles.

    A value is a letter of `struct` and a sequence of numbers, or "s" or "B" and bytes; `None` for a
    value puts the chunks' offsets or byte counts there.
    """
    offsets, counts = (324, 325) if is_tiled else (273, 279)
    tags = {offsets: ("Q", None), counts: ("Q", None), **tags}
    tags = {tag: value for tag, value in tags.items() if value[0]}
    at = 16
    places = []
    for chunk in chunks:
        places.append(at)
        at += len(chunk)
    lengths = [len(chunk) for chunk in chunks]
    directory, far = b"", b""
    values_at = at + 8 + 20 * len(tags) + 8
    for tag, (code, values) in sorted(tags.items()):
        if values is None:
            values = places if tag in (273, 324) else lengths
        raw = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{code}", *values)
        entry = struct.pack("<HHQ", tag, CODES[code], len(raw) // SIZES[code])
        if len(raw) <= 8:
            directory += entry + raw.ljust(8, b"\0")
        else:
            directory += entry + struct.pack("<Q", values_at + len(far))
            far += raw.ljust(len(raw) + -len(raw) % 8, b"\0")
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, at)
    return head + b"".join(chunks) + struct.pack("<Q", len(tags)) + directory + bytes(8) + far


def image_tags(shape: Sequence[int], bits: int, compression: int, **more: Any) -> dict[int, Any]:
    """Return the tags of an image of rows, columns and samples; `more` as `t262=("H", [1])`."""
    rows, columns, samples = shape
    tags: dict[int, Any] = {
        256: ("I", [columns]),
        257: ("I", [rows]),
        258: ("H", [bits] * samples),
        259: ("H", [compression]),
        262: ("H", [1]),
        277: ("H", [samples]),
        278: ("I", [rows]),
        284: ("H", [1]),
    }
    return tags | {int(name[1:]): value for name, value in more.items()}
