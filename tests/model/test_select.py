"""A selection of a virtual array holds what numpy selects, or is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialize import values_of
from model.building import Archive
from virtualizarr.errors import CombineError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray, RegularGrid
from virtualizarr.model.uncompressed import subchunk


def numbers(*shape: int) -> np.ndarray[Any, Any]:
    return np.arange(1, np.prod(shape, dtype=int) + 1).reshape(shape).astype("i4")


@st.composite
def selectors(draw: st.DrawFn, length: int) -> Any:
    kind = draw(st.sampled_from(["slice", "slice", "int", "array", "bool"]))
    position = st.integers(-length, length - 1)
    if kind == "int":
        return draw(position)
    if kind == "array":
        return np.array(draw(st.lists(position, max_size=5)), np.int64)
    if kind == "bool":
        return np.array(draw(st.lists(st.booleans(), min_size=length, max_size=length)))
    bound = st.none() | st.integers(-length - 1, length + 1)
    return slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3, -1, -2])))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_getitem_is_numpys_or_is_refused(data: st.DataObject) -> None:
    archive = Archive()
    shape = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
    chunks = tuple(data.draw(st.integers(1, 4)) for _ in shape)
    value = numbers(*shape)
    compress = data.draw(st.booleans())
    array = archive.store(value, chunks, compress=compress, skip=frozenset({1}))
    value = values_of(array, archive.read)
    key: list[Any] = [data.draw(selectors(length)) for length in shape]
    arrays = [place for place, part in enumerate(key) if isinstance(part, np.ndarray)]
    for place in arrays[1:]:
        key[place] = slice(None)
    key.insert(data.draw(st.integers(0, len(key))), data.draw(st.sampled_from([None, ...])))
    try:
        selected = array[tuple(key)]
        assert selected.manifest is not None
    except UnsupportedFeatureError as error:
        assert compress or max(chunks[:-1], default=2) > 1, error  # noqa: PT017
        return
    except IndexError as error:
        assert "slice between" in str(error)  # noqa: PT017
        return
    expected = value[tuple(key)]
    assert selected.shape == expected.shape
    np.testing.assert_array_equal(values_of(selected, archive.read), expected)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_open_meshes_are_numpys(data: st.DataObject) -> None:
    archive = Archive()
    value = numbers(5, 4, 3)
    array = archive.store(value, (1, 1, 1), compress=True)
    mesh = np.ix_(
        *(data.draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4)) for n in (5, 4, 3))
    )
    np.testing.assert_array_equal(values_of(array[mesh], archive.read), value[mesh])


def test_points_are_refused() -> None:
    array = Archive().store(numbers(4, 4), (1, 1))
    with pytest.raises(IndexError, match="axis by axis"):
        array[np.array([0, 1, 2]), np.array([0, 1, 2])]
    with pytest.raises(IndexError, match="out of bounds"):
        array[4]
    with pytest.raises(IndexError, match="3 indices"):
        array[0, 0, 0]


def test_a_refusal_names_the_boundaries() -> None:
    array = Archive().store(numbers(72, 2), (24, 2), compress=True, names=("time", "x"))
    assert array[24:50].shape == (26, 2)
    with pytest.raises(UnsupportedFeatureError, match=r"'time' is chunked by 24: .* of 24, not 30"):
        array[30:60]
    with pytest.raises(UnsupportedFeatureError, match="cannot drop it"):
        array[24]
    archive = Archive()
    months: Any = [archive.store(numbers(n), (n,), compress=True) for n in (31, 28, 31)]
    with pytest.raises(UnsupportedFeatureError, match=r"such as \[0, 31, 59\]"):
        np.concatenate(months)[30:60]


def test_a_part_of_one_compressed_chunk_is_cut_out_of_it() -> None:
    archive = Archive()
    array = archive.store(numbers(10, 6), (10, 6), compress=True)
    part = array[3:7, 2:4]
    np.testing.assert_array_equal(values_of(part, archive.read), numbers(10, 6)[3:7, 2:4])
    np.testing.assert_array_equal(
        values_of(part[1:3].T[:, :1], archive.read), numbers(10, 6)[3:7, 2:4][1:3].T[:, :1]
    )


@pytest.mark.parametrize("target", [(1, 4, 6), (2, 8, 6), (1, 1, 3), (1, 2, 6), (4, 8, 6)])
def test_subchunking_moves_no_byte(target: tuple[int, ...]) -> None:
    archive = Archive()
    value = numbers(7, 8, 6)
    array = archive.store(value, (4, 8, 6))
    split = subchunk(array, target)
    assert split.metadata.chunk_grid == RegularGrid(target)
    np.testing.assert_array_equal(values_of(split, archive.read), value)


def test_subchunking_one_chunk_costs_nothing_whatever_the_size() -> None:
    array = Archive().store(np.zeros((1, 1), "i4"), (1, 1))
    huge = ManifestArray(
        array.metadata.replace(shape=(10**8, 4), chunk_grid=RegularGrid((10**8, 4))),
        type(array.manifest).single_file(
            array.manifest.locations[0], np.zeros((1, 1), np.uint64), 16 * 10**8
        ),
    )
    split = subchunk(huge, (1, 4))
    assert split.manifest.nrefs == 10**8
    assert split.nbytes_virtual < 1000
    assert split[10**7 : 3 * 10**7].nbytes_virtual < 1000
    assert split.manifest.get_entry((7, 0)) == {
        **array.manifest.dict()["0.0"],
        "offset": 7 * 16,
        "length": 16,
    }


def test_subchunking_is_refused_where_a_part_is_no_range() -> None:
    archive = Archive()
    with pytest.raises(UnsupportedFeatureError, match="not contiguous"):
        subchunk(archive.store(numbers(4, 4), (4, 4)), (4, 2))
    with pytest.raises(UnsupportedFeatureError, match="uncompressed"):
        subchunk(archive.store(numbers(4, 4), (4, 4), compress=True), (1, 4))
    with pytest.raises(ValueError, match="does not divide"):
        subchunk(archive.store(numbers(4, 4), (4, 4)), (3, 4))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_where_masks_whole_chunks(data: st.DataObject) -> None:
    archive = Archive()
    value = numbers(6, 5)
    array: Any = archive.store(value, (2, 3), compress=True, fill_value=-7)
    cells = np.array(data.draw(st.lists(st.booleans(), min_size=6, max_size=6))).reshape(3, 2)
    kept = np.repeat(np.repeat(cells, 2, axis=0), 3, axis=1)[:6, :5]
    masked = np.where(kept, array, -7)
    np.testing.assert_array_equal(values_of(masked, archive.read), np.where(kept, value, -7))


def test_where_never_gives_another_fill_value() -> None:
    archive = Archive()
    array: Any = archive.store(numbers(4).astype("f4"), (2,), skip=frozenset({1}), fill_value=-7)
    kept = np.array([False, False, True, True])
    with pytest.raises(CombineError, match=r"pass that as `fill_value`"):
        np.where(kept, array, np.nan)
    with pytest.raises(UnsupportedFeatureError, match="masked in part"):
        np.where(np.array([False, True, True, True]), array, -7)
    whole: Any = archive.store(numbers(4).astype("f4"), (2,), fill_value=-7)
    changed = np.where(kept, whole, np.nan)
    np.testing.assert_array_equal(values_of(changed, archive.read), [np.nan, np.nan, 3, 4])
    cf: Any = archive.store(
        numbers(4).astype("f4"), (2,), fill_value=-7, attributes={"_FillValue": np.float32(-7)}
    )
    np.testing.assert_array_equal(
        values_of(np.where(kept, cf, np.nan), archive.read), [-7, -7, 3, 4]
    )
