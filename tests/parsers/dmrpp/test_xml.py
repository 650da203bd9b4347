"""What makes XML dangerous, and what makes it hard to read."""

from __future__ import annotations

import tracemalloc

import pytest

import dmrpp_documents
from parsers.dmrpp.made import parse, parse_bytes
from virtualizarr import plugins
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.dmrpp import DMRPPParser

VARIABLE = '<Int32 name="v"><dmrpp:chunk offset="4" nBytes="4"/></Int32>'
PLAIN = dmrpp_documents.document(VARIABLE, href="a.h5")
HEAD, _, REST = PLAIN.partition("\n")

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "declaration",
    [
        f'<!DOCTYPE Dataset [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE Dataset [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE Dataset SYSTEM "http://169.254.169.254/latest/dtd">',
        '<!DOCTYPE Dataset [<!ENTITY % p SYSTEM "http://localhost/p"> %p;]>',
        "<!DOCTYPE Dataset>",
        '<!DOCTYPE Dataset [<!ATTLIST Dataset name CDATA "x">]>',
    ],
)
@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_document_types_are_refused(declaration: str, encoding: str) -> None:
    text = f"{declaration}\n{REST}".replace('href="a.h5"', 'href="&l9;"')
    head = '<?xml version="1.0"?>' if encoding == "utf-16" else HEAD
    with pytest.raises(UnsupportedFeatureError, match="document type"):
        parse_bytes(f"{head}\n{text}".encode(encoding))


@pytest.mark.parametrize(
    "content",
    [
        PLAIN[: len(PLAIN) // 2],
        PLAIN.replace("</Int32>", "</Int64>"),
        PLAIN.replace('name="v"', 'name="&undefined;"'),
        PLAIN.replace('name="v"', 'name="v" name="w"'),
        PLAIN + PLAIN,
        PLAIN.replace("ISO-8859-1", "no-such-encoding"),
        PLAIN.replace("ISO-8859-1", "shift_jis"),
        PLAIN.replace("<dmrpp:chunk ", "<dmrpp:chunk><Value/></dmrpp:chunk><dmrpp:chunk "),
        "<Group/>",
        "",
    ],
)
def test_what_is_not_well_formed_is_corrupt(content: str) -> None:
    with pytest.raises(CorruptFileError):
        parse_bytes(content.encode())


@pytest.mark.parametrize("name", ["Group", "Structure", "Attribute"])
def test_depth_is_bounded(name: str) -> None:
    more = ' type="Container"' if name == "Attribute" else ""
    deep = f'<{name} name="a"{more}>' * 2000
    with pytest.raises(UnsupportedFeatureError, match="deep"):
        parse(deep + f"</{name}>" * 2000)
    shallow = '<Group name="g">{}</Group>'.replace("{}", VARIABLE)
    for _ in range(100):
        shallow = f'<Group name="g">{shallow}</Group>'
    assert len([*parse(shallow).walk_arrays()]) == 1


def test_depth_within_other_xml_is_bounded() -> None:
    inner = "<a>" * 2000 + "</a>" * 2000
    with pytest.raises(UnsupportedFeatureError, match="deep"):
        parse(f'<Attribute name="x" type="OtherXML">{inner}</Attribute>')


def variable(kind: str, size: int, inner: str) -> str:
    return f'<{kind} name="v"><Dim size="{size}"/>{inner}</{kind}>'


def chunks(inner: str) -> str:
    return f"<dmrpp:chunks>{inner}</dmrpp:chunks>"


MANY = 10**12
SPECIAL = "<dmrpp:specialstructuredata>eJw=</dmrpp:specialstructuredata>"
CHUNK = '<dmrpp:chunk offset="0" nBytes="8" chunkPositionInArray="[7]"/>'
BLOCKS = [f'<dmrpp:block offset="0" nBytes="{4 * MANY + odd}"/>' for odd in (3, 0)]
BOMBS = [
    variable("String", MANY, f'<dmrpp:vlsa><v c="{MANY}">a</v></dmrpp:vlsa>'),
    variable("Float64", MANY, "<dmrpp:missingdata>eJw=</dmrpp:missingdata>"),
    variable("Float64", MANY, "<dmrpp:compact>eJw=</dmrpp:compact>"),
    variable("Float64", 9 * 10**18, '<dmrpp:chunk offset="0" nBytes="8"/>'),
    variable("Structure", MANY, f'<Int8 name="a"/><String name="s"/>{SPECIAL}'),
    variable("Structure", MANY, SPECIAL),
    variable(
        "Float64",
        10**9,
        chunks(f"<dmrpp:chunkDimensionSizes>1</dmrpp:chunkDimensionSizes>{CHUNK}"),
    ),
    variable("Structure", 1, f'<Int8 name="a"><Dim size="{MANY}"/></Int8><dmrpp:chunks/>'),
    variable("Float64", MANY, chunks("".join(BLOCKS))),
    "<Value>" * 3 + "</Value>" * 3,
]


@pytest.mark.parametrize("body", BOMBS)
def test_declared_sizes_take_no_memory(body: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(VirtualizeError):
            parse(body)
        assert tracemalloc.get_traced_memory()[1] < 32_000_000
    finally:
        tracemalloc.stop()


def test_an_empty_grid_costs_nothing() -> None:
    sizes = "<dmrpp:chunkDimensionSizes>1</dmrpp:chunkDimensionSizes>"
    body = f'<Int8 name="v"><Dim size="100000000000"/><dmrpp:chunks>{sizes}</dmrpp:chunks></Int8>'
    assert parse(body).arrays["v"].manifest.all_missing


@pytest.mark.parametrize("name", ["Dim", "Attribute", "Map", "EnumConst", "x"])
def test_memory_follows_the_document(name: str) -> None:
    body = f'<Int32 name="v">{f"<{name}/>" * 50_000}</Int32>'
    tracemalloc.start()
    try:
        with pytest.raises(VirtualizeError):
            parse(body)
        assert tracemalloc.get_traced_memory()[1] < 64_000_000 + 20 * len(body)
    finally:
        tracemalloc.stop()


def test_documents_that_do_not_declare_their_prefix() -> None:
    text = PLAIN.replace(f' xmlns:dmrpp="{dmrpp_documents.DMRPP}"', "")
    assert parse_bytes(text.encode()).arrays["v"].manifest.offset[()] == 4
    other = PLAIN.replace("dmrpp:", "d:")
    assert parse_bytes(other.encode()).arrays["v"].manifest.offset[()] == 4


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8", "utf-16"])
def test_encodings(encoding: str) -> None:
    body = '<Attribute name="é" type="String"><Value>°C</Value></Attribute>'
    declared = "utf-16" if encoding == "utf-16" else "ISO-8859-1"
    text = dmrpp_documents.document(body, href="a.h5").replace("ISO-8859-1", declared)
    assert parse_bytes(text.encode(encoding)).attributes == {"é": "°C"}


def test_only_documents_of_dap4_are_recognised() -> None:
    parser = DMRPPParser()
    for text in (PLAIN, f"\ufeff<!-- made by -->\n{REST}", f"\n {REST}", f"{HEAD}<!-- a -->{REST}"):
        assert parser.sniff(text.encode(), "file:///a")
        assert plugins.detect(text.encode(), "file:///a.xml").name == "dmrpp"
    for text in ("<Dataset/>", "<html>dmrpp</html>", '<Dataset xmlns="other">dmrpp</Dataset>'):
        assert not parser.sniff(text.encode(), "file:///a.dmrpp")
    with pytest.raises(VirtualizeError, match="this is XML"):
        plugins.detect(b'<?xml version="1.0"?><a/>', "file:///a.xml")


def test_attributes_of_one_name_take_linear_time() -> None:
    body = '<Attribute name="a" type="String"><Value>b</Value></Attribute>' * 20_000
    attributes = parse(body).attributes
    assert len(attributes) == 20_000
    assert [*attributes][:3] == ["a", "a_2", "a_3"]


def test_files_are_not_looked_for_without_end() -> None:
    rows = "".join(
        f'<dmrpp:chunk offset="0" nBytes="1" chunkPositionInArray="[{n}]" href="d/{n}"/>'
        for n in range(2000)
    )
    sizes = "<dmrpp:chunkDimensionSizes>1</dmrpp:chunkDimensionSizes>"
    with pytest.raises(UnsupportedFeatureError, match="looked for"):
        parse(variable("Byte", 2000, chunks(sizes + rows)))
