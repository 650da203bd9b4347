"""Reading: the data descriptors, and the contents of elements wherever their parts lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, UnknownFormatError, UnsupportedFeatureError
from virtualizarr.parsers.hdf4.decode import Fields
from virtualizarr.parsers.hdf4.descriptors import Descriptors, decode_blocks
from virtualizarr.parsers.hdf4.layout import (
    DFTAG_CHUNK,
    DFTAG_COMPRESSED,
    DFTAG_LINKED,
    DFTAG_VS,
    MAGIC,
    SPECIAL_COMP,
    SPECIAL_LINKED,
    Extents,
    Int64s,
    Key,
)
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.reading import Reading, Stat

FIRST_READ = 64 * 1024
MOST_READ = 16 * 1024 * 1024
GROWTH = 4
EAGER_BYTES, EAGER_TOTAL = 64 * 1024, 4 * 1024 * 1024
MAX_ELEMENT = 64 * 1024 * 1024
HEADER_BYTES = 32
MAX_LINK_TABLES = 65536


@dataclass(slots=True)
class OpenFile:
    """The descriptors of a file and what was read of it: `held` by tag and ref.

    `headers` are the first bytes of special elements that there may be one of for each chunk, by
    the number of their descriptor.
    """

    url: str
    facts: FileFacts
    descriptors: Descriptors
    held: dict[Key, memoryview] = field(default_factory=dict)
    headers: dict[int, bytes] = field(default_factory=dict)

    def header_of(self, key: Key) -> Fields:
        """Return a cursor over the description of a special element.

        Raises CorruptFileError for one that was never written.
        """
        if key not in self.held:
            raise CorruptFileError(f"element {key} (tag, ref) was never written")
        return Fields(self.held[key], f"the description of element {key}")


def read_descriptors(url: str) -> Reading[OpenFile]:
    """Read the chain of descriptor blocks; one round each for those that lie far apart.

    With the first that lies far away the file's end is read, where metadata tend to be.
    """
    head, facts = yield [ByteRange(0, FIRST_READ), Stat()]
    if bytes(head[:4]) != MAGIC:
        raise UnknownFormatError(f"not an HDF4 file: it starts with {bytes(head[:4])!r}")
    windows: list[tuple[int, memoryview]] = [(0, memoryview(head))]
    parts: list[Any] = []
    seen: set[int] = set()
    at, wanted = len(MAGIC), FIRST_READ
    while at:
        part, following, needed = decode_blocks(windows, at)
        if part is None:
            asked = [ByteRange(at, at + max(wanted, needed))]
            if len(windows) == 1 and facts.size is not None:
                asked.append(ByteRange(max(0, facts.size - FIRST_READ), facts.size))
            answers = yield asked
            windows += [
                (each.start, memoryview(found)) for each, found in zip(asked, answers, strict=True)
            ]
            if len(answers[0]) < needed:
                raise CorruptFileError("the file ends inside its data descriptors", at=at)
            wanted = min(wanted * GROWTH, MOST_READ)
            continue
        if at in seen:
            raise CorruptFileError("the chain of data descriptor blocks is a circle", at=at)
        seen.add(at)
        parts.append(part)
        at = following
    return OpenFile(url, facts, Descriptors.of(parts, facts.size))


def read_metadata(file: OpenFile, tags: Sequence[int]) -> Reading[None]:
    """Hold all elements of `tags`, small tables, and the descriptions of special elements."""
    dds = file.descriptors
    rows = np.flatnonzero(np.isin(dds.tag, tags) & ~dds.special & dds.present)
    small = np.isin(dds.tag, (DFTAG_VS, DFTAG_LINKED)) & ~dds.special & dds.present
    eager = np.flatnonzero(small & (dds.length <= EAGER_BYTES))
    eager = eager[np.cumsum(dds.length[eager]) <= EAGER_TOTAL]
    many = dds.special & dds.present & np.isin(dds.tag, (DFTAG_CHUNK, DFTAG_COMPRESSED))
    single = np.flatnonzero(dds.special & dds.present & ~many)
    chosen = np.concatenate([rows, eager, single])
    _check_size(dds.length[chosen], file.facts.size)
    ranges = dds.ranges(chosen)
    blocks = np.flatnonzero(many)
    *answers, found = yield [*ranges, ByteBlocks(dds.offset[blocks], HEADER_BYTES)]
    _hold(file, dds.keys(chosen), ranges, answers)
    file.headers.update(zip(blocks.tolist(), map(bytes, np.asarray(found)), strict=True))


def fetch(file: OpenFile, keys: Iterable[Key]) -> Reading[list[memoryview]]:
    """Return the contents of elements; those held already cost no round.

    Raises CorruptFileError for one that is not there, UnsupportedFeatureError for one that is
    stored compressed or elsewhere.
    """
    keys = list(keys)
    if all(key in file.held and not _special(file, key) for key in keys):
        return [file.held[key] for key in keys]
    lacking = [key for key in dict.fromkeys(keys) if key not in file.held or _special(file, key)]
    places = yield from extents_of(file, lacking)
    ranges = [
        ByteRange(start, start + size)
        for place in places
        for start, size in zip(place.offset.tolist(), place.length.tolist(), strict=True)
    ]
    _check_size(np.array([each.size for each in ranges], np.int64), file.facts.size)
    answers: Sequence[Any] = (yield ranges) if ranges else []
    for each, answer in zip(ranges, answers, strict=True):
        _check_whole(each, answer)
    supply = iter(answers)
    found: dict[Key, memoryview] = {}
    for key, place in zip(lacking, places, strict=True):
        parts = [next(supply) for _ in range(len(place.offset))]
        found[key] = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
    file.held.update({key: found[key] for key in lacking if not _special(file, key)})
    return [found[key] if key in found else file.held[key] for key in keys]


def _special(file: OpenFile, key: Key) -> bool:
    row = file.descriptors.find(key)
    return row >= 0 and bool(file.descriptors.special[row])


def extents_of(file: OpenFile, keys: Sequence[Key]) -> Reading[list[Extents]]:
    """Return where the parts of elements lie, following linked blocks: a round for their tables."""
    dds = file.descriptors
    found: dict[Key, Extents] = {}
    linked: dict[Key, tuple[int, int, int]] = {}
    for key in keys:
        row = dds.find(key)
        if row < 0:
            raise CorruptFileError(f"element {key} (tag, ref) is named and is not there")
        if not dds.special[row]:
            found[key] = dds.extents(row)
            continue
        linked[key] = _linked_header(file, key, row)
    yield from _follow_links(file, linked, found)
    return [found[key] for key in keys]


def _linked_header(file: OpenFile, key: Key, row: int) -> tuple[int, int, int]:
    """Return length, blocks to a table and ref of the first table of linked blocks."""
    raw = file.held[key] if key in file.held else memoryview(file.headers.get(row, b""))
    header = Fields(raw, f"the description of element {key}")
    (code,) = header.take("H")
    if code != SPECIAL_LINKED:
        what = "compressed" if code == SPECIAL_COMP else f"special element {code}"
        raise UnsupportedFeatureError(
            f"element {key} is {what}, which is read for the data of variables only"
        )
    length, _, count, ref = header.take("iiiH")
    if length < 0 or count < 1 or count > 65536:
        raise CorruptFileError(f"element {key} has {length} bytes in tables of {count} blocks")
    return length, count, ref


def _follow_links(
    file: OpenFile, linked: dict[Key, tuple[int, int, int]], found: dict[Key, Extents]
) -> Reading[None]:
    dds = file.descriptors
    refs: dict[Key, list[Int64s]] = {key: [] for key in linked}
    ahead = {key: ref for key, (_, _, ref) in linked.items()}
    for _ in range(MAX_LINK_TABLES):
        waiting = [key for key, ref in ahead.items() if ref]
        if not waiting:
            break
        tables = [(DFTAG_LINKED, ahead[key]) for key in waiting]
        if any(_special(file, table) for table in tables):
            raise CorruptFileError("a table of linked blocks is a special element itself")
        contents = yield from fetch(file, tables)
        for key, content in zip(waiting, contents, strict=True):
            _, count, _ = linked[key]
            raw = Fields(content, f"a table of linked blocks of {key}").raw(2 * (count + 1))
            numbers = np.frombuffer(raw, ">u2").astype(np.int64)
            refs[key].append(numbers[1:])
            if len(refs[key]) * count > dds.count + count:
                raise CorruptFileError(f"the linked blocks of {key} go in a circle")
            ahead[key] = int(numbers[0])
    for key, (length, _, _) in linked.items():
        found[key] = _linked_extents(file, key, refs[key], length)


def _linked_extents(file: OpenFile, key: Key, refs: Sequence[Int64s], length: int) -> Extents:
    dds = file.descriptors
    blocks = np.concatenate([np.empty(0, np.int64), *refs])
    used = np.flatnonzero(blocks)
    blocks = blocks[: used[-1] + 1] if len(used) else blocks[:0]
    rows = dds.rows(DFTAG_LINKED, blocks)
    if (rows < 0).any() or dds.special[rows].any() or not dds.present[rows].all():
        raise UnsupportedFeatureError(f"element {key} has linked blocks that were never written")
    place = Extents(dds.offset[rows], dds.length[rows])
    if place.total < length:
        raise UnsupportedFeatureError(
            f"element {key} has {place.total} of {length} bytes in its linked blocks"
        )
    return place.within(0, length)


def _hold(
    file: OpenFile, keys: Sequence[Key], ranges: Sequence[ByteRange], answers: Sequence[Any]
) -> None:
    for key, each, answer in zip(keys, ranges, answers, strict=True):
        _check_whole(each, answer)
        file.held[key] = memoryview(answer)


def _check_whole(asked: ByteRange, answer: Any) -> None:
    if len(answer) < asked.size:
        raise CorruptFileError(
            f"the file ends at byte {asked.start + len(answer)}, an element at {asked.stop}",
            at=asked.start,
        )


def _check_size(lengths: Int64s, size: int | None) -> None:
    total, largest = int(lengths.sum()), int(lengths.max(initial=0))
    if largest > MAX_ELEMENT or (size is not None and total > 4 * size + MAX_ELEMENT):
        raise UnsupportedFeatureError(f"metadata of {total:,} bytes, {largest:,} in one element")
