"""Reading the IFDs of a file: the chain, the SubIFDs below it, and their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.tiff.decode import (
    HEADER_SIZE,
    decode_entries,
    decode_header,
    decode_values,
    ifd_size,
)
from virtualizarr.parsers.tiff.layout import Entries, Field, Header, Ifd, Tag
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, Stat

IFD_READ = 4096
"""Bytes asked for at the place of an IFD: most IFDs and their short values lie within."""

MAX_DEPTH = 8
SHARED_VALUES = 4
"""Values of one file may lie over one another, but not add up to more than this many files."""

LARGEST_IFD = 1 << 30
"""The most bytes of an IFD, or of the values of a tag, in a file whose size is not known."""

AHEAD = 64
"""IFDs asked for at once where the chain runs at even distances."""


@dataclass(slots=True)
class Walk:
    """What was seen of the file on the way: nothing is read twice, nor more than there is."""

    header: Header
    facts: FileFacts
    seen: set[int] = field(default_factory=set)
    nbytes: int = 0

    def enter(self, entries: Entries) -> None:
        """Count an IFD. Raises CorruptFileError if all together exceed the file."""
        self.nbytes += entries.nbytes
        if self.facts.size is not None and self.nbytes > self.facts.size:
            raise CorruptFileError("the IFDs lie over one another", at=entries.at)

    def check_new(self, at: int) -> None:
        """Raise CorruptFileError if an IFD was there before: the chain runs in a circle."""
        if at in self.seen:
            raise CorruptFileError("the chain of IFDs runs in a circle", at=at)
        self.seen.add(at)


def read_ifds() -> Reading[tuple[Header, FileFacts, list[Ifd]]]:
    """Read all IFDs, in the order of the chain, each followed by its SubIFDs.

    One round for the header, one for each IFD of the chain that a source does not hold yet, one for
    a level of SubIFDs, one for all values. Raises CorruptFileError for a broken structure.
    """
    start, facts = yield [ByteRange(0, IFD_READ), Stat()]
    header = decode_header(start[:HEADER_SIZE])
    walk = Walk(header, facts)
    chain = yield from _chain(walk, header.first, start)
    if not chain:
        raise CorruptFileError("the file has no IFD", at=4)
    found = [(str(i), entries) for i, entries in enumerate(chain)]
    tree = yield from _with_subifds(walk, found)
    ifds = yield from _with_values(walk, tree)
    return header, facts, ifds


def _chain(walk: Walk, first: int, start: memoryview) -> Reading[list[Entries]]:
    """Follow the chain from `first` to its end; `start` holds the beginning of the file."""
    held = {first: start[first:]} if first < len(start) else {}
    chain: list[Entries] = []
    at = first
    while at != 0:
        walk.check_new(at)
        data = held.pop(at, None)
        if data is None or not _is_whole(walk.header, data):
            held = yield from _ask(walk, at, chain)
            data = held.pop(at)
        entries = yield from _read_entries(walk, at, data)
        chain.append(entries)
        at = entries.following
    return chain


def _is_whole(header: Header, data: memoryview) -> bool:
    size = ifd_size(header, data)
    return size is not None and size <= len(data)


def _ask(walk: Walk, at: int, chain: Sequence[Entries]) -> Reading[dict[int, memoryview]]:
    """Ask for the IFD at `at`, and where the last ones lay evenly, for those to be expected."""
    places = [at]
    if len(chain) > 1:
        stride = at - chain[-1].at
        if stride == chain[-1].at - chain[-2].at and abs(stride) >= chain[-1].nbytes:
            places += [at + i * stride for i in range(1, AHEAD)]
    size = walk.facts.size if walk.facts.size is not None else at + 1
    places = [place for place in places if place == at or 0 < place < size]
    answers = yield [ByteRange(place, place + IFD_READ) for place in places]
    return dict(zip(places, answers, strict=True))


def _read_entries(walk: Walk, at: int, data: memoryview) -> Reading[Entries]:
    """Decode the IFD at `at`, which begins with `data`; asks for the rest of a long one."""
    size = ifd_size(walk.header, data)
    needed = size - walk.header.offset_size if size is not None else 0
    if size is not None and size > len(data):
        if _beyond(walk, at, needed):
            raise CorruptFileError("an IFD reaches beyond the end of the file", at=at)
        (data,) = yield [ByteRange(at, at + size)]
    if size is None or needed > len(data):
        raise CorruptFileError("the file ends inside an IFD", at=at + len(data))
    entries = decode_entries(walk.header, data, at)
    walk.enter(entries)
    return entries


def _beyond(walk: Walk, at: int, nbytes: int) -> bool:
    """Say whether `nbytes` bytes from `at` on are more than the file, or any file, has."""
    size = walk.facts.size
    return nbytes > LARGEST_IFD if size is None else at + nbytes > size


def _with_subifds(
    walk: Walk, found: Sequence[tuple[str, Entries]], depth: int = 0
) -> Reading[list[tuple[str, Entries]]]:
    """Return the IFDs with those below them, a level at a time."""
    asked = [(path, entries.fields.get(Tag.SUB_IFDS), entries) for path, entries in found]
    if not any(sub is not None for _, sub, _ in asked):
        return list(found)
    if depth == MAX_DEPTH:
        raise CorruptFileError(f"SubIFDs more than {MAX_DEPTH} levels deep", at=found[0][1].at)
    tables = yield from _sub_offsets(walk, [(sub, entries) for _, sub, entries in asked])
    below: list[tuple[str, int]] = []
    for (path, _, _), table in zip(asked, tables, strict=True):
        below += [(f"{path}/{i}", at) for i, at in enumerate(table)]
    for _, at in below:
        walk.check_new(at)
    answers = yield [ByteRange(at, at + IFD_READ) for _, at in below]
    children: list[tuple[str, Entries]] = []
    for (path, at), data in zip(below, answers, strict=True):
        entries = yield from _read_entries(walk, at, data)
        children.append((path, entries))
    deeper = yield from _with_subifds(walk, children, depth + 1)
    return list(_merged(found, deeper))


def _merged(
    parents: Sequence[tuple[str, Entries]], children: Sequence[tuple[str, Entries]]
) -> Iterator[tuple[str, Entries]]:
    """Yield each parent followed by what lies below it."""
    below: dict[str, list[tuple[str, Entries]]] = {}
    depth = parents[0][0].count("/") + 1
    for path, entries in children:
        below.setdefault("/".join(path.split("/")[:depth]), []).append((path, entries))
    for path, entries in parents:
        yield path, entries
        yield from below.get(path, ())


def _sub_offsets(
    walk: Walk, asked: Sequence[tuple[Field | None, Entries]]
) -> Reading[list[list[int]]]:
    """Return the offsets of the SubIFDs of each IFD; zeros, which stand for none, left out."""
    far = [sub for sub, entries in asked if sub is not None and sub.tag not in entries.inline]
    _check_values(walk, far)
    answers = iter((yield [ByteRange(sub.at, sub.at + sub.nbytes) for sub in far]) if far else ())
    tables: list[list[int]] = []
    for sub, entries in asked:
        if sub is None:
            tables.append([])
            continue
        data = entries.inline[sub.tag] if sub.tag in entries.inline else next(answers)
        values = decode_values(walk.header, sub, data)
        if values.dtype.kind != "u":
            raise CorruptFileError("the SubIFDs tag holds no offsets", at=sub.at)
        tables.append([at for at in values.tolist() if at])
    return tables


def _with_values(walk: Walk, tree: Sequence[tuple[str, Entries]]) -> Reading[list[Ifd]]:
    """Return the IFDs with all their values, asked for at once."""
    far = [one for _, ifd in tree for tag, one in ifd.fields.items() if tag not in ifd.inline]
    _check_values(walk, far)
    answers = iter((yield [ByteRange(one.at, one.at + one.nbytes) for one in far]) if far else ())
    ifds: list[Ifd] = []
    for path, entries in tree:
        values = {}
        for tag, one in entries.fields.items():
            data = entries.inline[tag] if tag in entries.inline else next(answers)
            values[tag] = decode_values(walk.header, one, data)
        ifds.append(Ifd(path, entries.at, walk.header.endian, values))
    return ifds


def _check_values(walk: Walk, far: Sequence[Field]) -> None:
    """Raise CorruptFileError for values beyond the end of the file, or more than it can hold."""
    size = walk.facts.size
    for one in far:
        if _beyond(walk, one.at, one.nbytes):
            raise CorruptFileError(
                f"the {one.nbytes} bytes of tag {one.tag} end beyond the end of the file", at=one.at
            )
    if size is None:
        return
    if sum(one.nbytes for one in far) > SHARED_VALUES * size + IFD_READ:
        raise CorruptFileError("the values of tags lie over one another", at=far[0].at)
