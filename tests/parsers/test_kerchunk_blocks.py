"""Reference text read block by block says what it says when it is decoded whole."""

from __future__ import annotations

import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtualizarr.parsers.kerchunk import blocks
from virtualizarr.parsers.kerchunk.digits import whole_numbers
from virtualizarr.parsers.kerchunk.table import MAX_BYTE, table_of

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


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.integers(0, 10**18 - 1), min_size=1))
def test_digits_are_numbers(values):
    text = ",".join(map(str, values)).encode()
    stops = np.cumsum([len(str(value)) + 1 for value in values]) - 1
    starts = np.concatenate(([0], stops[:-1] + 1))
    found = whole_numbers(np.frombuffer(text, np.uint8), starts, stops, 18)
    assert found.tolist() == values
