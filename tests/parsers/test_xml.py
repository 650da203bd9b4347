"""XML read safely."""

from __future__ import annotations

import pytest

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.xml import MAX_DEPTH, child, children, local_name, parse_xml, text_of

DOCUMENT = b"""<?xml version="1.0"?><a:root xmlns:a="urn:a" xmlns="urn:b" a:k="1" j="2">
  <one> text <inner>deep</inner></one><one/><!-- a comment --></a:root>"""


def test_documents() -> None:
    root = parse_xml(memoryview(DOCUMENT))
    assert (root.tag, local_name(root)) == ("{urn:a}root", "root")
    assert root.attrib == {"{urn:a}k": "1", "j": "2"}
    assert len(list(children(root, "one"))) == 2
    assert text_of(root, "one") == "text"
    assert text_of(root, "one", "inner") == "deep"
    assert text_of(root, "two", "inner", default="none") == "none"
    assert child(None, "one") is None
    assert text_of(parse_xml("<a>é</a>".encode("utf-16"))) == "é"


@pytest.mark.parametrize(
    "content, error, said",
    [
        (b"", CorruptFileError, "not well-formed"),
        (b"<a><b></a>", CorruptFileError, "not well-formed"),
        (b"<a>\x80</a>", CorruptFileError, "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', CorruptFileError, "document"),
        (b"<a>" * (MAX_DEPTH + 1), CorruptFileError, "nest deeper"),
        (b"<a>&undefined;</a>", CorruptFileError, "not well-formed"),
        (b"<!DOCTYPE a><a/>", UnsupportedFeatureError, "document type, 'a'"),
        (
            b'<!DOCTYPE a [<!ENTITY b "&b;&b;">]><a>&b;</a>',
            UnsupportedFeatureError,
            "document type",
        ),
    ],
)
def test_refusals(content: bytes, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        parse_xml(content)
