"""XML documents read safely: no document types, no entities, no endless nesting.

A document type can define entities that grow without bound or name other files; formats that are
XML do without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Never
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError

MAX_DEPTH = 256

__all__ = [
    "Element",
    "child",
    "children",
    "feed",
    "local_name",
    "parse_xml",
    "safe_parser",
    "text_of",
]


def safe_parser(encoding: str | None = None, separator: str | None = None) -> expat.XMLParserType:
    """Return a parser without handlers for elements that refuses document types.

    `separator` is what stands between a namespace and a name, None to leave names as they are.
    """
    parser = expat.ParserCreate(encoding, separator)
    parser.buffer_text = True

    def refuse(name: str, *_: object) -> Never:
        raise UnsupportedFeatureError(
            f"the document declares a document type, {name!r}", at=parser.CurrentByteIndex
        )

    parser.StartDoctypeDeclHandler = refuse
    return parser


def feed(parser: expat.XMLParserType, document: bytes) -> None:
    """Parse a whole document.

    Raises CorruptFileError, with the byte, for one that is not well-formed or whose encoding is not
    known, UnsupportedFeatureError for one that declares a document type, and what handlers raise.
    """
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise CorruptFileError(
            f"the document is not well-formed XML: {expat.ErrorString(error.code)}",
            at=max(parser.ErrorByteIndex, 0),
        ) from error
    except (ValueError, LookupError) as error:  # an encoding that expat does not know
        if isinstance(error, VirtualizeError):
            raise
        raise CorruptFileError(f"the document cannot be decoded: {error}") from error


def parse_xml(buffer: bytes | memoryview) -> Element:
    """Return the root element of a document; names are `{namespace}name`.

    Raises CorruptFileError, with the byte, also for one that nests deeper than 256 elements; other
    errors as `feed`.
    """
    parser = safe_parser(separator="}")
    builder = TreeBuilder()
    depth = 0

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise CorruptFileError(
                f"elements nest deeper than {MAX_DEPTH}", at=parser.CurrentByteIndex
            )
        builder.start(_clark(name), {_clark(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_clark(name))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    feed(parser, bytes(buffer))
    return builder.close()


def _clark(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: Element, name: str) -> Iterator[Element]:
    """Yield the children of that local name, of any namespace."""
    return (each for each in element if local_name(each) == name)


def child(element: Element | None, *path: str) -> Element | None:
    """Return the first child of that local name, the first of that one, and so on."""
    for name in path:
        if element is None:
            return None
        element = next(children(element, name), None)
    return element


def text_of(element: Element | None, *path: str, default: str = "") -> str:
    """Return the text of a descendant by its path of local names, stripped."""
    found = child(element, *path)
    return default if found is None or found.text is None else found.text.strip()
