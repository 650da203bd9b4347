"""References out of JSON text, block by block, so that millions need little memory.

The text is cut where an array ends and a name begins. A cut in the wrong place, inside of a string
or of a nested value, leaves a block before it that is not JSON: then the text is decoded whole.
Blocks of nothing but `"key":["url",offset,length]` are taken apart at their quotes and commas, of
which each member has seven; a space may follow a colon or a comma.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from virtualizarr.model.evidence import OWN_KEY
from virtualizarr.parsers.kerchunk.digits import MAX_DIGITS, Int64s, Text, whole_numbers
from virtualizarr.parsers.kerchunk.table import Columns, ReferenceTable, TableBuilder

BLOCK_BYTES = 128 * 1024
TAIL = 64

_VERSION = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"version"\s*:\s*1\s*,\s*')
_OWN = re.compile(rb'"%b"\s*:\s*(?=\{)' % OWN_KEY.encode())
_REFS = re.compile(rb'"refs"\s*:\s*\{')
_OWN_END = re.compile(rb'\}\s*,\s*(?="refs"\s*:)')
_TAIL = re.compile(rb"\}\s*\}\s*\Z")
_CUT = re.compile(rb'\],\s*(?=")')
_QUOTE, _COMMA, _COLON, _SPACE = b'",: '
_OPEN, _CLOSE = b"[]"
_MARKS = np.frombuffer(b'"""",,,', np.uint8)


def table_of_text(text: bytes | memoryview) -> tuple[ReferenceTable, Any] | None:
    """Return the references of JSON text of version 1, and what our writer puts before them.

    None for text with other members and for what is not JSON. Raises CorruptFileError for keys
    that are not text of one line.
    """
    head = _head(text)
    tail_at = max(len(text) - TAIL, 0)
    tail = _TAIL.search(bytes(text[tail_at:]))
    if head is None or tail is None:
        return None
    (at, own), end = head, tail_at + tail.start()
    builder = TableBuilder()
    while at < end:
        cut = _CUT.search(text, at + BLOCK_BYTES, end)
        stop = cut.start() + 1 if cut is not None else end
        if not _add_block(builder, bytes(text[at:stop])):
            return None
        at = cut.end() if cut is not None else end
    return (builder.built(), own) if at == end else None


def _head(text: bytes | memoryview) -> tuple[int, Any] | None:
    """Return where the references begin, and what our writer put before them."""
    version = _VERSION.match(text)
    if version is None:
        return None
    at, own = version.end(), None
    begin = _OWN.match(text, at)
    if begin is not None:
        end = _OWN_END.search(text, begin.end())
        try:
            own = orjson.loads(text[begin.end() : end.start() + 1]) if end is not None else None
        except orjson.JSONDecodeError:
            return None
        at = end.end() if end is not None else at
    refs = _REFS.match(text, at)
    return (refs.end(), own) if refs is not None else None


def _add_block(builder: TableBuilder, block: bytes) -> bool:
    """Add the references of a block of members of an object; say no if it is not JSON."""
    columns = _ranges(builder, block)
    if columns is not None:
        builder.add(columns)
        return True
    try:
        refs = orjson.loads(b"{%b}" % block)
    except orjson.JSONDecodeError:
        return False
    builder.add_mapping(refs)
    return True


def _ranges(builder: TableBuilder, block: bytes) -> Columns | None:
    """Return the columns of members that are all byte ranges, plainly written; else None."""
    plain = block.replace(b"\\/", b"/") if b"\\" in block else block
    if b"\\" in plain or not _is_utf8(plain):
        return None
    text = Text(plain, b",")
    marks = _marks(text.letters)
    if marks is None:
        return None
    key, key_end, url, url_end, first, second, third = marks.T
    offset = whole_numbers(text, _after(text, first), second, MAX_DIGITS)
    length = whole_numbers(text, _after(text, second), third - 1, MAX_DIGITS)
    if offset is None or length is None:
        return None
    code = _codes(builder, text, url + 1, url_end)
    return Columns(text.lines(key + 1, key_end), code, offset, length)


def _marks(letters: npt.NDArray[np.uint8]) -> Int64s | None:
    """Return where the quotes and commas of each member lie, `(members, 7)`.

    None unless everything but the four texts and numbers of each member is as it must be.
    """
    found = np.flatnonzero((letters == _QUOTE) | (letters == _COMMA))
    if not len(found) or len(found) % len(_MARKS) or (letters < _SPACE).any():
        return None
    marks: Int64s = found.reshape(-1, len(_MARKS))
    if (letters[marks] != _MARKS).any() or (letters[: marks[0, 0]] != _SPACE).any():
        return None
    _, key_end, url, url_end, first, _, third = marks.T
    as_must_be = (
        (letters[key_end + 1] == _COLON).all()
        and (letters[url - 1] == _OPEN).all()
        and (first == url_end + 1).all()
        and (letters[third - 1] == _CLOSE).all()
        and _is_near(letters, key_end + 2, url - 1)
        and _is_near(letters, third[:-1] + 1, marks[1:, 0])
    )
    return marks if as_must_be else None


def _is_near(letters: npt.NDArray[np.uint8], starts: Int64s, stops: Int64s) -> bool:
    """Say whether nothing, or one space, lies between each start and stop."""
    gaps = stops - starts
    if not gaps.any():
        return True
    return bool(((gaps == 0) | ((gaps == 1) & (letters[starts] == _SPACE))).all())


def _after(text: Text, commas: Int64s) -> Int64s:
    """Return where what follows each comma begins, a space left out."""
    starts = commas + 1
    starts += text.letters[starts] == _SPACE
    return starts


def _codes(
    builder: TableBuilder, text: Text, starts: Int64s, stops: Int64s
) -> npt.NDArray[np.uint32]:
    """Return the numbers of the URLs that lie in the text, each looked up where it changes."""
    changes = ~text.repeats(starts, stops)
    heads = np.flatnonzero(changes)
    pairs = zip(starts[heads].tolist(), stops[heads].tolist(), strict=True)
    urls = [text.between(start, stop) for start, stop in pairs]
    known = {url: builder.number(url.decode()) for url in dict.fromkeys(urls)}
    numbers = np.fromiter(map(known.__getitem__, urls), np.uint32, len(urls))
    return numbers if len(heads) == len(starts) else numbers[np.cumsum(changes) - 1]


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
