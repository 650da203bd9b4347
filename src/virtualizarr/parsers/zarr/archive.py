"""Zip archives that hold a Zarr store.

Specification: APPNOTE.TXT 6.3, ".ZIP File Format Specification"; section numbers below are its own.
Read are members that are stored or deflated, also in Zip64 form (4.5.3). Not read: encrypted
members, other compression methods, and archives that are split over several files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import Location
from virtualizarr.model.metadata import CodecJson
from virtualizarr.parsers.zarr.central_directory import Directory, Members, decode_members
from virtualizarr.parsers.zarr.columns import Int64s, Rows
from virtualizarr.parsers.zarr.places import Found, check_sizes
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.reading import Reading, Stat

LOCAL_HEADER = b"PK\x03\x04"
EMPTY_ARCHIVE = b"PK\x05\x06"
MAX_COMMENT = 65_535
STORED, DEFLATED = 0, 8
MAX_DEFLATED_DOCUMENT = 256 * 1024 * 1024
MEMBER_CODEC: CodecJson = {"name": "virtualizarr.zip_member", "configuration": {}}

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_END64_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_LOCAL = np.dtype(  # 4.3.7
    [
        ("signature", "S4"),
        ("version_needed", "<u2"),
        ("flags", "<u2"),
        ("method", "<u2"),
        ("time", "<u2"),
        ("date", "<u2"),
        ("crc32", "<u4"),
        ("compressed_size", "<u4"),
        ("uncompressed_size", "<u4"),
        ("name_length", "<u2"),
        ("extra_length", "<u2"),
    ]
)


def first_file(start: bytes) -> str:
    """Return the name of the first member that is no directory, "" if it is not in `start`."""
    at = 0
    while start.startswith(LOCAL_HEADER, at) and at + _LOCAL.itemsize < len(start):
        local = np.frombuffer(start, _LOCAL, 1, at)[0]
        begin = at + _LOCAL.itemsize
        at = begin + int(local["name_length"])
        name = start[begin:at].decode("utf-8", "replace")
        if not name.endswith("/"):
            return name
        at += int(local["extra_length"])
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """A zip archive as a place of keys."""

    location: Location
    members: Members

    @property
    def names(self) -> Sequence[str]:
        return self.members.names

    def whole(self, names: Sequence[str]) -> Reading[list[Found]]:
        numbers = {name: number for number, name in enumerate(self.names)}
        known = [numbers[name] for name in names if name in numbers]
        members = self.members
        starts = members.data[known].tolist()
        stops = (members.data[known] + members.stored[known]).tolist()
        data = yield [ByteRange(a, b) for a, b in zip(starts, stops, strict=True)]
        found = {
            self.names[number]: self._content(number, piece)
            for number, piece in zip(known, data, strict=True)
        }
        missing = CorruptFileError("there is no such member in the archive")
        return [found.get(name, missing) for name in names]

    def _content(self, number: int, data: memoryview) -> Found:
        members = self.members
        if len(data) < members.stored[number]:
            start = int(members.data[number])
            return CorruptFileError("the archive ends inside a member", at=start)
        if members.encrypted[number] or members.method[number] not in (STORED, DEFLATED):
            return self._unread(number)
        if members.method[number] == STORED:
            return data
        limit = min(int(members.size[number]), MAX_DEFLATED_DOCUMENT)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(data, limit + 1)
        except zlib.error as error:
            return CorruptFileError(f"{self.names[number]!r} cannot be inflated: {error}")
        if len(content) != members.size[number] or not inflater.eof:
            return CorruptFileError(f"{self.names[number]!r} has not the size that it declares")
        return content

    def _unread(self, number: int) -> UnsupportedFeatureError:
        what = (
            "is encrypted"
            if self.members.encrypted[number]
            else f"is compressed by method {self.members.method[number]}"
        )
        return UnsupportedFeatureError(f"the member {self.names[number]!r} of the archive {what}")

    def ranges(
        self, which: Int64s, start: Callable[[Int64s], Int64s], size: int
    ) -> Reading[npt.NDArray[np.uint8]]:
        members = self.members
        if (members.method[which] != STORED).any():
            raise UnsupportedFeatureError("parts of compressed members of an archive")
        sizes = members.stored[which]
        check_sizes([self.names[number] for number in which.tolist()], sizes, size)
        starts = start(sizes)
        (found,) = yield [ByteBlocks(members.data[which] + starts, size)]
        return found  # type: ignore[no-any-return]

    def references(self, which: Int64s, cells: Int64s) -> tuple[Rows, CodecJson | None]:
        members = self.members
        method = members.method[which]
        known = ((method == STORED) | (method == DEFLATED)) & ~members.encrypted[which]
        if not known.all():
            raise self._unread(int(which[int(np.argmin(known))]))
        plain = bool((method == STORED).all())
        start = members.data[which] if plain else members.header[which]
        length = members.data[which] + members.stored[which] - start
        rows = Rows(
            cells,
            (self.location,) if len(which) else (),
            np.zeros(len(which), np.uint32),
            start.astype(np.uint64),
            length.astype(np.uint64),
        )
        return rows, None if plain else MEMBER_CODEC


def read_archive(url: str) -> Reading[Archive]:
    """Read which members an archive has and where: its end, its directory, the local headers."""
    (facts,) = yield [Stat()]
    if facts.size is None:
        raise UnsupportedFeatureError("a zip archive whose size the server does not tell")
    begin = max(0, facts.size - MAX_COMMENT - _END.size - _END64_LOCATOR.size)
    (tail,) = yield [ByteRange(begin, facts.size)]
    directory = yield from _read_directory_end(bytes(tail), begin, facts.size)
    (central,) = yield [ByteRange(directory.start, directory.start + directory.size)]
    if len(central) < directory.size:
        raise CorruptFileError("the central directory is cut short", at=directory.start)
    members = decode_members(np.frombuffer(central, np.uint8), directory)
    located = yield from _read_local_headers(members, facts.size)
    return Archive(_location(url, facts), located)


def _location(url: str, facts: FileFacts) -> Location:
    return Location(url, facts.size, facts.etag, facts.last_modified)


def _read_directory_end(tail: bytes, begin: int, size: int) -> Reading[Directory]:
    """Find the end of central directory record (4.3.16), and its Zip64 form where there is one."""
    at = tail.rfind(EMPTY_ARCHIVE)
    if at < 0 or len(tail) - at < _END.size:
        raise CorruptFileError(
            "the zip archive has no end of central directory record: it is not complete", at=size
        )
    _, disk, start_disk, _, members, length, start, _ = _END.unpack_from(tail, at)
    if disk not in (0, 0xFFFF) or start_disk not in (0, 0xFFFF):
        raise UnsupportedFeatureError("a zip archive that is split over several files")
    end = begin + at
    before = at - _END64_LOCATOR.size
    if before >= 0 and tail[before : before + 4] == b"PK\x06\x07":
        _, _, record, _ = _END64_LOCATOR.unpack_from(tail, before)
        (found,) = yield [ByteRange(min(record, size), min(record, size) + _END64.size)]
        if len(found) < _END64.size or bytes(found[:4]) != b"PK\x06\x06":
            raise CorruptFileError("the Zip64 end of central directory is not there", at=record)
        *_, members, length, start = _END64.unpack(found)
        end = record
    shift = end - length - start
    if shift < 0:
        raise CorruptFileError(
            f"the central directory is declared to lie at byte {start}, {length} bytes long", at=end
        )
    return Directory(start + shift, length, members, shift)


def _read_local_headers(members: Members, size: int) -> Reading[Members]:
    """Find where each member's data begin: after its local header (4.3.7), whose parts vary."""
    if not len(members.header):
        return members
    if (members.header > size - _LOCAL.itemsize).any():
        raise CorruptFileError("a member lies beyond the archive's end")
    (blocks,) = yield [ByteBlocks(members.header, _LOCAL.itemsize)]
    local = np.ascontiguousarray(blocks).view(_LOCAL).reshape(-1)
    data = members.header + _LOCAL.itemsize + local["name_length"] + local["extra_length"]
    wrong = (local["signature"] != LOCAL_HEADER) | (local["method"] != members.method)
    wrong |= data + members.stored > size
    if wrong.any():
        number = int(np.argmax(wrong))
        raise CorruptFileError(
            f"the local header of member {members.names[number]!r} does not fit the directory",
            at=int(members.header[number]),
        )
    return Members(
        members.names,
        members.method,
        members.encrypted,
        members.header,
        data.astype(np.int64),
        members.stored,
        members.size,
    )
