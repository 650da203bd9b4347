"""The document as a whole."""

from __future__ import annotations

from virtualizarr.errors import CorruptFileError
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, Stat

FIRST_READ = 1024 * 1024


def read_document() -> Reading[bytes]:
    """Read the whole file: one round for up to `FIRST_READ` bytes, else two.

    More where its size is not known beforehand.
    """
    first, facts = yield [ByteRange(0, FIRST_READ), Stat()]
    if facts.size is None:
        pieces = [first]
        while len(pieces[-1]) >= FIRST_READ:
            start = sum(map(len, pieces))
            (piece,) = yield [ByteRange(start, 2 * start)]
            pieces.append(piece)
        return b"".join(pieces)
    pieces = [first]
    if facts.size > FIRST_READ:
        (rest,) = yield [ByteRange(FIRST_READ, facts.size)]
        pieces.append(rest)
    document = b"".join(pieces)
    if len(document) < facts.size:
        raise CorruptFileError("the file is shorter than its size", at=len(document))
    return document
