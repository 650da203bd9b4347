"""References out of JSON text, block by block, so that millions need little memory.

The text is cut where an array ends and a name begins. A cut in the wrong place, inside of a string
or of a nested value, leaves a block before it that is not JSON: then the text is decoded whole.
Blocks of nothing but `"key":["url",offset,length]` are taken apart by their quotes.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import orjson

from virtualizarr.model.evidence import OWN_KEY
from virtualizarr.parsers.kerchunk.digits import Int64s, not_digits, whole_numbers
from virtualizarr.parsers.kerchunk.table import Columns, ReferenceTable, TableBuilder

BLOCK_BYTES = 128 * 1024
MAX_DIGITS = 18
TAIL = 64

_VERSION = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"version"\s*:\s*1\s*,\s*')
_OWN = re.compile(rb'"%b"\s*:\s*(?=\{)' % OWN_KEY.encode())
_REFS = re.compile(rb'"refs"\s*:\s*\{')
_OWN_END = re.compile(rb'\}\s*,\s*(?="refs"\s*:)')
_TAIL = re.compile(rb"\}\s*\}\s*\Z")
_CUT = re.compile(rb'\],\s*(?=")')
_OPENINGS = {b":[", b": ["}
_MARKS = np.frombuffer(b",,],", np.uint8)


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
    parts = plain.split(b'"')
    if len(parts) < 5 or len(parts) % 4 != 1 or parts[0].strip():
        return None
    if not set(parts[2::4]) <= _OPENINGS:
        return None
    numbers = _numbers(b"".join(parts[4::4]).translate(None, b" ") + b",", len(parts) // 4)
    if numbers is None:
        return None
    urls = parts[3::4]
    known = {url: builder.number(url.decode()) for url in dict.fromkeys(urls)}
    code = np.fromiter(map(known.__getitem__, urls), np.uint32, len(urls))
    return Columns(b"\n".join(parts[1::4]) + b"\n", code, *numbers)


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _numbers(text: bytes, count: int) -> tuple[Int64s, Int64s] | None:
    """Return offsets and lengths from `count` texts ",offset,length]," in a row; else None."""
    letters = np.frombuffer(text, np.uint8)
    marks = not_digits(letters)
    if len(marks) != 4 * count or (letters[marks].reshape(-1, 4) != _MARKS).any():
        return None
    first, second, third, fourth = marks.reshape(-1, 4).T
    if first[0] != 0 or (first[1:] != fourth[:-1] + 1).any() or (fourth != third + 1).any():
        return None
    offset = whole_numbers(letters, first + 1, second, MAX_DIGITS)
    length = whole_numbers(letters, second + 1, third, MAX_DIGITS)
    return (offset, length) if offset is not None and length is not None else None
