"""A member of a zip archive with its local header: stored or deflated, as the header says.

Specification: APPNOTE.TXT 6.3, section 4.3.7. An archive may hold chunks of both kinds side by
side, so each chunk tells its own.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import ClassVar

from virtualizarr.codecs.base import ForeignCodec, Octets, octets, output_limit
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
STORED, DEFLATED = 0, 8
SIZES_FOLLOW = 8  # flag bit 3: checksum and sizes stand after the data, and here are zeros
MAX_RATIO = 1032  # of deflate


@dataclass(frozen=True)
class ZipMember(ForeignCodec):
    """The bytes from a member's local header to the end of its data. No parameters."""

    name: ClassVar[str] = "virtualizarr.zip_member"

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        self.require(data.size >= LOCAL_HEADER.size, "the local header is cut short")
        signature, _, flags, method, _, _, crc32, _, _, name_length, extra_length = (
            LOCAL_HEADER.unpack_from(data)
        )
        self.require(signature == b"PK\x03\x04", "there is no local header")
        start = LOCAL_HEADER.size + name_length + extra_length
        self.require(start <= data.size, "the local header is cut short")
        self.require(not flags & 1, "the member is encrypted")
        self.require(method in (STORED, DEFLATED), f"the compression method is {method}")
        stored = data[start:]
        content = stored if method == STORED else self._inflated(stored, nbytes)
        if not flags & SIZES_FOLLOW:
            self.require(zlib.crc32(content) == crc32, "the checksum of the member differs")
        return content

    def _inflated(self, stored: Octets, nbytes: int | None) -> Octets:
        limit = output_limit(nbytes, stored.size, MAX_RATIO)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(stored, limit + 1)
        except zlib.error as error:
            raise self.corrupt(f"cannot inflate the member: {error}") from error
        self.require(len(content) <= limit, f"the member holds more than {limit} bytes")
        self.require(inflater.eof, "the member is cut short")
        return octets(content)


class ZipMemberCodec(ZarrTwin, of=ZipMember):
    """Zarr v3 codec `virtualizarr.zip_member`."""


class ZipMemberNumcodec(NumcodecsTwin, of=ZipMember):
    """numcodecs codec `virtualizarr.zip_member`."""
