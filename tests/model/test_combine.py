"""Joined virtual arrays hold what numpy gives for the joined values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialize import values_of
from model.building import ZLIB, Archive
from virtualizarr.errors import CombineError
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray, RegularGrid
from virtualizarr.model.combine import concatenate

lengths = st.integers(1, 7)


def numbers(shape: tuple[int, ...], start: int = 0) -> np.ndarray[Any, Any]:
    return (np.arange(np.prod(shape, dtype=int)) + start).reshape(shape).astype("i4")


@st.composite
def pieces(draw: st.DrawFn) -> tuple[Archive, list[ManifestArray], list[np.ndarray[Any, Any]], int]:
    """Arrays to join along an axis: all of one chunk shape, or each with its own."""
    archive = Archive()
    ndim = draw(st.integers(1, 3))
    axis = draw(st.integers(0, ndim - 1))
    shape = [draw(lengths) for _ in range(ndim)]
    chunks = [draw(st.integers(1, 5)) for _ in range(ndim)]
    own = draw(st.booleans())
    compress = draw(st.booleans())
    virtual, values = [], []
    for place in range(draw(st.integers(2, 4))):
        shape[axis] = draw(st.integers(0, 7))
        if own and shape[axis]:
            chunks[axis] = draw(st.sampled_from([n for n in range(1, 8) if shape[axis] % n == 0]))
        value = numbers(tuple(shape), 1000 * place + 1)
        array = archive.store(value, tuple(chunks), compress=compress)
        virtual.append(archive.inline(array) if draw(st.booleans()) else array)
        values.append(value)
    return archive, virtual, values, axis


@settings(deadline=None, max_examples=60)
@given(pieces())
def test_concatenate_is_numpys(case: tuple[Any, ...]) -> None:
    archive, virtual, values, axis = case
    try:
        joined = np.concatenate(virtual, axis=axis)
    except CombineError as error:
        assert "only chunks of one stored length can be cut" in str(error)  # noqa: PT017
        return
    np.testing.assert_array_equal(
        values_of(joined, archive.read), np.concatenate(values, axis=axis)
    )


@settings(deadline=None, max_examples=40)
@given(pieces(), st.data())
def test_joining_twice_is_numpys(case: tuple[Any, ...], data: st.DataObject) -> None:
    archive, virtual, values, axis = case
    try:
        joined = np.concatenate(virtual, axis=axis)
        again = data.draw(st.integers(0, joined.ndim - 1))
        twice = np.concatenate([joined, joined], axis=again)
    except CombineError:
        return
    value = np.concatenate(values, axis=axis)
    expected = np.concatenate([value, value], axis=again)
    np.testing.assert_array_equal(values_of(twice, archive.read), expected)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_stack_expand_and_transpose_are_numpys(data: st.DataObject) -> None:
    archive = Archive()
    ndim = data.draw(st.integers(0, 3))
    shape = tuple(data.draw(lengths) for _ in range(ndim))
    chunks = tuple(data.draw(st.integers(1, 5)) for _ in range(ndim))
    compress = data.draw(st.booleans())
    values = [numbers(shape, start) for start in (1, 1000, 2000)]
    virtual: Any = [archive.store(value, chunks, compress=compress) for value in values]
    axis = data.draw(st.integers(-ndim - 1, ndim))
    order = data.draw(st.permutations(range(ndim + 1)))
    stacked, expected = np.stack(virtual, axis=axis), np.stack(values, axis=axis)
    np.testing.assert_array_equal(values_of(stacked, archive.read), expected)
    moved = np.transpose(np.transpose(stacked, order), order)
    np.testing.assert_array_equal(
        values_of(moved, archive.read), expected.transpose(order).transpose(order)
    )
    wider = np.expand_dims(np.transpose(virtual[0]), axis)
    np.testing.assert_array_equal(
        values_of(wider, archive.read), np.expand_dims(values[0].transpose(), axis)
    )


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("chunks", [(1, 2), (5, 2)])
def test_broadcast_repeats_references_at_no_cost(compress: bool, chunks: tuple[int, int]) -> None:
    archive = Archive()
    value = numbers((1, 4), 1)
    array: Any = archive.store(value, chunks, compress=compress)
    wide = np.broadcast_to(array, (2, 3, 4))
    np.testing.assert_array_equal(values_of(wide, archive.read), np.broadcast_to(value, (2, 3, 4)))
    assert np.broadcast_to(array, (10**6, 10**6, 4)).nbytes_virtual < 1000


def test_months_give_a_rectilinear_grid_and_equal_lengths_a_regular_one() -> None:
    archive = Archive()
    months: Any = [archive.store(numbers((n, 2)), (n, 2)) for n in (31, 28, 31)]
    assert np.concatenate(months).chunks == ((31, 28, 31), (2,))
    weeks: Any = [archive.store(numbers((7, 2)), (7, 2)) for _ in range(3)]
    assert np.concatenate(weeks).metadata.chunk_grid == RegularGrid((7, 2))


def test_oversized_chunks_of_single_records_are_cropped_to_a_regular_grid() -> None:
    archive = Archive()
    files: Any = [archive.store(numbers((1, 2), k), (64, 2), compress=True) for k in range(3)]
    joined = np.concatenate(files)
    assert joined.metadata.chunk_grid == RegularGrid((1, 2))
    assert joined.metadata.codecs[0]["name"] == "virtualizarr.crop"
    np.testing.assert_array_equal(values_of(joined, archive.read), [[0, 1], [1, 2], [2, 3]])


def described(**changes: Any) -> ManifestArray:
    arguments = {"shape": (2,), "dtype": np.dtype("f4"), "chunk_shape": (2,), **changes}
    metadata = ArrayMetadata.create(**arguments)
    entry = {"path": "s3://b/" + "-".join(changes), "offset": 0, "length": 8}
    return ManifestArray(metadata, ChunkManifest({"0": entry}))


def zstd(level: int) -> tuple[dict[str, Any], ...]:
    return ({"name": "zstd", "configuration": {"level": level, "checksum": level > 3}},)


@pytest.mark.parametrize(
    "one, two",
    [
        ({"dtype": np.dtype("f4")}, {"dtype": np.dtype("f8")}),
        ({"dtype": np.dtype("<f4")}, {"dtype": np.dtype(">f4")}),
        ({"fill_value": -1}, {"fill_value": -9}),
        ({"codecs": ()}, {"codecs": (ZLIB,)}),
        (
            {"codecs": ({"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}},)},
            {"codecs": ({"name": "numcodecs.shuffle", "configuration": {"elementsize": 2}},)},
        ),
        ({"attributes": {"scale_factor": 0.01}}, {"attributes": {"scale_factor": 0.1}}),
        ({"attributes": {"add_offset": np.float32(1)}}, {"attributes": {}}),
        ({"attributes": {"_FillValue": -9}}, {"attributes": {"_FillValue": -99}}),
        ({"attributes": {"_Unsigned": "true"}}, {"attributes": {}}),
        (
            {"attributes": {"units": "days since 2000-01-01"}},
            {"attributes": {"units": "days since 2001-01-01"}},
        ),
        (
            {"attributes": {"units": "days since 2000-01-01", "calendar": "noleap"}},
            {"attributes": {"units": "days since 2000-01-01"}},
        ),
    ],
)
def test_what_decodes_differently_is_refused_by_both_names(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    first, second = described(**one), described(other=None) if not two else described(**two)
    with pytest.raises(CombineError) as caught:
        np.concatenate([first, second])  # type: ignore[call-overload]
    assert caught.value.url == second.locations[0].url
    assert first.locations[0].url in caught.value.reason
    with pytest.raises(CombineError):
        np.stack([second, first])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "one, two",
    [
        ({"codecs": zstd(1)}, {"codecs": zstd(9)}),
        ({"codecs": (ZLIB,)}, {"codecs": ({**ZLIB, "configuration": {"level": 9}},)}),
        ({"fill_value": np.nan}, {"fill_value": np.float32("nan")}),
        ({"attributes": {"_FillValue": np.nan}}, {"attributes": {"_FillValue": np.float32("nan")}}),
        ({"attributes": {"scale_factor": 2}}, {"attributes": {"scale_factor": np.array([2.0])}}),
        ({"attributes": {"units": "K"}}, {"attributes": {"units": "kelvin"}}),
        (
            {"attributes": {"units": "days since 2000-01-01", "calendar": "gregorian"}},
            {"attributes": {"units": "days  since 2000-01-01"}},
        ),
        ({"dtype": np.dtype("u1")}, {"dtype": np.dtype("u1"), "attributes": {"history": "x"}}),
    ],
)
def test_what_decodes_alike_is_joined(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert concatenate([described(**one), described(**two)]).shape == (4,)


def test_chunks_must_agree_on_other_axes() -> None:
    archive = Archive()
    one: Any = archive.store(numbers((4, 4)), (2, 2), names=("t", "x"))
    two: Any = archive.store(numbers((4, 4)), (2, 4), names=("t", "x"))
    with pytest.raises(CombineError, match="chunk lengths along dimension 'x' is 4 here but 2"):
        np.concatenate([one, two])
    with pytest.raises(CombineError, match="shape"):
        np.concatenate([one, archive.store(numbers((4, 3)), (2, 2))])  # type: ignore[list-item]


def test_a_file_that_changed_between_two_parses_is_refused() -> None:
    array = described()
    location = array.manifest.locations[0]
    manifests = [
        array.manifest.with_locations((type(location)(location.url, etag=etag),))
        for etag in ("one", "two")
    ]
    with pytest.raises(CombineError, match="etag one, then two"):
        ChunkManifest.concatenate(manifests, 0)


def test_a_loaded_array_cannot_be_joined_to_a_virtual_one() -> None:
    with pytest.raises(CombineError, match="array 1 of 2 is loaded"):
        np.concatenate([described(), np.zeros(2, "f4")])  # type: ignore[list-item]
