"""Types of DAP4: texts, enumerations, opaque values, Structures."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import numpy as np
import pytest

from parsers.dmrpp.made import array, parse, read, sizes, written
from virtualizarr.errors import (
    CorruptFileError,
    SourceNotFoundError,
    UnsupportedFeatureError,
)
from virtualizarr.parsers.dmrpp import DMRPPParser

CHUNK = '<dmrpp:chunk offset="{}" nBytes="{}"/>'


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("pad", "stored", "expected"),
    [
        ("null_term", b"ab\0xcd \0ef", [b"ab", b"cd ", b"ef"]),
        ("null_pad", b"ab\0\0c\0d\0ef", [b"ab", b"c\0d", b"ef"]),
        ("space_pad", b"ab  cd  ef ", [b"ab", b"cd", b"ef"]),
        ("not_set", b"ab  cd\0xef ", [b"ab", b"cd", b"ef"]),
    ],
)
def test_fixed_strings(tmp_path: Path, pad: str, stored: bytes, expected: list[bytes]) -> None:
    data = stored.ljust(12, b" " if pad in ("space_pad", "not_set") else b"\0")
    fixed = f'<dmrpp:FixedLengthStringArray string_length="4" pad="{pad}"/>'
    body = f'<String name="v">{sizes(3)}{CHUNK.format(0, 12)}{fixed}</String>'
    assert read(tmp_path, data, body)["v"].tolist() == expected
    inline = (
        f'<String name="v">{sizes(3)}<dmrpp:compact>{b64(data)}</dmrpp:compact>{fixed}</String>'
    )
    assert read(tmp_path, b"", inline)["v"].tolist() == expected


def test_scalar_texts(tmp_path: Path) -> None:
    for stored, expected in ((b"sorrow.", b"sorrow."), (b"ab  ", b"ab"), (b"ab \0\0", b"ab ")):
        body = f'<String name="v">{CHUNK.format(0, len(stored))}</String>'
        assert read(tmp_path, stored, body)["v"] == expected
    body = f'<URL name="v"><dmrpp:compact>{b64("ça".encode())}</dmrpp:compact></URL>'
    assert str(read(tmp_path, b"", body)["v"]) == "ça"
    body = '<String name="v"><dmrpp:chunks fillValue="no"/></String>'
    assert read(tmp_path, b"", body)["v"] == b"no"


def test_references_into_the_heap_are_not_taken_for_text(tmp_path: Path) -> None:
    descriptor = (1024).to_bytes(4, "little") + (4096).to_bytes(8, "little") + bytes([1, 0, 0, 0])
    body = f'<String name="v">{CHUNK.format(0, 16)}</String>'
    with pytest.raises(UnsupportedFeatureError, match="heap"):
        written(tmp_path, descriptor, body)
    assert read(tmp_path, b"sixteen letters.", body)["v"] == b"sixteen letters."
    chunked = (
        "<dmrpp:chunks><dmrpp:chunkDimensionSizes>2</dmrpp:chunkDimensionSizes></dmrpp:chunks>"
    )
    chunked = chunked.replace("</dmrpp:chunks>", f"{CHUNK.format(0, 32)}</dmrpp:chunks>")
    with pytest.raises(UnsupportedFeatureError, match="how long"):
        array(f'<String name="v">{sizes(2)}{chunked}</String>')


def test_texts_of_any_length_in_the_document(tmp_path: Path) -> None:
    long = "länger " * 100
    packed = b64(zlib.compress(long.encode()))
    values = f'<v>a &lt; b</v><v c="3">ß</v><v/><v c="1" s="{len(long.encode())}">{packed}</v>'
    body = f'<String name="v">{sizes(2, 3)}<dmrpp:vlsa>{values}</dmrpp:vlsa></String>'
    found = read(tmp_path, b"", body)["v"]
    assert found.tolist() == [["a < b", "ß", "ß"], ["ß", "", long]]


@pytest.mark.parametrize(
    "values",
    ["<v>a</v>", '<v c="3">a</v>', '<v c="x">a</v>', '<v s="9">a</v>', "<v>a</v><v>b</v><v>c</v>"],
)
def test_wrong_numbers_of_texts_are_corrupt(values: str) -> None:
    with pytest.raises(CorruptFileError):
        array(f'<String name="v">{sizes(2)}<dmrpp:vlsa>{values}</dmrpp:vlsa></String>')


def test_opaque_values(tmp_path: Path) -> None:
    body = f'<Opaque name="v">{sizes(2)}{CHUNK.format(1, 6)}</Opaque>'
    assert written(tmp_path, b"xabcdef", body).arrays["v"].dtype == np.dtype("V3")
    with pytest.raises(UnsupportedFeatureError, match="opaque"):
        array(f'<Opaque name="v">{sizes(2)}<dmrpp:chunks/></Opaque>')


def test_enumerations(tmp_path: Path) -> None:
    colours = "".join(f'<EnumConst name="{n}" value="{v}"/>' for n, v in (("RED", -1), ("A B", 2)))
    flags = '<EnumConst name="FALSE" value="0"/><EnumConst name="TRUE" value="1"/>'
    body = (
        f'<Enumeration name="C" basetype="Int16">{colours}</Enumeration>'
        f'<Group name="g"><Enum name="c" enum="C">{sizes(2)}{CHUNK.format(0, 4)}</Enum>'
        f'<Enumeration name="F" basetype="Int8">{flags}</Enumeration>'
        f'<Enum name="f" enum="/g/F">{sizes(3)}{CHUNK.format(4, 3)}</Enum></Group>'
    )
    data = np.array([-1, 2], "<i2").tobytes() + b"\1\0\1"
    found = read(tmp_path, data, body)
    assert found["g/c"].tolist() == [-1, 2]
    assert found["g/f"].tolist() == [True, False, True]
    attributes = written(tmp_path, data, body).groups["g"].arrays["c"].metadata.attributes
    assert attributes["flag_meanings"] == "RED A_B"
    assert attributes["flag_values"].tolist() == [-1, 2]
    with pytest.raises(CorruptFileError, match="no enumeration"):
        parse('<Enum name="v" enum="missing"/>')


def test_characters(tmp_path: Path) -> None:
    body = f'<Char name="v">{sizes(3)}{CHUNK.format(0, 3)}</Char>'
    assert read(tmp_path, b"abc", body)["v"].tolist() == [b"a", b"b", b"c"]


PACKED = np.dtype([("t", ">f4"), ("h", ">i2"), ("p", ">f4", (2,)), ("n", "i1", (3,))])
MEMBERS = (
    f'<Float32 name="t"/><Int16 name="h"/><Float32 name="p">{sizes(2)}</Float32>'
    f'<Int8 name="n">{sizes(3)}</Int8>'
)


def test_big_endian_structures_with_arrays(tmp_path: Path) -> None:
    values = np.zeros(5, PACKED)
    values["t"], values["h"] = np.arange(5), np.arange(5) * 300
    values["p"], values["n"] = np.arange(10).reshape(5, 2) / 4, np.arange(15).reshape(5, 3)
    size = values.nbytes
    said = f'<dmrpp:chunks byteOrder="BE">{CHUNK.format(0, size)}</dmrpp:chunks>'
    body = f'<Structure name="v">{MEMBERS}{sizes(5)}{said}</Structure>'
    found = read(tmp_path, values.tobytes(), body)
    for name in PACKED.names or ():
        np.testing.assert_array_equal(found[f"v/{name}"], values[name])
    group = written(tmp_path, values.tobytes(), body)
    assert group.groups["v"].arrays["p"].metadata.dimension_names == ("phony_dim_0", "phony_dim_1")


def test_structures_of_numbers_in_linked_blocks(tmp_path: Path) -> None:
    values = np.array([(1.5, 300), (2.5, -1), (3.5, 7), (4.5, 0)], [("t", ">f4"), ("h", ">i2")])
    raw = values.tobytes()
    blocks = '<dmrpp:block offset="15" nBytes="12"/><dmrpp:block offset="0" nBytes="12"/>'
    body = (
        f'<Structure name="v"><Float32 name="t"/><Int16 name="h"/>{sizes(4)}'
        f'<dmrpp:chunks byteOrder="BE">{blocks}</dmrpp:chunks></Structure>'
    )
    found = read(tmp_path, raw[12:] + b"gap" + raw[:12], body)["v"]
    assert found.tolist() == values.tolist()


def test_structures_in_structures(tmp_path: Path) -> None:
    stored = np.dtype([("a", "<i2"), ("in", [("x", "<f4"), ("y", "<i2")]), ("b", "u1")])
    values = np.array([(1, (2.5, 3), 4), (5, (6.5, 7), 8)], stored)
    inner = '<Structure name="in"><Float32 name="x"/><Int16 name="y"/></Structure>'
    body = (
        f'<Structure name="v"><Int16 name="a"/>{inner}<Byte name="b"/>{sizes(2)}'
        f"{CHUNK.format(0, values.nbytes)}</Structure>"
    )
    assert read(tmp_path, values.tobytes(), body)["v"].tolist() == values.tolist()


def test_fill_values_of_structures(tmp_path: Path) -> None:
    plain = (
        '<Structure name="v"><Float64 name="a"/><Int16 name="b"/>'
        f'{sizes(2)}<dmrpp:chunks fillValue="-9.5 7" structOffset="8 16"/></Structure>'
    )
    assert read(tmp_path, b"", plain)["v"].tolist() == [(-9.5, 7)] * 2
    arrays = plain.replace('"b"/>', f'"b">{sizes(2)}</Int16>').replace("-9.5 7", "-9.5 7 8")
    found = read(tmp_path, b"", arrays)
    assert found["v/a"].tolist() == [-9.5, -9.5]
    assert found["v/b"].tolist() == [[7, 8], [7, 8]]
    with pytest.raises(CorruptFileError, match="numbers"):
        parse(plain.replace("-9.5 7", "1 2 3"))


def test_structures_with_texts(tmp_path: Path) -> None:
    data = b""
    for number, name in ((1, b"one"), (2, b"two; \xc3\xa7")):
        data += np.int32(number).tobytes() + base64.b64encode(name) + b";"
    body = (
        f'<Structure name="v"><Int32 name="n"/><String name="s"/>{sizes(2)}'
        f'<dmrpp:chunks fillValue="0"/><dmrpp:specialstructuredata>{b64(data)}'
        "</dmrpp:specialstructuredata></Structure>"
    )
    found = read(tmp_path, b"", body)
    assert found["v/n"].tolist() == [1, 2]
    assert found["v/s"].tolist() == ["one", "two; ç"]
    for broken in (data[:-1], data + b"x", data[:3], b""):
        with pytest.raises(CorruptFileError):
            parse(body.replace(b64(data), b64(broken)))


def test_what_zarr_cannot_hold_is_refused_by_name() -> None:
    for body in (
        '<Sequence name="v"><Int32 name="a"/><dmrpp:chunks/></Sequence>',
        f'<Structure name="v"><String name="s"/>{CHUNK.format(0, 9)}</Structure>',
        f'<Structure name="v"><Opaque name="s"/>{CHUNK.format(0, 9)}</Structure>',
        '<Structure name="v"><dmrpp:chunks/></Structure>',
        f'<Int32 name="a/b">{CHUNK.format(0, 4)}</Int32>',
    ):
        with pytest.raises(UnsupportedFeatureError):
            parse(body)


def test_structures_that_do_not_fit_are_corrupt() -> None:
    members = '<Int32 name="a"/><Int32 name="b"/>'
    for offsets in ("4", "4 8 12", "4 6", "9 8"):
        said = f'<dmrpp:chunks structOffset="{offsets}">{CHUNK.format(0, 8)}</dmrpp:chunks>'
        with pytest.raises(CorruptFileError):
            parse(f'<Structure name="v">{members}{said}</Structure>')


def test_groups_and_dimension_names() -> None:
    def variable(name: str, *dims: str) -> str:
        axes = "".join(
            f'<Dim name="{d}"/>' if not d.isdigit() else f'<Dim size="{d}"/>' for d in dims
        )
        return f'<Byte name="{name}">{axes}<dmrpp:chunks/></Byte>'

    body = (
        '<Dimension name="x" size="3"/><Dimension name="y" size="2"/>'
        + variable("a", "/x", "y", "4", "4")
        + f'<Group name="g"><Dimension name="x" size="5"/>{variable("b", "x", "y", "4")}'
        + f"{variable('c', '/x', '/h/z')}</Group>"
        + '<Group name="h"><Dimension name="z" size="7"/></Group>'
    )
    group = parse(body)
    names = {path: each.metadata.dimension_names for path, each in group.walk_arrays()}
    assert names == {
        "a": ("x", "y", "phony_dim_0", "phony_dim_1"),
        "g/b": ("x", "y", "phony_dim_2"),
        "g/c": ("x_2", "z"),
    }
    assert group.groups["g"].arrays["b"].shape == (5, 2, 4)
    inner = parse(body, parser=DMRPPParser(group="/g/"))
    assert inner.arrays.keys() == {"b", "c"}
    with pytest.raises(SourceNotFoundError, match="level: g, h"):
        parse(body, parser=DMRPPParser(group="missing"))
    with pytest.raises(CorruptFileError, match="no dimension"):
        parse(variable("a", "nowhere"))


def test_maps_name_coordinates() -> None:
    coordinate = f'<Float32 name="lat">{sizes(4)}{CHUNK.format(0, 16)}</Float32>'
    maps = '<Map name="/lat"/><Map name="/elsewhere/lon"/>'
    body = f'{coordinate}<Float32 name="v">{sizes(4)}{maps}{CHUNK.format(16, 16)}</Float32>'
    assert array(body).metadata.attributes == {"coordinates": "lat"}


def test_attributes() -> None:
    def attribute(name: str, kind: str, *values: str) -> str:
        inner = "".join(f"<Value>{value}</Value>" for value in values)
        return f'<Attribute name="{name}" type="{kind}">{inner}</Attribute>'

    body = (
        attribute("one", "Int16", "-3")
        + attribute("many", "Float32", "0.1", "nan", "-inf")
        + attribute("text", "String", " spaced &amp; é ")
        + attribute("texts", "String", "a", "")
        + attribute("none", "String")
        + attribute("wrong", "UInt8", "many")
        + attribute("signed", "Byte", "-1")
        + '<Attribute name="short" type="Int32" value="5"/>'
        + '<Attribute name="in" type="Int32"><Value value="6"/></Attribute>'
        + f'<Attribute name="box" type="Container">{attribute("a", "Int8", "1")}</Attribute>'
        + '<Attribute name="xml" type="OtherXML"><o:a xmlns:o="u"><b>1 &lt; 2</b></o:a></Attribute>'
        + '<Attribute name="build_dmrpp_metadata" type="Container"/>'
        + "<dmrpp:_NCProperties>version=2</dmrpp:_NCProperties><dmrpp:note>kept</dmrpp:note>"
    )
    found = dict(parse(body).attributes)
    many = found.pop("many")
    assert many.dtype == np.float32
    np.testing.assert_array_equal(many, np.array([0.1, np.nan, -np.inf], "f4"))
    assert found["one"].dtype == np.int16
    assert found == {
        "one": -3,
        "text": " spaced & é ",
        "texts": ["a", ""],
        "none": "",
        "wrong": "many",
        "signed": 255,
        "short": 5,
        "in": 6,
        "box": {"a": 1},
        "xml": '<o:a xmlns:o="u"><b>1 &lt; 2</b></o:a>',
        "note": "kept",
    }
