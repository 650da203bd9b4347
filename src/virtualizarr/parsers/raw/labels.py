"""Reading the label in front of a file's data: as many bytes as it takes to see its END."""

from __future__ import annotations

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.beside import HEAD, MAX_HEADER, FoundFile
from virtualizarr.parsers.raw.pvl import Block, decode_label
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

GROWTH = 16


def read_label(found: FoundFile, start: int = 0) -> Reading[Block]:
    """Return the label of a file whose first 64 KiB are known, from byte `start` on.

    A label that the file's end cuts off counts as whole. Raises CorruptFileError for one without an
    end within 16 MiB.
    """
    head = found.head
    wanted = HEAD
    while True:
        label = decode_label(head[start:])
        if label.is_whole or len(head) < wanted:
            return label.root
        if wanted >= MAX_HEADER:
            raise CorruptFileError(f"the label has no END within {MAX_HEADER:,} bytes")
        wanted = min(wanted * GROWTH, MAX_HEADER)
        (answer,) = yield [ByteRange(0, wanted)]
        head = memoryview(answer)


def keywords_of(block: Block, *, depth: int = 0) -> dict[str, str | list[str]]:
    """Return the values of a block and of the blocks in it, by their path with colons."""
    found: dict[str, str | list[str]] = {}
    for key, spelled in block.spelled.items():
        texts = block.texts(key)
        first = block.scalar(key)
        unit = first.unit if first is not None else None
        if len(texts) == 1:
            found[spelled] = f"{texts[0]} <{unit}>" if unit else texts[0]
        else:
            found[spelled] = texts
    if depth < 8:
        for each in block.blocks:
            for key, value in keywords_of(each, depth=depth + 1).items():
                found.setdefault(f"{each.name}:{key}", value)
    return found
