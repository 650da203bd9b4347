"""XML documents read safely: no document types, no entities, no endless nesting.

A document type can define entities that grow without bound or name other files; formats that are
XML do without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

MAX_DEPTH = 256

__all__ = ["Element", "child", "children", "local_name", "parse_xml", "text_of"]


def parse_xml(buffer: bytes | memoryview) -> Element:
    """Return the root element of a document; names are `{namespace}name`.

    Raises CorruptFileError, with the byte, for a document that is not well-formed or nests deeper
    than 256 elements, UnsupportedFeatureError for one that declares a document type.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
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

    def refuse(name: str, *_: object) -> None:
        raise UnsupportedFeatureError(
            f"the document declares a document type, {name!r}", at=parser.CurrentByteIndex
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(bytes(buffer), True)
    except expat.ExpatError as error:
        raise CorruptFileError(
            f"the document is not well-formed: {error}", at=max(parser.ErrorByteIndex, 0)
        ) from error
    except (ValueError, LookupError) as error:  # an encoding that expat does not know
        raise CorruptFileError(f"the document cannot be decoded: {error}") from error
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
