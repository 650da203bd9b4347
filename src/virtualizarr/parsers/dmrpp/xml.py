"""XML, read without what makes it dangerous: no DTD, no entities but XML's own, a bounded depth.

What there may be hundreds of thousands of (chunks, blocks, values) is kept as rows, not as
elements. Prefixes are cut off, as documents exist that do not declare them; no name of DAP4 is one
of DMR++.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Never
from xml.parsers import expat

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

MAX_DEPTH = 128
ROWS = frozenset({"chunk", "block"})
VALUES = frozenset({"Value", "v"})
OTHER_XML = "otherxml"

type Row = list[str]
"""The attributes of one element, name and value in turn."""

_NO_ROW: Row = []


@dataclass(slots=True, eq=False)
class Element:
    """An element of the document.

    `rows` are the `chunk` and `block` elements directly in it, by name; `values` its `Value` and
    `v` elements as attributes and text. `text` is that of an element without children; of an
    attribute of type OtherXML it is the markup in it. `at` is the element's byte in the document.
    """

    name: str
    attributes: dict[str, str]
    at: int
    extension: bool  # named with a prefix, as the elements of DMR++ are
    children: list[Element] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    values: list[tuple[Row, str]] = field(default_factory=list)
    text: str = ""

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

    Raises CorruptFileError for what is not well-formed, UnsupportedFeatureError for a document type
    declaration (which DMR++ does not use, and which entities would need) and for elements nested
    more than `MAX_DEPTH` deep.
    """
    builder = _Builder(document)
    try:
        return builder.root()
    except expat.ExpatError as error:
        raise CorruptFileError(
            f"is not well-formed XML: {expat.ErrorString(error.code)}",
            at=max(builder.parser.ErrorByteIndex, 0),
        ) from error
    except (LookupError, ValueError) as error:
        if isinstance(error, CorruptFileError):
            raise
        raise CorruptFileError(f"its text encoding cannot be read: {error}") from error


class _Builder:
    """Builds elements from expat's events."""

    def __init__(self, document: bytes) -> None:
        self._document = document
        self._stack: list[Element] = []
        self._root: Element | None = None
        self._names: dict[str, tuple[str, bool]] = {}
        self._text: list[str] = []
        self._row = _NO_ROW
        self._rows = 0  # open elements that are kept as rows
        self._foreign = 0  # open elements within OtherXML
        self._inner: int | None = None  # where the content of OtherXML begins
        self._encoding = "utf-8"
        self._leaf = True
        parser = self.parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append

    def root(self) -> Element:
        self.parser.Parse(self._document, True)
        assert self._root is not None
        return self._root

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        del version, standalone
        if encoding is not None:
            self._encoding = encoding

    def _document_type(self, *_: object) -> Never:
        raise UnsupportedFeatureError(
            "the document has a document type declaration, which is not read",
            at=self.parser.CurrentByteIndex,
        )

    def _start(self, tag: str, attributes: Row) -> None:
        if self._foreign:
            self._nest()
            return
        known = self._names.get(tag)
        if known is None:
            prefix, colon, local = tag.rpartition(":")
            known = self._names[tag] = (local, bool(colon and prefix))
        name, extension = known
        self._text.clear()
        if self._stack and not self._rows:
            if name in ROWS:
                self._rows = 1
                self._stack[-1].rows.setdefault(name, []).append(attributes)
                return
            if name in VALUES:
                self._rows = 1
                self._row = attributes
                return
        elif self._rows:
            raise CorruptFileError(
                f"element {tag} lies within one that has no content",
                at=self.parser.CurrentByteIndex,
            )
        self._open(name, extension, attributes)

    def _open(self, name: str, extension: bool, attributes: Row) -> None:
        at = self.parser.CurrentByteIndex
        if len(self._stack) >= MAX_DEPTH:
            raise UnsupportedFeatureError(f"elements more than {MAX_DEPTH} deep", at=at)
        named = {_local(key): value for key, value in _pairs(attributes)}
        element = Element(name, named, at, extension)
        if self._stack:
            self._stack[-1].children.append(element)
        else:
            self._root = element
        self._stack.append(element)
        self._leaf = True
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
        del tag
        if self._foreign > 1:
            self._foreign -= 1
            return
        if self._rows:
            self._rows = 0
            if self._row is not _NO_ROW:
                self._stack[-1].values.append((self._row, "".join(self._text)))
                self._row = _NO_ROW
            self._text.clear()
            self._leaf = False
            return
        element = self._stack.pop()
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
        return markup.decode(self._encoding, "replace").strip()


def _pairs(attributes: Row) -> zip[tuple[str, str]]:
    return zip(attributes[::2], attributes[1::2], strict=True)


def _local(name: str) -> str:
    return name.rpartition(":")[2]
