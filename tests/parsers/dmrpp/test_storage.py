"""Each way in which a DMR++ document says where values lie; what it does not say is refused."""

from __future__ import annotations

import base64
import bz2
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numcodecs.fletcher32 import Fletcher32
from numcodecs.shuffle import Shuffle
from numcodecs.zstd import Zstd

from parsers.dmrpp.made import array, numbers, parse, read, sizes, written
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import INLINE
from virtualizarr.parsers.dmrpp import DMRPPParser

FOUR = sizes(4)


def int32(inner: str, shape: tuple[int, ...] = (4,), attributes: str = "") -> str:
    return f'<Int32 name="v">{sizes(*shape)}{attributes}{inner}</Int32>'


def chunks(rows: str, said: str = "", shape: str = "") -> str:
    inner = f"<dmrpp:chunkDimensionSizes>{shape}</dmrpp:chunkDimensionSizes>" if shape else ""
    return f"<dmrpp:chunks {said}>{inner}{rows}</dmrpp:chunks>"


def chunk(offset: int, size: int, place: str = "", more: str = "") -> str:
    position = f' chunkPositionInArray="[{place}]"' if place else ""
    return f'<dmrpp:chunk offset="{offset}" nBytes="{size}"{position} {more}/>'


def block(offset: int, size: int) -> str:
    return f'<dmrpp:block offset="{offset}" nBytes="{size}"/>'


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_contiguous_values_in_either_byte_order(tmp_path: Path) -> None:
    data = b"head" + numbers(4, ">i4").tobytes()
    for order, expected in (("BE", numbers(4)), ("LE", numbers(4).byteswap())):
        found = read(tmp_path, data, int32(chunks(chunk(4, 16), f'byteOrder="{order}"')))
        np.testing.assert_array_equal(found["v"], expected)


def test_a_chunk_directly_in_the_variable(tmp_path: Path) -> None:
    found = read(tmp_path, numbers(4).tobytes(), int32(chunk(0, 16)))
    np.testing.assert_array_equal(found["v"], numbers(4))


def test_chunks_in_any_order_edges_and_missing_ones(tmp_path: Path) -> None:
    parts = [numbers(4) + 10 * at for at in range(3)]
    data = b"".join(part.tobytes() for part in parts)
    rows = chunk(32, 16, "2,2") + chunk(0, 16, "0,0") + chunk(16, 16, "0,2")
    found = read(tmp_path, data, int32(chunks(rows, 'fillValue="-7"', "2 2"), (3, 3)))
    expected = np.full((3, 3), -7)
    expected[:2, :2], expected[:2, 2] = parts[0].reshape(2, 2), parts[1].reshape(2, 2)[:, 0]
    expected[2, 2] = parts[2][0]
    np.testing.assert_array_equal(found["v"], expected)


@pytest.mark.parametrize("position", ["0 2", "0, 2", "0,2,0"])
def test_other_spellings_of_positions(position: str) -> None:
    found = array(int32(chunks(chunk(0, 8, position), shape="1 2"), (1, 4)))
    assert found.manifest.dict().keys() == {"0.1"}


def test_large_contiguous_values_are_cut_into_chunks() -> None:
    rows = 64
    found = array(f'<Float64 name="v">{sizes(rows, 1024, 1024)}{chunk(100, rows << 23)}</Float64>')
    assert found.shape == (rows, 1024, 1024)
    assert found.chunks == (16, 1024, 1024)
    assert found.manifest.offset.ravel().tolist() == [100 + (at << 27) for at in range(4)]


FILTERS = {
    "deflate": zlib.compress,
    "shuffle": lambda data: bytes(Shuffle(4).encode(data)),
    "fletcher32": lambda data: bytes(Fletcher32().encode(data)),
    "bzip2": bz2.compress,
    "zstd": lambda data: bytes(Zstd().encode(data)),
}


def filtered(data: bytes, names: str) -> bytes:
    for name in names.split():
        data = bytes(FILTERS[name](data))
    return data


@pytest.mark.parametrize(
    "names",
    [
        *("deflate", "shuffle deflate", "shuffle deflate fletcher32", "fletcher32"),
        *("deflate deflate", "bzip2", "shuffle zstd"),
    ],
)
def test_filters_in_the_order_given(tmp_path: Path, names: str) -> None:
    data = filtered(numbers(400).tobytes(), names)
    said = f'compressionType="{names}" deflateLevel="4 1"'
    found = read(tmp_path, data, int32(chunks(chunk(0, len(data), "0"), said, "400"), (400,)))
    np.testing.assert_array_equal(found["v"], numbers(400))


def test_fletcher32_before_shuffle_leaves_odd_bytes(tmp_path: Path) -> None:
    values = numbers(9, "<i8")
    checked = bytes(Fletcher32().encode(values.tobytes()))
    data = zlib.compress(bytes(Shuffle(8).encode(checked[:72])) + checked[72:])
    body = chunks(chunk(0, len(data), "0"), 'compressionType="fletcher32 shuffle deflate"', "9")
    found = read(tmp_path, data, f'<Int64 name="v">{sizes(9)}{body}</Int64>')
    np.testing.assert_array_equal(found["v"], values)


@pytest.mark.parametrize("written_order", ["shuffle deflate fletcher32", "fletcher32 deflate"])
def test_documents_without_a_version_do_not_tell_the_order(
    tmp_path: Path, written_order: str
) -> None:
    names = written_order.split()
    data = b"".join([b"head", filtered(numbers(400).tobytes(), written_order)])
    said = f'compressionType="{" ".join(sorted(names))}"'
    body = int32(chunks(chunk(4, len(data) - 4, "0"), said, "400"), (400,))
    np.testing.assert_array_equal(read(tmp_path, data, body, version=None)["v"], numbers(400))


def test_a_chunk_that_no_order_makes_is_noticed(tmp_path: Path) -> None:
    body = int32(chunks(chunk(0, 60, "0"), 'compressionType="deflate fletcher32"', "400"), (400,))
    with pytest.raises(CorruptFileError, match="made for another file"):
        written(tmp_path, bytes(range(100)), body, version=None)


def test_filter_masks_of_chunks(tmp_path: Path) -> None:
    packed = filtered(numbers(100).tobytes(), "shuffle deflate")
    raw = (numbers(100) + 7).tobytes()
    half = filtered((numbers(100) + 9).tobytes(), "deflate")
    rows, at = "", 0
    for place, (data, mask) in enumerate(((packed, 0), (raw, 3), (half, 1))):
        rows += chunk(at, len(data), str(100 * place), f'fm="{mask}"')
        at += len(data)
    said = 'compressionType="shuffle deflate"'
    found = read(tmp_path, packed + raw + half, int32(chunks(rows, said, "100"), (300,)))
    expected = np.concatenate([numbers(100), numbers(100) + 7, numbers(100) + 9])
    np.testing.assert_array_equal(found["v"], expected)


def test_a_second_deflate_that_was_left_out(tmp_path: Path) -> None:
    twice = filtered(np.zeros(4000, "<i4").tobytes(), "deflate deflate")
    once = filtered(numbers(4000).tobytes(), "deflate")
    rows = chunk(0, len(twice), "0") + chunk(len(twice), len(once), "4000")
    said = 'compressionType="deflate deflate"'
    found = read(tmp_path, twice + once, int32(chunks(rows, said, "4000"), (8000,)))
    np.testing.assert_array_equal(found["v"], np.concatenate([np.zeros(4000), numbers(4000)]))


@pytest.mark.parametrize("name", ["szip", "blosc", "nbit", "nonsense", "mafisc"])
def test_filters_that_cannot_be_read_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=f"{name}.*drop_variables") as caught:
        array(int32(chunks(chunk(0, 9, "0"), f'compressionType="{name}"', "4")))
    assert caught.value.node == "/v"


def test_blocks_are_cut_at_their_borders(tmp_path: Path) -> None:
    values = numbers(120, ">i4").reshape(12, 10)
    raw = values.tobytes()
    data = raw[400:440] + b"gap" + raw[:400] + b"gap" + raw[440:]
    body = chunks(block(43, 400) + block(0, 40) + block(446, 40), 'byteOrder="BE"')
    group = written(tmp_path, data, int32(body, (12, 10)))
    assert group.arrays["v"].chunks == (1, 10)
    assert not (group.arrays["v"].manifest.location == INLINE).any()
    np.testing.assert_array_equal(read(tmp_path, data, int32(body, (12, 10)))["v"], values)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_blocks_that_cut_an_element_are_kept_inline(tmp_path: Path, cut: int) -> None:
    raw = numbers(12).tobytes()
    data = raw[cut:] + b"gap" + raw[:cut]
    body = int32(chunks(block(len(data) - cut, cut) + block(0, 48 - cut)), (3, 4))
    np.testing.assert_array_equal(read(tmp_path, data, body)["v"], numbers(12).reshape(3, 4))


def test_compressed_blocks_are_kept_inline(tmp_path: Path) -> None:
    packed = zlib.compress(numbers(200).tobytes())
    data = packed[10:] + packed[:10]
    body = chunks(
        block(len(packed) - 10, 10) + block(0, len(packed) - 10), 'compressionType="deflate"'
    )
    np.testing.assert_array_equal(read(tmp_path, data, int32(body, (200,)))["v"], numbers(200))


def test_chunks_of_linked_blocks(tmp_path: Path) -> None:
    first, second = (zlib.compress((numbers(100) + at).tobytes()) for at in (0, 5))
    data = first[:7] + second + first[7:]
    rows = (
        chunk(0, 7, "0", 'LinkedBlockIndex="0"')
        + chunk(7 + len(second), len(first) - 7, "0", 'LinkedBlockIndex="1"')
        + chunk(7, 4, "100", 'LinkedBlockIndex="0"')
        + chunk(11, len(second) - 4, "100", 'LinkedBlockIndex="1"')
    )
    body = int32(chunks(rows, 'compressionType="deflate" LBChunk="true"', "100"), (200,))
    group = written(tmp_path, data, body)
    assert (group.arrays["v"].manifest.location == INLINE).tolist() == [True, False]
    expected = np.concatenate([numbers(100), numbers(100) + 5])
    np.testing.assert_array_equal(read(tmp_path, data, body)["v"], expected)


def test_blocks_of_a_file_that_is_not_there() -> None:
    with pytest.raises(VirtualizeError):
        parse(int32(chunks(block(0, 7) + block(20, 9))))


def test_values_in_the_document() -> None:
    values = numbers(4)
    compact = array(int32(f"<dmrpp:compact>{b64(values.tobytes())}</dmrpp:compact>"))
    packed = b64(zlib.compress(values.tobytes()))
    missing = array(int32(f"<dmrpp:missingdata>\n {packed[:9]}\n{packed[9:]} </dmrpp:missingdata>"))
    one = array(int32(f"<dmrpp:missingdata>{b64(values[1:2].tobytes())}</dmrpp:missingdata>", (1,)))
    assert compact.manifest.inline == missing.manifest.inline == values.tobytes()
    assert one.manifest.inline == values[1:2].tobytes()


@pytest.mark.parametrize(
    "inner",
    [
        "<dmrpp:compact>!</dmrpp:compact>",
        f"<dmrpp:compact>{b64(b'123')}</dmrpp:compact>",
        f"<dmrpp:missingdata>{b64(b'1234567890123456')}</dmrpp:missingdata>",
        f"<dmrpp:missingdata>{b64(zlib.compress(bytes(17)))}</dmrpp:missingdata>",
        f"<dmrpp:missingdata>{b64(zlib.compress(bytes(16))[:-9])}</dmrpp:missingdata>",
        f"<dmrpp:compact>{b64(bytes(16))}</dmrpp:compact>{chunk(0, 16)}",
        chunks(chunk(0, 16) + block(0, 8)),
        chunks(chunk(0, 15)),
        chunks(chunk(0, 15, "0"), shape="4"),
        chunks(chunk(0, 17, "0"), shape="4"),
        chunks(chunk(0, 8, "1"), shape="2"),
        chunks(chunk(0, 8, "4"), shape="2"),
        chunks(chunk(0, 8, "0") * 2, shape="2"),
        chunks(chunk(0, 8, "0,2"), shape="2"),
        chunks(chunk(0, 8) * 2, shape="2"),
        chunks(chunk(0, 8, "0") + chunk(8, 8), shape="2"),
        chunks('<dmrpp:chunk offset="0"/>'),
        chunks('<dmrpp:chunk offset="-1" nBytes="16"/>'),
        chunks('<dmrpp:chunk offset="0x0" nBytes="16"/>'),
        chunks('<dmrpp:chunk offset="" nBytes="16"/>'),
        chunks(f'<dmrpp:chunk offset="{2**63 - 1}" nBytes="16"/>'),
        chunks(f'<dmrpp:chunk offset="{10**400}" nBytes="16"/>'),
        chunks(chunk(0, 16, "0", 'fm="4294967296"'), shape="4"),
        chunks(chunk(0, 8, "0", 'LinkedBlockIndex="1"'), shape="2"),
        chunks("", shape="0"),
        chunks("", shape="2 2"),
        chunks("", 'byteOrder="PDP"'),
        chunks("", 'fillValue="cold"'),
        "<dmrpp:vlsa><v>a</v></dmrpp:vlsa>",
    ],
)
def test_what_contradicts_itself_is_corrupt(inner: str) -> None:
    with pytest.raises(CorruptFileError) as caught:
        array(int32(inner))
    assert caught.value.node == "/v"


def test_a_variable_without_bytes_is_not_taken_for_fill() -> None:
    with pytest.raises(UnsupportedFeatureError, match="does not tell where"):
        array(int32(""))
    assert array(int32("", (0, 3))).shape == (0, 3)


@pytest.mark.parametrize(
    "mark", ["unsupported-string", "unsupported-array", "unsupported-compound"]
)
def test_variables_marked_as_unsupported_are_refused(mark: str) -> None:
    body = chunks(chunk(0, 64), f'fillValue="{mark}"')
    with pytest.raises(UnsupportedFeatureError, match=mark):
        array(f'<String name="v">{FOUR}{body}</String>')


@pytest.mark.parametrize("element", ["dmrpp:unsupported", "dmrpp:newkind", "other"])
def test_unknown_elements_are_refused_by_name(element: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=element.removeprefix("dmrpp:")):
        array(int32(f"<{element}/>" + chunk(0, 16)))


def test_dropped_variables_are_not_looked_at() -> None:
    body = int32("<dmrpp:unsupported/>") + '<Group name="g"><Sequence name="s"/></Group>'
    for name in ("v", "/v"):
        assert not parse(body, parser=DMRPPParser(drop_variables=[name, "s"])).arrays
    assert not parse(body, parser=DMRPPParser(skip_variables=("v", "g"))).groups


FILLS: list[tuple[str, str, str, Any]] = [
    ("Float64", "9.96921e+36", "Float64 9.969209968386869e36", 9.969209968386869e36),
    ("Float64", "9.96921e+36", "", 9.96921e36),
    ("Float32", "-9999.9", "Float32 -9999.9", np.float32(-9999.9)),
    ("Int16", "-1", "Int16 7", -1),
    ("UInt8", "-1", "", 255),
    ("Float32", "nan", "", np.nan),
    ("Int64", "-9223372036854775808", "", -(2**63)),
]


@pytest.mark.parametrize(("kind", "text", "attribute", "expected"), FILLS)
def test_fill_values(tmp_path: Path, kind: str, text: str, attribute: str, expected: Any) -> None:
    found = read(tmp_path, b"", filled(kind, text, attribute, "LE"))
    np.testing.assert_array_equal(found["v"], np.full(4, expected, found["v"].dtype))


def filled(kind: str, text: str, attribute: str, order: str) -> str:
    said = f'fillValue="{text}" byteOrder="{order}"'
    of, _, value = attribute.partition(" ")
    fill = f'<Attribute name="_FillValue" type="{of}"><Value>{value}</Value></Attribute>'
    return f'<{kind} name="v">{FOUR}{fill if of else ""}{chunks("", said, "2")}</{kind}>'


def test_big_endian_fill_values(tmp_path: Path) -> None:
    reversed_five = str(5 << 24)
    for text, attribute, expected in (
        (reversed_five, "Int32 5", 5),
        ("5", "Int32 5", 5),
        ("-1", "", -1),
        ("0", "", 0),
    ):
        found = read(tmp_path, b"", filled("Int32", text, attribute, "BE"))
        np.testing.assert_array_equal(found["v"], np.full(4, expected))
    with pytest.raises(UnsupportedFeatureError, match="bytes reversed"):
        array(filled("Int32", reversed_five, "", "BE"))


def test_storage_fill_and_cf_fill_are_two_things() -> None:
    found = array(filled("Int16", "-1", "Int16 7", "LE"))
    assert found.metadata.fill_value == -1
    assert found.metadata.attributes["_FillValue"] == np.int16(7)


def test_all_that_cannot_be_is_left_out_if_asked() -> None:
    names = ("marked", "nowhere", "odd", "right")
    marked, nowhere, odd, right = (f'<Int32 name="{name}">' for name in names)
    body = (
        f"{marked}<dmrpp:unsupported/></Int32>{nowhere}</Int32>"
        f'<Group name="g">{odd}{chunk(0, 3)}</Int32>{right}{chunk(0, 4)}</Int32></Group>'
    )
    with pytest.warns(UserWarning, match=r"3 left out: /marked: .*; /nowhere: .*; /g/odd: .*"):
        group = parse(body, parser=DMRPPParser(errors="skip"))
    assert [path for path, _ in group.walk_arrays()] == ["g/right"]
