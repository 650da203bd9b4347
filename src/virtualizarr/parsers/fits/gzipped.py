"""FITS files compressed as a whole by gzip (RFC 1952), as telescopes' archives hand them out.

No part of a gzip stream can be read by itself, so nothing in such a file can be referred to: a
small file is read whole, and its values are kept inline.
"""

from __future__ import annotations

import zlib

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.source.answers import answer_from
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.reading import Reading, Stat

MAX_BYTES = 16 * 1024 * 1024
"""What a file may hold when decompressed: all of it goes into the references."""

GZIP = 16 + zlib.MAX_WBITS  # for zlib: a gzip header and trailer are there


def read_gzipped(reading: Reading[ManifestGroup]) -> Reading[ManifestGroup]:
    """Return what `reading` makes of the decompressed file, with all values inline.

    Two rounds at most. Offsets in errors are those of the decompressed file. Raises
    UnsupportedFeatureError for a file that holds more than 16 MiB, CorruptFileError for a stream
    that breaks off or is broken.
    """
    (facts,) = yield [Stat()]
    size = facts.size if facts.size is not None else MAX_BYTES + 1
    if facts.size is not None and size > MAX_BYTES:
        raise _too_large()
    (stored,) = yield [ByteRange(0, size)]
    if len(stored) > MAX_BYTES:
        raise _too_large()
    content = gunzipped(stored)
    group = _answered(reading, content)
    return group.map_arrays(lambda array: _inline(array, content))


def gunzipped(stored: bytes | memoryview) -> bytes:
    """Return what the members of a gzip file hold, one after the other; errors as above.

    Zeros behind the last one are padding, as gzip has it; other bytes are an error.
    """
    found: list[bytes] = []
    room, rest = MAX_BYTES, bytes(stored)
    while rest.startswith(b"\x1f\x8b"):
        member = zlib.decompressobj(GZIP)
        try:
            found.append(member.decompress(rest, room + 1))
        except zlib.error as error:
            raise CorruptFileError(f"the gzip stream is broken: {error}") from error
        room -= len(found[-1])
        if room < 0:
            raise _too_large()
        if not member.eof:
            raise CorruptFileError("the gzip stream breaks off; is the file truncated?")
        rest = member.unused_data
    if rest.strip(b"\0"):
        raise CorruptFileError(
            "behind the gzip stream lie bytes that belong to none", at=len(stored) - len(rest)
        )
    return b"".join(found)


def _too_large() -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        "the file is compressed as a whole, so no part of it can be referred to, and holds more "
        f"than the {MAX_BYTES} bytes that are kept inline; decompress it first (gunzip)"
    )


def _answered(reading: Reading[ManifestGroup], content: bytes) -> ManifestGroup:
    """Drive a reading to its end with the bytes at hand."""
    facts, view = FileFacts(len(content)), memoryview(content)
    try:
        requests = next(reading)
        while True:
            requests = reading.send(
                [
                    facts if isinstance(request, Stat) else answer_from(view, [request])[0]
                    for request in requests
                    if isinstance(request, Stat | ByteRange | ByteBlocks)  # all that FITS needs
                ]
            )
    except StopIteration as stop:
        group: ManifestGroup = stop.value
        return group


def _inline(array: ManifestArray, content: bytes) -> ManifestArray:
    """Return the array with the chunks that lie in the file taken out of `content`."""
    manifest = array.manifest
    here = (manifest.location != MISSING) & (manifest.location != INLINE)
    if not here.any():
        return array
    start = int(manifest.offset[here].min())
    stop = int((manifest.offset[here] + manifest.length[here]).max())
    shift = np.uint64(len(manifest.inline))
    columns = ChunkManifest.from_columns(
        (),
        np.where(here, INLINE, manifest.location),
        np.where(here, manifest.offset - np.uint64(start) + shift, manifest.offset),
        manifest.length,
        manifest.inline + content[start:stop],
    )
    return array.rebuilt(array.metadata, columns)
