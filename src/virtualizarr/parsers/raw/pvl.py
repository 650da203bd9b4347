"""Labels of planetary data: PVL and ODL (CCSDS 641.0-B-2; PDS3 standards reference, chapter 12).

Statements `keyword = value` in objects and groups. Bytes in, structures out; no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from virtualizarr.errors import CorruptFileError

MAX_DEPTH = 64

_TOKEN = re.compile(
    r"""\s+
      | (?P<comment>/\*.*?(?:\*/|\Z)|\#[^\r\n]*)
      | (?P<quoted>"[^"]*(?:"|\Z)|'[^'\r\n]*(?:'|(?=[\r\n])|\Z))
      | <(?P<unit>[^<>\r\n]*)>
      | (?P<mark>[=(){},;<>])
      | (?P<word>(?:[^\s=(){},;<>"'/]|/(?!\*))+)
    """,
    re.VERBOSE | re.DOTALL,
)
_BEGIN = frozenset({"OBJECT", "GROUP", "BEGIN_OBJECT", "BEGIN_GROUP"})
_END = frozenset({"END_OBJECT", "END_GROUP", "ENDOBJECT", "ENDGROUP"})
_CONTINUED = re.compile(r"-[ \t]*\r?\n[ \t]*")


class Scalar(NamedTuple):
    """A value: its text without quotes, and the unit that follows it."""

    text: str
    unit: str | None = None


type Value = Scalar | tuple[Scalar, ...]


@dataclass(slots=True)
class Block:
    """An object or group of a label: its values by keyword in upper case, and the blocks in it.

    `spelled` has the keywords as they are written. Of a keyword given twice the first counts.
    """

    name: str
    values: dict[str, Value] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def block(self, *path: str) -> Block | None:
        """Return the first block of that name, of the blocks in it, and so on."""
        here: Block = self
        for name in path:
            found = next((each for each in here.blocks if each.name.upper() == name.upper()), None)
            if found is None:
                return None
            here = found
        return here

    def scalar(self, key: str) -> Scalar | None:
        """Return a value, or the first of a list; None where there is none."""
        value = self.values.get(key.upper())
        if isinstance(value, Scalar):
            return value
        return value[0] if value else None

    def text(self, key: str, default: str = "") -> str:
        """Return the text of a value, or of the first of a list."""
        found = self.scalar(key)
        return found.text if found is not None else default

    def texts(self, key: str) -> list[str]:
        """Return the texts of a list, or of a single value."""
        value = self.values.get(key.upper())
        if value is None:
            return []
        return [value.text] if isinstance(value, Scalar) else [each.text for each in value]


@dataclass(frozen=True, slots=True)
class Label:
    """A decoded label. `is_whole` says that its END statement was found."""

    root: Block
    is_whole: bool


def decode_label(raw: bytes | memoryview) -> Label:
    """Return the statements of a label, up to END; CorruptFileError where blocks nest too deep."""
    tokens = _tokens(bytes(raw).decode("latin-1"))
    stack = [Block("")]
    pending = next(tokens, None)
    while pending is not None:
        kind, word = pending
        pending = next(tokens, None)
        if kind != "word":
            continue
        key = word.upper()
        if key in _END:
            if pending == ("mark", "="):
                next(tokens, None)
                pending = next(tokens, None)
            if len(stack) > 1:
                stack.pop()
            continue
        if pending != ("mark", "="):
            if key == "END":
                return Label(stack[0], True)
            continue
        value, pending = _value(tokens)
        if key in _BEGIN and isinstance(value, Scalar):
            if len(stack) > MAX_DEPTH:
                raise CorruptFileError(f"objects of the label nest more than {MAX_DEPTH} deep")
            stack[-1].blocks.append(block := Block(value.text))
            stack.append(block)
        else:
            stack[-1].values.setdefault(key, value)
            stack[-1].spelled.setdefault(key, word)
    return Label(stack[0], False)


type _Token = tuple[str, str]


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or text[at] == "\0":
            return
        at = found.end()
        kind = found.lastgroup
        if kind == "quoted":
            yield kind, _CONTINUED.sub("", found[kind].strip("\"'"))
        elif kind is not None and kind != "comment":
            yield kind, found[kind]


def _value(tokens: Iterator[_Token]) -> tuple[Value, _Token | None]:
    """Return the value that comes next, and the token behind it."""
    token = next(tokens, None)
    if token is None:
        return Scalar(""), None
    if token[0] == "mark" and token[1] in "({":
        return _list(tokens)
    if token[0] == "mark":
        return Scalar(""), token
    text = token[1]
    token = next(tokens, None)
    if token is not None and token[0] == "unit":
        return Scalar(text, token[1].strip()), next(tokens, None)
    return Scalar(text), token


def _list(tokens: Iterator[_Token]) -> tuple[Value, _Token | None]:
    """Return the items up to the bracket that closes the list; lists in it lose theirs."""
    items: list[Scalar] = []
    depth = 1
    for kind, word in tokens:
        if kind == "mark":
            depth += (word in "({") - (word in ")}")
            if depth == 0:
                break
        elif kind == "unit":
            if items:
                items[-1] = Scalar(items[-1].text, word.strip())
        else:
            items.append(Scalar(word))
    token = next(tokens, None)
    if token is not None and token[0] == "unit":
        return tuple(Scalar(each.text, each.unit or token[1]) for each in items), next(tokens, None)
    return tuple(items), token
