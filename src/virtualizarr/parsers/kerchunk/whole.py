"""Readings of files as a whole: their content, and their sizes."""

from __future__ import annotations

from collections.abc import Sequence

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.kerchunk.columns import Sizes
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading, Stat

FIRST_READ = 1024 * 1024


def read_whole() -> Reading[bytes | memoryview]:
    """Read the whole file: one round for up to `FIRST_READ` bytes, else two.

    More where its size is not known beforehand.
    """
    first, facts = yield [ByteRange(0, FIRST_READ), Stat()]
    if len(first) < FIRST_READ:
        if facts.size is not None and len(first) < facts.size:
            raise CorruptFileError("the file is shorter than its size", at=len(first))
        return first  # type: ignore[no-any-return]
    if facts.size is not None:
        (whole,) = yield [ByteRange(0, facts.size)]
        if len(whole) < facts.size:
            raise CorruptFileError("the file is shorter than its size", at=len(whole))
        return whole  # type: ignore[no-any-return]
    pieces: list[memoryview] = [first]
    start = FIRST_READ
    while True:
        (piece,) = yield [ByteRange(start, 2 * start)]
        pieces.append(piece)
        if len(piece) < start:
            return b"".join(pieces)
        start = 2 * start


def file_sizes(urls: Sequence[str]) -> Reading[Sizes]:
    """Ask for the sizes of files, all in one round; those that are not known are left out."""
    answers = yield [Elsewhere(url, _stat()) for url in urls]
    sizes: dict[str, int] = {}
    for url, answer in zip(urls, answers, strict=True):
        if isinstance(answer, VirtualizeError):
            raise answer
        if answer.size is not None:
            sizes[url] = answer.size
    return sizes


def _stat() -> Reading[FileFacts]:
    (facts,) = yield [Stat()]
    return facts  # type: ignore[no-any-return]
