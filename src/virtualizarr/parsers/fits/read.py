"""Walking the file from header to header."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from virtualizarr.errors import CorruptFileError, UnknownFormatError, UnsupportedFeatureError
from virtualizarr.parsers.fits.cards import BLOCK, decode_cards, end_of_header
from virtualizarr.parsers.fits.layout import HDU, hdu_of
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, Stat

FIRST_READ = 64 * 1024
HEADER_READ = 4 * BLOCK
GROWTH = 4
MAX_HEADER = 64 * 1024 * 1024
MAX_HDUS = 100_000
MAX_GUESSES = 32
MAX_PERIOD = 4

MAGIC = b"SIMPLE  ="
EXTENSION = b"XTENSION="
GZIP_MAGIC = b"\x1f\x8b"
UNIX_MAGIC = (b"\x1f\x9d", b"BZh")


class GzippedFileError(UnsupportedFeatureError):
    """The file is compressed as a whole by gzip."""


@dataclass(slots=True)
class Windows:
    """The parts of the file that were read, by offset."""

    held: dict[int, memoryview] = field(default_factory=dict)

    def at(self, offset: int) -> memoryview:
        """Return what is held from `offset` on; empty where nothing is."""
        views = [
            view[offset - start :]
            for start, view in self.held.items()
            if start <= offset < start + len(view)
        ]
        return max(views, key=len, default=memoryview(b""))

    def forget_before(self, offset: int) -> None:
        """Drop the parts that end before `offset`."""
        self.held = {at: view for at, view in self.held.items() if at + len(view) > offset}


def read_hdus() -> Reading[tuple[list[HDU], FileFacts]]:
    """Return every HDU of the file; one round each for those that lie far from the last one.

    Headers that follow at distances which repeat themselves are asked for together. What is behind
    the last HDU and is no extension ("special records", section 3.5) is left alone. Raises
    UnknownFormatError for another format, CorruptFileError for a broken or cut header.
    """
    windows = Windows()
    head, facts = yield [ByteRange(0, FIRST_READ), Stat()]
    check_magic(head)
    windows.held[0] = head
    hdus: list[HDU] = []
    at = 0
    while True:
        if facts.size is not None and at >= facts.size:
            return hdus, facts
        start = windows.at(at)
        if len(start) < len(EXTENSION) and at > 0:
            yield from _fetch(windows, hdus, at, facts.size)
            start = windows.at(at)
        if at > 0 and not _begins_extension(start, at):
            return hdus, facts
        if len(hdus) >= MAX_HDUS:
            raise UnsupportedFeatureError(f"more than {MAX_HDUS} HDUs", at=at)
        hdu = yield from _read_header(windows, len(hdus), at)
        hdus.append(hdu)
        at = hdu.next_at
        windows.forget_before(at)


def _begins_extension(start: memoryview, at: int) -> bool:
    """Say whether a header begins here; CorruptFileError where one begins and breaks off."""
    found = bytes(start[: len(EXTENSION)])
    if found and len(found) < len(EXTENSION) and EXTENSION.startswith(found):
        raise CorruptFileError("the file ends inside a header", at=at + len(found))
    return found == EXTENSION


def check_magic(head: memoryview) -> None:
    """Raise UnknownFormatError, or by name for what is compressed, unless a FITS file begins so."""
    if bytes(head[: len(MAGIC)]) == MAGIC:
        return
    if bytes(head[:2]) == GZIP_MAGIC:
        raise GzippedFileError("the file is compressed as a whole by gzip")
    if bytes(head[:3]).startswith(UNIX_MAGIC):
        raise UnsupportedFeatureError(
            "the file is compressed as a whole (compress or bzip2), so no part of it can be "
            "referred to; decompress it first"
        )
    raise UnknownFormatError(f"not a FITS file: it starts with {bytes(head[:9])!r}")


def _read_header(windows: Windows, index: int, at: int) -> Reading[HDU]:
    held = windows.at(at)
    size = end_of_header(held)
    wanted = HEADER_READ
    while size is None or len(held) < size:
        if wanted > MAX_HEADER:
            raise CorruptFileError(
                f"HDU {index}: the header has no END in {MAX_HEADER} bytes", at=at
            )
        if len(held) < wanted:
            (held,) = yield [ByteRange(at, at + wanted)]
            windows.held[at] = held
            size = end_of_header(held)
            if len(held) < wanted and (size is None or len(held) < size):
                raise CorruptFileError(
                    f"HDU {index}: the file ends inside its header", at=at + len(held)
                )
        wanted *= GROWTH
    return hdu_of(decode_cards(held[:size]), index, at, at + size)


def _fetch(windows: Windows, hdus: list[HDU], at: int, size: int | None) -> Reading[None]:
    """Read the start of the header at `at`, and of those that may follow at known distances."""
    guesses = [start for start in _guesses(hdus, at) if size is None or start < size]
    starts = [at, *guesses]
    answers = yield [ByteRange(start, start + HEADER_READ) for start in starts]
    windows.held.update(zip(starts, answers, strict=True))


def _guesses(hdus: list[HDU], at: int) -> list[int]:
    """Return where further headers may be, if the distances between the last ones go on."""
    starts = [*(hdu.header_at for hdu in hdus), at]
    gaps = [b - a for a, b in pairwise(starts)][1:]
    for period in range(1, MAX_PERIOD + 1):
        if len(gaps) >= 2 * period and gaps[-period:] == gaps[-2 * period : -period]:
            found: list[int] = []
            for i in range(min(len(gaps), MAX_GUESSES)):
                at += gaps[-period + i % period]
                found.append(at)
            return found
    return []


def exactly(start: int, stop: int) -> Reading[memoryview]:
    """Return the bytes from `start` to `stop`; CorruptFileError where the file ends before."""
    (raw,) = yield [ByteRange(start, stop)]
    if len(raw) < stop - start:
        raise CorruptFileError(f"the file ends before byte {stop}", at=start + len(raw))
    return memoryview(raw)
