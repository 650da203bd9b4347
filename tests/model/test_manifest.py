"""The manifest: its dict form, its columns, equality, and what it costs."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, Location
from virtualizarr.model.columns import AffineRun

BYTES = st.binary(max_size=5)
ENTRY = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["s3://b/one", "https://h/two", "file:///three", ""]),
        "offset": st.integers(0, 2**63),
        "length": st.integers(0, 2**40),
    }
) | BYTES.map(lambda data: {"path": "__inlined__", "offset": 0, "length": len(data), "data": data})


@st.composite
def manifests(draw: st.DrawFn, shape: tuple[int, ...] | None = None) -> ChunkManifest:
    if shape is None:
        shape = tuple(draw(st.lists(st.integers(1, 3), max_size=3)))
    keys = [".".join(map(str, index)) if index else "c" for index in np.ndindex(shape)]
    entries = {key: draw(ENTRY) for key in draw(st.lists(st.sampled_from(keys), unique=True))}
    return ChunkManifest(entries, shape)


@given(manifests())
def test_dict_round_trips(manifest: ChunkManifest) -> None:
    again = ChunkManifest(manifest.dict(), manifest.shape_chunk_grid)
    assert again == manifest
    assert again.dict() == manifest.dict()
    assert manifest.nrefs == len(manifest.dict())
    for index, entry in manifest.iter_refs():
        assert manifest.get_entry(index) == entry
    copy = pickle.loads(pickle.dumps(manifest))
    assert copy == manifest
    assert copy.locations == manifest.locations


@given(st.data())
def test_equality_is_the_equality_of_dicts(data: st.DataObject) -> None:
    shape = (2, 2)
    one, two = data.draw(manifests(shape)), data.draw(manifests(shape))
    assert (one == two) == (one.dict() == two.dict())
    equal = one.elementwise_eq(two)
    for index in np.ndindex(shape):
        assert equal[index] == (one.get_entry(index) == two.get_entry(index))


@settings(max_examples=50)
@given(st.data())
def test_joining_taking_and_moving_are_those_of_the_entries(data: st.DataObject) -> None:
    shape = (2, 3)
    parts = data.draw(st.lists(manifests(shape), min_size=1, max_size=3))
    axis = data.draw(st.integers(0, 1))
    joined = ChunkManifest.concatenate(parts, axis)
    expected = np.concatenate([entries(part) for part in parts], axis=axis)
    assert (entries(joined) == expected).all()
    cells = np.array(data.draw(st.lists(st.integers(0, 1), min_size=1)), np.int64)
    assert (entries(joined.take(axis, cells)) == expected.take(cells, axis)).all()
    assert (entries(joined.permute((1, 0))) == expected.transpose()).all()
    wide = joined.insert_axis(0).stretch((4, *expected.shape))
    assert (entries(wide.take(0, slice(2, 3)).drop_axis(0)) == expected).all()


def entries(manifest: ChunkManifest) -> np.ndarray[Any, Any]:
    found = np.empty(manifest.shape_chunk_grid, object)
    for index in np.ndindex(found.shape):
        found[index] = str(manifest.get_entry(index))
    return found


@settings(max_examples=50)
@given(st.data())
def test_affine_runs_are_the_arrays_they_stand_for(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    steps = tuple(data.draw(st.integers(0, 100)) for _ in shape)
    run = AffineRun(data.draw(st.integers(0, 100)), steps, shape)
    affine = ChunkManifest.single_file(Location("s3://b/f"), run, 10)
    plain = ChunkManifest.single_file(Location("s3://b/f"), run.values(), 10)
    axis = data.draw(st.integers(0, len(shape) - 1))
    cut = slice(data.draw(st.integers(0, 3)), data.draw(st.integers(0, 4)))
    for change in (
        lambda m: m,
        lambda m: m.take(axis, cut),
        lambda m: m.take(axis, np.array([0, shape[axis] - 1, 0])),
        lambda m: m.permute(tuple(reversed(range(len(shape))))),
        lambda m: m.insert_axis(axis).stretch((*shape[:axis], 3, *shape[axis:])),
        lambda m: ChunkManifest.concatenate([m, m.take(axis, cut), m], axis),
    ):
        assert change(affine) == change(plain)
        np.testing.assert_array_equal(change(affine).offset, change(plain).offset)


def test_affine_runs_stay_affine_when_they_continue() -> None:
    parts = [
        ChunkManifest.single_file(Location("s3://b/f"), AffineRun(k * 10**9, (10,), (10**8,)), 10)
        for k in range(3)
    ]
    joined = ChunkManifest.concatenate(parts, 0)
    assert joined.offset_column == AffineRun(0, (10,), (3 * 10**8,))
    assert joined.nbytes < 1000
    assert len(pickle.dumps(joined)) < 1000
    assert pickle.loads(pickle.dumps(joined)).offset_column == joined.offset_column


def test_bad_entries_are_refused() -> None:
    good = {"path": "s3://b/f", "offset": 0, "length": 1}
    for key, separator in (("0.a", "."), ("0/1", "."), ("01", "."), ("0", "-"), ("-1", ".")):
        with pytest.raises(ValueError, match="chunk key"):
            ChunkManifest({key: good}, separator=separator)
    with pytest.raises(ValueError, match="inconsistent"):
        ChunkManifest({"0": good, "0.0": good})
    with pytest.raises(ValueError, match="needs the shape"):
        ChunkManifest({})
    with pytest.raises(ValueError, match="absolute"):
        ChunkManifest({"0": {**good, "path": "data/f.nc"}})
    with pytest.raises(ValueError, match="negative"):
        ChunkManifest({"0": {**good, "offset": -1}})
    with pytest.raises(TypeError, match="integer"):
        ChunkManifest({"0": {**good, "length": 1.5}})
    with pytest.raises(ValueError, match="do not fit"):
        ChunkManifest({"3": good}, shape=(2,))
    assert ChunkManifest({"0": {**good, "path": "/a b.nc"}}).locations[0].url == "file:///a%20b.nc"
    assert ChunkManifest({"c/0/1": good}, separator="/").shape_chunk_grid == (1, 2)
    assert ChunkManifest({"c": good}).shape_chunk_grid == ()


def test_from_arrays() -> None:
    paths = np.array([["s3://b/1", ""], ["/f.nc", "__inlined__"]], np.dtypes.StringDType())
    numbers = np.arange(4, dtype=np.uint64).reshape(2, 2)
    manifest = ChunkManifest.from_arrays(
        paths=paths, offsets=numbers, lengths=numbers, inlined={(1, 1): b"abc"}
    )
    assert manifest.dict() == {
        "0.0": {"path": "s3://b/1", "offset": 0, "length": 0},
        "1.0": {"path": "file:///f.nc", "offset": 2, "length": 2},
        "1.1": {"path": "__inlined__", "offset": 0, "length": 3, "data": b"abc"},
    }
    assert manifest.location[0, 1] == MISSING
    assert (manifest.offset[0, 1], manifest.length[0, 1]) == (0, 0)
    assert manifest.location[1, 1] == INLINE
    with pytest.raises(ValueError, match="uint64"):
        ChunkManifest.from_arrays(paths=paths, offsets=numbers.astype("i4"), lengths=numbers)
    with pytest.raises(ValueError, match="`inlined`"):
        ChunkManifest.from_arrays(paths=paths, offsets=numbers, lengths=numbers)
    scalar = ChunkManifest.from_arrays(
        paths=np.array("s3://b/1", np.dtypes.StringDType()),
        offsets=np.array(5, np.uint64),
        lengths=np.array(6, np.uint64),
    )
    assert scalar.dict() == {"c": {"path": "s3://b/1", "offset": 5, "length": 6}}


def test_renaming_touches_no_missing_chunk() -> None:
    entry = {"path": "s3://b/f", "offset": 0, "length": 1}
    manifest = ChunkManifest({"1": entry}, (3,))
    assert manifest.rename_paths("s3://c/f").dict() == {"1": {**entry, "path": "s3://c/f"}}
    assert manifest.rename_paths(lambda url: url + "x").nrefs == 1
    known = Location("s3://b/f", 10, "tag", datetime(2020, 1, 1, tzinfo=UTC))
    renamed = manifest.with_locations((known,)).rename_paths("s3://c/f").locations[0]
    assert (renamed.size, renamed.etag, renamed.last_modified) == (10, None, None)
    local = manifest.with_locations((replace(known, url="file:///a/f"),))
    moved = local.rename_paths("file:///b/f").locations[0]
    assert (moved.size, moved.last_modified) == (10, known.last_modified)


def test_rows_of_a_sparse_index() -> None:
    location = Location("s3://b/f")
    cell = np.array([5, 0], np.int64)
    offset, length = np.array([50, 7], np.uint64), np.array([2, 3], np.uint64)
    manifest = ChunkManifest.from_rows((2, 3), location, cell, offset, length)
    assert manifest.dict() == {
        "0.0": {"path": "s3://b/f", "offset": 7, "length": 3},
        "1.2": {"path": "s3://b/f", "offset": 50, "length": 2},
    }
    empty = ChunkManifest.from_rows((10**6, 10**6), location, cell[:0], offset[:0], length[:0])
    assert empty.all_missing
    assert empty.nbytes < 1000
    with pytest.raises(UnsupportedFeatureError, match="1000000000 cells of which 2 are stored"):
        ChunkManifest.from_rows((10**9,), location, cell, offset, length, bytes_present=4096)
    with pytest.raises(CorruptFileError, match="outside"):
        ChunkManifest.from_rows((5,), location, cell, offset, length)
    with pytest.raises(CorruptFileError, match="twice"):
        ChunkManifest.from_rows((5,), location, np.array([1, 1]), offset, length)


def test_what_no_chunk_uses_is_dropped() -> None:
    parts = [
        ChunkManifest({"0": {"path": f"s3://b/{k}", "offset": 0, "length": 1}}) for k in range(5)
    ]
    inline = [
        ChunkManifest({"0": {"path": "__inlined__", "offset": 0, "length": 9, "data": b"%09d" % k}})
        for k in range(5)
    ]
    joined = ChunkManifest.concatenate([*parts, *inline], 0)
    some = joined.take(0, np.array([7, 3, 9]))
    assert [location.url for location in some.locations] == ["s3://b/3"]
    assert some.inline == b"000000002000000004"
    assert [entry["length"] for entry in some.values()] == [9, 1, 9]


def test_references_cost_at_most_17_bytes_each() -> None:
    rng = np.random.default_rng(0)
    parts = [
        ChunkManifest.single_file(
            Location(f"s3://some-bucket/a/rather/long/prefix/file-{k:06d}.nc"),
            rng.integers(0, 2**40, 1000).astype(np.uint64),
            rng.integers(0, 2**20, 1000).astype(np.uint32),
        )
        for k in range(200)
    ]
    joined = ChunkManifest.concatenate(parts, 0)
    assert joined.nbytes / joined.nrefs <= 17
    columns = joined.location.nbytes + joined.offset.nbytes + joined.length.nbytes
    assert joined.nbytes >= columns + sum(sys.getsizeof(each.url) for each in joined.locations)
