"""XML, read without what makes it dangerous: no DTD, no entities but XML's own, a bounded depth.

What there may be hundreds of thousands of (chunks, blocks, values) is kept as rows, not as
elements. Prefixes are cut off, as documents exist that do not declare them; no name of DAP4 is one
of DMR++.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.xml import feed, safe_parser

MAX_DEPTH = 128
MAX_ELEMENTS = 1_000_000  # but for rows and values
ROWS = frozenset({"chunk", "block"})
VALUES = frozenset({"Value", "v"})
OTHER_XML = "otherxml"

type Row = list[str]
"""The attributes of one element, name and value in turn."""

_NO_ROW: Row = []
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Rows:
    """Many elements by their attributes alone.

    `flat` holds names and values in turn, `widths` how many of both together each element has:
    with a list for each element, most of the time would go into collecting garbage.
    """

    __slots__ = ("flat", "widths")

    def __init__(self) -> None:
        self.flat: list[str] = []
        self.widths: list[int] = []

    def __len__(self) -> int:
        return len(self.widths)

    def extend(self, other: Rows) -> None:
        """Put the elements of `other` behind these."""
        self.flat += other.flat
        self.widths += other.widths


@dataclass(slots=True, eq=False)
class Element:
    """An element of the document.

    `rows` are the `chunk` and `block` elements directly in it, by name; `values` its `Value` and
    `v` elements as attributes and text. `text` is that of an element without children; of an
    attribute of type OtherXML it is the markup in it. `at` is the element's byte in the document.
    """

    name: str
    attributes: Mapping[str, str]
    at: int
    extension: bool  # named with a prefix, as the elements of DMR++ are
    children: Sequence[Element] = ()
    rows: Mapping[str, Rows] = NOTHING
    values: Sequence[tuple[Row, str]] = ()
    text: str = ""

    def rows_called(self, name: str) -> Rows:
        """Return the rows of that name, to be added to."""
        found = self.rows.get(name)
        if found is None:
            found = Rows()
            self.rows = {**self.rows, name: found}
        return found

    def find(self, name: str) -> Element | None:
        """Return the only child of that name, None if there is none."""
        found = [child for child in self.children if child.name == name]
        if len(found) > 1:
            raise self.corrupt(f"has {len(found)} elements {name!r}")
        return found[0] if found else None

    def required(self, attribute: str) -> str:
        """Return the value of an attribute; CorruptFileError if the element has none."""
        value = self.attributes.get(attribute)
        if value is None:
            raise self.corrupt(f"has no attribute {attribute!r}")
        return value

    def corrupt(self, reason: str) -> CorruptFileError:
        """Return the error that says what is wrong with this element."""
        return CorruptFileError(f"element {self.name}: {reason}", at=self.at)


def read_xml(document: bytes) -> Element:
    """Return the root element of a document.

    Raises UnsupportedFeatureError also for elements nested more than `MAX_DEPTH` deep, and for more
    than `MAX_ELEMENTS`; other errors as `feed`.
    """
    return _Builder(document).root()


class _Builder:
    """Builds elements from expat's events."""

    def __init__(self, document: bytes) -> None:
        self._document = document
        self._stack: list[Element] = []
        self._root: Element | None = None
        self._names: dict[str, tuple[str, bool]] = {}
        self._text: list[str] = []
        self._row: Row | None = None
        self._in_row = False  # within an element that is kept as a row or value
        self._row_tag = ""  # of such elements in the innermost open element
        self._row_flat: list[str] = []
        self._row_widths: list[int] = []
        self._foreign = 0  # open elements within OtherXML
        self._inner: int | None = None  # where the content of OtherXML begins
        self._encoding = _true_encoding(document)
        self._leaf = True
        self._elements = 0
        parser = self.parser = safe_parser(self._encoding)
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self._declaration
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append

    def root(self) -> Element:
        feed(self.parser, self._document)
        assert self._root is not None
        return self._root

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        del version, standalone
        if encoding is not None and self._encoding is None:
            self._encoding = encoding

    def _start(self, tag: str, attributes: Row) -> None:
        if tag == self._row_tag and not self._in_row:
            self._in_row = True
            self._row_flat += attributes
            self._row_widths.append(len(attributes))
            return
        if self._foreign:
            self._nest()
            return
        known = self._names.get(tag)
        if known is None:
            prefix, colon, local = tag.rpartition(":")
            known = self._names[tag] = (local, bool(colon and prefix))
        name, extension = known
        self._text.clear()
        if self._stack and not self._in_row:
            if name in ROWS:
                rows = self._stack[-1].rows_called(name)
                self._row_tag, self._row_flat, self._row_widths = tag, rows.flat, rows.widths
                self._start(tag, attributes)
                return
            if name in VALUES:
                self._in_row = True
                self._row = attributes if attributes else _NO_ROW
                return
        elif self._in_row:
            raise CorruptFileError(
                f"element {tag} lies within one that has no content",
                at=self.parser.CurrentByteIndex,
            )
        self._open(name, extension, attributes)

    def _open(self, name: str, extension: bool, attributes: Row) -> None:
        at = self.parser.CurrentByteIndex
        if len(self._stack) >= MAX_DEPTH:
            raise UnsupportedFeatureError(f"elements more than {MAX_DEPTH} deep", at=at)
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise UnsupportedFeatureError(f"more than {MAX_ELEMENTS:,} elements", at=at)
        named = {_local(key): value for key, value in _pairs(attributes)} if attributes else NOTHING
        element = Element(name, named, at, extension)
        if self._stack:
            parent = self._stack[-1]
            if isinstance(parent.children, list):
                parent.children.append(element)
            else:
                parent.children = [element]
        else:
            self._root = element
        self._stack.append(element)
        self._leaf = True
        self._row_tag = ""
        if name == "Attribute" and named.get("type", "").lower() == OTHER_XML:
            self._foreign, self._inner = 1, None

    def _nest(self) -> None:
        if self._inner is None:
            self._inner = self.parser.CurrentByteIndex
        self._foreign += 1
        if self._foreign > MAX_DEPTH:
            at = self.parser.CurrentByteIndex
            raise UnsupportedFeatureError(f"elements more than {MAX_DEPTH} deep", at=at)

    def _end(self, tag: str) -> None:
        if self._in_row:
            self._in_row = False
            if tag == self._row_tag:
                return
            if self._row is not None:
                parent, value = self._stack[-1], (self._row, "".join(self._text))
                if isinstance(parent.values, list):
                    parent.values.append(value)
                else:
                    parent.values = [value]
                self._row = None
            self._text.clear()
            self._leaf = False
            return
        if self._foreign > 1:
            self._foreign -= 1
            return
        element = self._stack.pop()
        self._row_tag = ""
        if self._foreign:
            element.text = self._markup()
            self._foreign = 0
        elif self._leaf:
            element.text = "".join(self._text)
        self._text.clear()
        self._leaf = False

    def _markup(self) -> str:
        """Return what stands in the OtherXML attribute that ends here, as it stands there."""
        if self._inner is None:
            return "".join(self._text).strip()
        markup = self._document[self._inner : self.parser.CurrentByteIndex]
        encoding = self._encoding if self._encoding is not None else "utf-8"
        return markup.decode(encoding, "replace").strip()


def _true_encoding(document: bytes) -> str | None:
    """Return "utf-8" for a document that is, None where what it declares counts.

    Hyrax's documents declare ISO-8859-1, even when another program has put UTF-8 into them. Text in
    any other encoding is hardly ever UTF-8 by chance.
    """
    if document.isascii():
        return None
    try:
        document.decode()
    except UnicodeDecodeError:
        return None
    return "utf-8"


def _pairs(attributes: Row) -> zip[tuple[str, str]]:
    return zip(attributes[::2], attributes[1::2], strict=True)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
