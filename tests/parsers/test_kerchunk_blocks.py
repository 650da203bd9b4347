"""Reference text read block by block says what it says when it is decoded whole."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers import kerchunk
from virtualizarr.parsers.kerchunk import KerchunkJSONParser, blocks, digits
from virtualizarr.parsers.kerchunk.digits import MAX_DIGITS, Text, whole_numbers
from virtualizarr.parsers.kerchunk.table import MAX_BYTE, table_of
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

texts = st.text('aé/\\"],:[{}0 ', max_size=8)
numbers = st.integers(-2, 12) | st.sampled_from([10**15, 10**18, MAX_BYTE, 2**63, 2**64])
ranges = st.tuples(texts, numbers, numbers).map(list)
plain = st.tuples(st.text("ab/é", max_size=4), st.integers(0, 99), st.integers(0, 99)).map(list)
values = st.recursive(
    ranges
    | texts
    | numbers
    | st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
documents = st.dictionaries(texts.filter(lambda k: "\n" not in k), plain | values, max_size=12)


def rows_of(table):
    return {table.name(row): table.value(row) for row in range(len(table))}


def same(one, other):
    """Say whether two values are the same, also in type."""
    return json.dumps(one) == json.dumps(other)


@settings(max_examples=400, deadline=None)
@given(
    refs=documents | st.dictionaries(st.text("ab./01é", max_size=5), plain, max_size=12),
    style=st.sampled_from([(",", ":"), (", ", ": "), (",\n ", " : ")]),
    escaped=st.booleans(),
    slashes=st.booleans(),
    size=st.integers(0, 40),
    own=st.none() | st.just({"locations": {'},"refs":{': {"size": 1}}}) | st.just({"refs": {}}),
)
def test_every_way_to_cut_says_the_same(refs, style, escaped, slashes, size, own):
    member = {} if own is None else {"virtualizarr": own}
    document = {"version": 1, **member, "refs": refs}
    text = json.dumps(document, separators=style, ensure_ascii=escaped)
    if slashes:
        text = text.replace("/", "\\/")
    wanted = orjson.loads(text)["refs"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", size)
        found = blocks.table_of_text(text.encode())
    if found is None:
        assert size < len(text)
        return
    table, before = found
    assert before == own
    assert same(rows_of(table), wanted)
    assert same(rows_of(table_of(wanted)), wanted)


REGULAR = '{"version":1,"refs":{"a/0":["u",1,2],"a/1":["v",30,40]}}'


def test_regular_text_is_never_decoded_by_a_json_library(monkeypatch):
    monkeypatch.delattr(blocks, "orjson")
    for text in (REGULAR, json.dumps(json.loads(REGULAR)), REGULAR.replace("/", "\\/")):
        table, _ = blocks.table_of_text(text.encode())
        assert rows_of(table) == {"a/0": ["u", 1, 2], "a/1": ["v", 30, 40]}
        assert table.urls == ("u", "v")


@pytest.mark.parametrize(
    "text",
    [
        REGULAR[:-1],
        REGULAR[:-2],
        REGULAR + "x",
        REGULAR.replace('{"version":1,', "{"),
        REGULAR.replace("1,2]", "1,02]"),
        REGULAR.replace("1,2]", "1,,2]"),
        REGULAR.replace("1,2]", "1 2]"),
        REGULAR.replace("1,2]", "1,2 3]"),
        REGULAR.replace("1,2]", "1 0,2]"),
        REGULAR.replace('"u"', '"u\t"'),
        REGULAR.replace("1,2]", "1,2"),
        REGULAR.replace('"u"', '"u'),
        REGULAR.replace("]}}", "],}}"),
        REGULAR.replace("]}}", ']},"gen":[]}'),
        REGULAR.replace("refs", "templates"),
    ],
)
def test_other_text_is_left_to_the_json_library(text):
    assert blocks.table_of_text(text.encode()) is None


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_mutants_are_read_as_json_or_not_at_all(data):
    text = bytearray(REGULAR.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(
            st.sampled_from(b'",:[]{}0a1 -\\')
        )
    found = blocks.table_of_text(bytes(text))
    if found is not None:
        table, _ = found
        decoded = json.loads(bytes(text))
        assert decoded["version"] == 1
        assert same(rows_of(table), decoded["refs"])


keys = st.tuples(st.sampled_from(["v/", "v/", "w/", "v/g/"]), st.integers(0, 11), st.integers(0, 9))
chunks = st.dictionaries(
    keys.map(lambda key: f"{key[0]}{key[1]}.{key[2]}")
    | st.sampled_from(["v/01.0", "v/0", "é/0.0"]),
    st.tuples(
        st.sampled_from(["s3://b/a.nc", "s3://b/a.nc", "s3://b/b.nc", "s3://b/c,d.nc", "rel é.nc"]),
        numbers.filter(lambda number: number >= 0),
        st.integers(0, 99) | st.just(MAX_BYTE),
    ).map(list)
    | st.sampled_from(["base64:AAAA", ["s3://b/a.nc"], ["s3://b/a.nc", 1.5, 2], None]),
    max_size=30,
)


def described(shape):
    zarray = {"zarr_format": 2, "shape": shape, "chunks": [1, 1], "dtype": "|u1", "order": "C"}
    return json.dumps({**zarray, "fill_value": None, "filters": None, "compressor": None})


@settings(max_examples=300, deadline=None)
@given(chunks=chunks, style=st.sampled_from([(",", ":"), (", ", ": ")]), size=st.integers(0, 200))
def test_the_tree_or_the_error_is_that_of_the_general_path(chunks, style, size):
    documents = {f"{name}/.zarray": described([12, 10]) for name in "vw"}
    text = json.dumps({"version": 1, "refs": {**documents, **chunks}}, separators=style).encode()

    def outcome():
        source = BytesSource(text, "file:///refs/refs.json")
        try:
            return run(KerchunkJSONParser().parse(source.url), source)
        except VirtualizeError as error:
            return type(error), str(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", size)
        found = outcome()
        patch.setattr(kerchunk, "table_of_text", lambda text: None)
        general = outcome()
    assert found == general
    if not isinstance(found, tuple):
        for name in "vw":
            mine, other = (tree.arrays[name].manifest for tree in (found, general))
            assert mine.inline == other.inline
            assert [file.url for file in mine.locations] == [file.url for file in other.locations]
            for column in ("location", "offset", "length"):
                assert np.array_equal(getattr(mine, column), getattr(other, column))


pieces = st.lists(
    st.text("0123456789", max_size=27)
    | st.text("0123456789a/:é", max_size=27)
    | st.sampled_from(
        ["aaaaaaaab", "aaaaaaaaa", "baaaaaaaa", "aaaaaaaa", "aaaaaaab", "s3://b/a.nc"]
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=300, deadline=None)
@given(pieces=pieces, doubled=st.booleans())
def test_text_is_read_as_columns(pieces, doubled):
    encoded = [piece.encode() for piece in pieces for _ in range(1 + doubled)]
    text = Text(b",".join(encoded), b",")
    stops = np.cumsum([len(piece) + 1 for piece in encoded]) - 1
    starts = stops - np.array([len(piece) for piece in encoded])
    assert text.lines(starts, stops) == b"".join(piece + b"\n" for piece in encoded)
    assert [text.between(*pair) for pair in zip(starts, stops, strict=True)] == encoded
    alike = [False, *(one == two for one, two in pairwise(encoded))]
    assert text.repeats(starts, stops).tolist() == alike
    values, digits = text.numbers_before(stops)
    tails = [re.search(rb"[0-9]*\Z", piece)[0] for piece in encoded]
    assert digits.tolist() == [min(len(tail), 24) for tail in tails]
    for value, tail in zip(values.tolist(), tails, strict=True):
        if len(tail) <= MAX_DIGITS:
            assert value == int(tail or b"0")
    plain = all(re.fullmatch(rb"0|[1-9][0-9]{0,17}", piece) for piece in encoded)
    found = whole_numbers(text, starts, stops, MAX_DIGITS)
    assert (found is not None) == plain
    if found is not None:
        assert found.tolist() == list(map(int, encoded))


def test_pieces_are_compared_across_the_rows_that_are_compared_at_once(monkeypatch):
    monkeypatch.setattr(digits, "_AT_ONCE", 2)
    text = Text(b"aabbbbac")
    starts = np.arange(8)
    found = text.repeats(starts, starts + 1).tolist()
    assert found == [False, True, False, True, True, True, False, False]


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.integers(0, 10**18 - 1), min_size=1))
def test_digits_are_numbers(values):
    text = ",".join(map(str, values)).encode()
    stops = np.cumsum([len(str(value)) + 1 for value in values]) - 1
    starts = np.concatenate(([0], stops[:-1] + 1))
    found = whole_numbers(Text(text), starts, stops, 18)
    assert found.tolist() == values
