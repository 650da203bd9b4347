"""VICAR labels: `KEYWORD=value` items in ASCII ("VICAR File Format", JPL)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.raw.numbers import integer

START = re.compile(rb"\s*LBLSIZE\s*=\s*(\d{1,10})\b")
MAX_LABEL = 16 * 1024 * 1024
_ITEM = re.compile(
    r"""\s*(?P<key>[A-Za-z_][\w.]*)\s*=\s*
        (?:'(?P<text>(?:[^']|'')*)'
          |\((?P<list>(?:'(?:[^']|'')*'|[^')])*)\)
          |(?P<plain>[^\s'()]*))""",
    re.VERBOSE,
)
_ELEMENT = re.compile(r"'((?:[^']|'')*)'|([^,\s]+)")


@dataclass(slots=True)
class Section:
    """Items of a label by keyword in upper case: those of the system, a property or a task."""

    name: str
    items: dict[str, str | list[str]] = field(default_factory=dict)

    def text(self, key: str, default: str = "") -> str:
        """Return an item's text, or that of the first of a list."""
        value = self.items.get(key, default)
        return value if isinstance(value, str) else (value[0] if value else default)

    def texts(self, key: str) -> list[str]:
        """Return the elements of a list, or of a text that is one in brackets."""
        value = self.items.get(key, [])
        if isinstance(value, list):
            return value
        return list(_elements(value.strip().removeprefix("(").removesuffix(")")))


def label_size(head: bytes | memoryview) -> int | None:
    """Return LBLSIZE of a file that begins with a label; None for another file."""
    found = START.match(bytes(head[:256]))
    return int(found[1]) if found is not None else None


def decode_label(raw: bytes | memoryview) -> list[Section]:
    """Return the sections of a label, that of the system items first."""
    text = bytes(raw).split(b"\0", 1)[0].decode("latin-1")
    sections = [Section("")]
    at = 0
    while found := _ITEM.match(text, at):
        at = found.end()
        key = found["key"].upper()
        value: str | list[str]
        if found["list"] is not None:
            value = list(_elements(found["list"]))
        else:
            plain = found["text"] if found["text"] is not None else found["plain"]
            value = plain.replace("''", "'")
        if key in ("PROPERTY", "TASK") and isinstance(value, str):
            sections.append(Section(value))
        else:
            sections[-1].items.setdefault(key, value)
    return sections


def joined(first: list[Section], rest: list[Section]) -> list[Section]:
    """Return the sections of a label that goes on at the end of the file."""
    last = first[-1]
    for key, value in rest[0].items.items():
        last.items.setdefault(key, value)
    return [*first, *rest[1:]]


def _elements(text: str) -> Iterator[str]:
    for quoted, plain in _ELEMENT.findall(text):
        yield (quoted if quoted else plain).replace("''", "'")


def count_of(system: Section, key: str, default: str = "", low: int = 0) -> int:
    """Return an integer of the system items; CorruptFileError where it is none."""
    value = integer(system.text(key, default), key, low=low)
    if value > 1 << 40:
        raise CorruptFileError(f"{key} is {value}")
    return value


def keywords_of(sections: list[Section], structure: frozenset[str]) -> dict[str, Any]:
    """Return the items as attributes; those of properties and tasks have its name in front."""
    found: dict[str, Any] = {}
    for section in sections:
        for key, value in section.items.items():
            if section.name:
                found.setdefault(f"{section.name}:{key}", value)
            elif key not in structure:
                found.setdefault(key, value)
    return found
