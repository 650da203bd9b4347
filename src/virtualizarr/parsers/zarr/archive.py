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
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import Location
from virtualizarr.model.inline import gathered
from virtualizarr.model.metadata import CodecJson
from virtualizarr.parsers.zarr.columns import Int64s, Rows
from virtualizarr.parsers.zarr.places import Found
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.reading import Reading, Stat

LOCAL_HEADER = b"PK\x03\x04"
EMPTY_ARCHIVE = b"PK\x05\x06"
MAX_COMMENT = 65_535
STORED, DEFLATED = 0, 8
MAX_DEFLATED_DOCUMENT = 256 * 1024 * 1024
MAX_EXTRA_FIELDS = 64
MEMBER_CODEC: CodecJson = {"name": "virtualizarr.zip_member", "configuration": {}}

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_END64_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_CENTRAL = np.dtype(  # 4.3.12
    [
        ("signature", "S4"),
        ("version_made_by", "<u2"),
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
        ("comment_length", "<u2"),
        ("disk", "<u2"),
        ("internal", "<u2"),
        ("external", "<u4"),
        ("header_offset", "<u4"),
    ]
)
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
_FULL = 0xFFFF_FFFF
_ENCRYPTED = 1


class Directory(NamedTuple):
    """Where the central directory lies, and how many members it has.

    `shift` is how many bytes precede the archive in its file, as in self-extracting ones.
    """

    start: int
    size: int
    members: int
    shift: int


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """The members of an archive, sorted by name, the last of each name alone, as columns.

    Offsets are from the file's start and sizes in bytes: `header` is where a member's local header
    begins, `data` where its bytes do (0 until the header is read), `stored` how many there are, and
    `size` what they become.
    """

    names: Sequence[str]
    method: npt.NDArray[np.uint16]
    encrypted: npt.NDArray[np.bool_]
    header: Int64s
    data: Int64s
    stored: Int64s
    size: Int64s

    def below(self, prefix: str) -> Members:
        """Return the members whose name begins with `prefix`, without it."""
        kept = [i for i, name in enumerate(self.names) if name.startswith(prefix)]
        names = [self.names[i][len(prefix) :] for i in kept]
        at = np.array(kept, np.int64)
        return Members(
            names,
            self.method[at],
            self.encrypted[at],
            self.header[at],
            self.data[at],
            self.stored[at],
            self.size[at],
        )


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
        starts = start(members.stored[which])
        if (starts < 0).any():
            name = self.names[int(which[int(np.argmax(starts < 0))])]
            raise CorruptFileError(f"{name!r} is shorter than {size} bytes")
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


def decode_members(central: npt.NDArray[np.uint8], directory: Directory) -> Members:
    """Decode the central directory (4.3.12), vectorised. The members' data are not located yet."""
    starts = _record_starts(central, directory)
    table = _structured(central, starts, _CENTRAL)
    lengths = table["name_length"].astype(np.int64)
    names = _names(central, starts + _CENTRAL.itemsize, lengths)
    stored, size, header = _zip64(central, starts, table)
    order = sorted(range(len(names)), key=names.__getitem__)
    last = [
        number
        for number, following in zip(order, [*order[1:], None], strict=True)
        if not names[number].endswith("/")
        and (following is None or names[following] != names[number])
    ]
    at = np.array(last, np.int64)
    return Members(
        [names[number] for number in last],
        table["method"][at],
        (table["flags"][at] & _ENCRYPTED) != 0,
        header[at] + directory.shift,
        np.zeros(len(at), np.int64),
        stored[at],
        size[at],
    )


def _record_starts(central: npt.NDArray[np.uint8], directory: Directory) -> Int64s:
    """Return where the records of the central directory begin."""
    raw = central.tobytes()
    if not raw:
        return np.zeros(0, np.int64)
    word = np.frombuffer(raw + bytes(3), np.uint8)
    wanted = (word[:-3] == 0x50) & (word[1:-2] == 0x4B) & (word[2:-1] == 1) & (word[3:] == 2)
    starts = np.flatnonzero(wanted)
    starts = starts[starts + _CENTRAL.itemsize <= len(raw)]
    stops = _record_stops(central, starts)
    chained = len(starts) and starts[0] == 0 and (stops[:-1] == starts[1:]).all()
    if not chained:  # a signature inside a name or an extra field: follow the records one by one
        following = dict(zip(starts.tolist(), stops.tolist(), strict=True))
        chain, at = [], 0
        while at in following:
            chain.append(at)
            at = following[at]
        starts = np.array(chain, np.int64)
        stops = _record_stops(central, starts)
    if len(starts) % 2**16 != directory.members % 2**16 or (len(stops) and stops[-1] > len(raw)):
        raise CorruptFileError(
            f"the central directory holds {len(starts)} members, not {directory.members}",
            at=directory.start,
        )
    return starts


def _record_stops(central: npt.NDArray[np.uint8], starts: Int64s) -> Int64s:
    table = _structured(central, starts, _CENTRAL)
    stops = starts + _CENTRAL.itemsize
    for name in ("name_length", "extra_length", "comment_length"):
        stops = stops + table[name].astype(np.int64)
    return stops


def _structured(
    data: npt.NDArray[np.uint8], starts: Int64s, dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    rows = data[starts[:, None] + np.arange(dtype.itemsize)]
    return np.ascontiguousarray(rows).view(dtype).reshape(-1)


def _names(central: npt.NDArray[np.uint8], starts: Int64s, lengths: Int64s) -> list[str]:
    """Return all names, gathered as lines of one text."""
    if not len(starts):
        return []
    padded = np.append(central, np.uint8(0)).tobytes()
    text = gathered(padded, starts, lengths + 1)
    text[np.cumsum(lengths + 1) - 1] = ord("\n")
    raw = text.tobytes()[:-1]
    try:
        names = raw.decode().split("\n")
    except UnicodeDecodeError:
        names = raw.decode("cp437").split("\n")  # appendix D.1
    if len(names) != len(starts):
        raise CorruptFileError("a name in the central directory has a line break in it")
    return names


def _zip64(
    central: npt.NDArray[np.uint8], starts: Int64s, table: npt.NDArray[Any]
) -> tuple[Int64s, Int64s, Int64s]:
    """Return stored size, size and header offset, from the Zip64 extra field (4.5.3) if need be."""
    fields = ("uncompressed_size", "compressed_size", "header_offset")
    columns = {name: table[name].astype(np.int64) for name in fields}
    large = np.flatnonzero(np.any([columns[name] == _FULL for name in fields], axis=0))
    if len(large):
        at = _extra_field(central, starts[large], table[large])
        end = len(central)
        for name in fields:
            full = columns[name][large] == _FULL
            if (at[full] + 8 > end).any():
                raise CorruptFileError("a Zip64 extra field is cut short")
            words = central[at[full][:, None] + np.arange(8)]
            values = np.ascontiguousarray(words).view("<i8").reshape(-1)
            columns[name][large[full]] = values
            at = at + 8 * full
    if any((column < 0).any() for column in columns.values()):
        raise CorruptFileError("the central directory holds offsets beyond any file")
    return columns["compressed_size"], columns["uncompressed_size"], columns["header_offset"]


def _extra_field(central: npt.NDArray[np.uint8], starts: Int64s, table: npt.NDArray[Any]) -> Int64s:
    """Return where the data of each record's Zip64 extra field begin."""
    at = starts + _CENTRAL.itemsize + table["name_length"]
    stop = at + table["extra_length"]
    found = np.full(len(at), -1, np.int64)
    for _ in range(MAX_EXTRA_FIELDS):
        open_ = (found < 0) & (at + 4 <= stop) & (at + 4 <= len(central))
        if not open_.any():
            break
        head = central[np.where(open_, at, 0)[:, None] + np.arange(4)]
        words = np.ascontiguousarray(head).view("<u2").astype(np.int64)
        found = np.where(open_ & (words[:, 0] == 1), at + 4, found)
        at = np.where(open_, at + 4 + words[:, 1], at)
    if (found < 0).any():
        raise CorruptFileError("a member needs a Zip64 extra field and has none")
    return found


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
