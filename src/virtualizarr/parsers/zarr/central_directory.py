"""The central directory of a zip archive, decoded as columns.

Specification: APPNOTE.TXT 6.3, sections 4.3.12 and 4.5.3. Pure; `archive` reads the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.model.inline import gathered
from virtualizarr.parsers.zarr.columns import Int64s

MAX_EXTRA_FIELDS = 64
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
        for place, number in enumerate(order, 1)
        if not names[number].endswith("/")
        and (place == len(order) or names[order[place]] != names[number])
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
