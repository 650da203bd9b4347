"""Laws of virtual arrays: any chain of operations gives what numpy gives for the decoded values.

The bytes are real; grids are regular, rectilinear or cropped, as the operations make them. What
cannot be expressed is refused by name, and the array stays as it was.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from materialize import values_of
from model.building import Archive
from strategies import arrays, rectilinear_arrays, string_arrays
from virtualizarr.errors import CombineError, UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, ManifestArray, RectilinearGrid
from virtualizarr.model.zarr_bridge import to_zarr_metadata

type Pair = tuple[ManifestArray, np.ndarray[Any, Any]]

FILL = -7
REFUSALS = (CombineError, UnsupportedFeatureError, IndexError)


@st.composite
def pairs(draw: st.DrawFn, archive: Archive, shape: tuple[int, ...]) -> Pair:
    """A virtual array in a file of its own, and its values; some chunks may be missing."""
    values = draw(st.integers(0, 10_000)) + np.arange(np.prod(shape, dtype=int), dtype="i4")
    values = values.astype("i4").reshape(shape)
    chunks = tuple(draw(st.integers(1, 4)) for _ in shape)
    array = archive.store(
        values,
        chunks,
        compress=draw(st.booleans()),
        fill_value=FILL,
        skip=frozenset(draw(st.lists(st.integers(0, 3), max_size=1))),
    )
    return array, values_of(array, archive.read)


def other_lengths(draw: st.DrawFn, shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], draw(st.integers(0, 6)), *shape[axis + 1 :])


def join(draw: st.DrawFn, archive: Archive, pair: Pair) -> Pair:
    """Concatenate with another array, before or behind."""
    array, values = pair
    axis = draw(st.integers(0, values.ndim - 1))
    other, more = draw(pairs(archive, other_lengths(draw, values.shape, axis)))
    behind = draw(st.booleans())
    both = ([array, other], [values, more]) if behind else ([other, array], [more, values])
    return np.concatenate(both[0], axis=axis), np.concatenate(both[1], axis=axis)


def join_itself(draw: st.DrawFn, archive: Archive, pair: Pair) -> Pair:
    array, values = pair
    axis = draw(st.integers(0, values.ndim - 1))
    return np.concatenate([array] * 2, axis=axis), np.concatenate([values] * 2, axis=axis)


def select(draw: st.DrawFn, archive: Archive, pair: Pair) -> Pair:
    """Take a slice, one element, or chosen elements along an axis."""
    array, values = pair
    axis = draw(st.integers(0, values.ndim - 1))
    length = values.shape[axis]
    bound = st.none() | st.integers(-length, length)
    chosen = st.lists(st.integers(0, length - 1), max_size=4) if length else st.just([])
    part = draw(
        st.builds(slice, bound, bound)
        | chosen.map(lambda places: np.array(places, np.int64))
        | (st.integers(0, length - 1) if length and values.ndim > 1 else st.just(slice(None)))
    )
    key = (slice(None),) * axis + (part,)
    return array[key], values[key]


def turn(draw: st.DrawFn, archive: Archive, pair: Pair) -> Pair:
    array, values = pair
    order = draw(st.permutations(range(values.ndim)))
    return np.transpose(array, order), np.transpose(values, order)


def pile(draw: st.DrawFn, archive: Archive, pair: Pair) -> Pair:
    array, values = pair
    if values.ndim > 2:
        return pair
    axis = draw(st.integers(0, values.ndim))
    return np.stack([array, array], axis=axis), np.stack([values, values], axis=axis)


def widen(draw: st.DrawFn, archive: Archive, pair: Pair) -> Pair:
    array, values = pair
    if values.ndim > 2:
        return pair
    axis = draw(st.integers(0, values.ndim))
    return np.expand_dims(array, axis), np.expand_dims(values, axis)


def fill_between(draw: st.DrawFn, archive: Archive, pair: Pair) -> Pair:
    """Reindex an axis, as xarray does it: what is not there is the fill value."""
    array, values = pair
    axis = draw(st.integers(0, values.ndim - 1))
    length = values.shape[axis]
    dims = [f"d{n}" for n in range(values.ndim)]
    labels = {dims[axis]: np.arange(length)}
    wanted = draw(st.lists(st.integers(0, length + 3), max_size=6, unique=True).map(sorted))
    target = {dims[axis]: np.array(wanted, np.int64)}
    made, expected = (
        xr.Dataset({"v": (dims, data)}, coords=labels).reindex(target, fill_value=FILL)["v"]
        for data in (array, values)
    )
    found = made.variable._data
    # Of an array without elements xarray takes nothing, and makes the values itself.
    return (found, expected.values) if isinstance(found, ManifestArray) else pair


OPERATIONS = (join, join, join_itself, select, turn, pile, widen, fill_between)


@settings(deadline=None, max_examples=250)
@given(st.data())
def test_chains_of_operations_are_numpys(data: st.DataObject) -> None:
    archive = Archive()
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    pair = data.draw(pairs(archive, shape))
    for _ in range(data.draw(st.integers(1, 5))):
        step = data.draw(st.sampled_from(OPERATIONS))
        before = pair[0].metadata.to_json()
        try:
            result = step(data.draw, archive, pair)
            assert result[0].manifest is not None
        except REFUSALS:
            assert pair[0].metadata.to_json() == before
            continue
        if not result[1].ndim:
            break
        pair = result
        assert isinstance(pair[0], ManifestArray)
        assert pair[0].shape == pair[1].shape
        assert pair[0].dtype == pair[1].dtype
        np.testing.assert_array_equal(values_of(pair[0], archive.read), pair[1])


@pytest.mark.parametrize("lengths", [(31, 28, 31), (4, 4, 2), (1, 9, 1, 9)])
def test_uneven_pieces_joined_parted_and_joined_again(lengths: tuple[int, ...]) -> None:
    """A rectilinear grid, cut where its chunks end, gives its pieces back."""
    archive = Archive()
    values = [np.arange(n * 3, dtype="i4").reshape(n, 3) + 1000 * n for n in lengths]
    arrays = [archive.store(value, value.shape, compress=True) for value in values]
    joined = np.concatenate(arrays, axis=0)
    assert isinstance(joined.metadata.chunk_grid, RectilinearGrid) or lengths == (4, 4, 2)
    ends = np.cumsum(lengths)
    parts = [joined[end - n : end] for end, n in zip(ends, lengths, strict=True)]
    for part, value in zip(parts, values, strict=True):
        np.testing.assert_array_equal(values_of(part, archive.read), value)
    again = np.concatenate(parts, axis=0)
    np.testing.assert_array_equal(values_of(again, archive.read), np.concatenate(values))
    turned = np.transpose(again)
    np.testing.assert_array_equal(values_of(turned, archive.read), np.concatenate(values).T)


@settings(deadline=None, max_examples=60)
@given(arrays() | rectilinear_arrays() | string_arrays())
def test_documents_say_what_the_metadata_say(array: ManifestArray) -> None:
    """An array's document is read back by us, and opened by zarr."""
    document = array.metadata.to_json()
    assert ArrayMetadata.from_json(document).to_json() == document
    assert ArrayMetadata.from_json(document).grid_shape == array.metadata.grid_shape
    opened = to_zarr_metadata(array.metadata)
    assert opened.shape == array.shape


def test_one_length_for_an_axis_means_whole_chunks() -> None:
    """In a rectilinear grid as in a regular one, the last chunk is stored whole."""
    grid = {"kind": "inline", "chunk_shapes": [2, [[1, 3]]]}
    made = ArrayMetadata.create(shape=(3, 3), dtype=np.dtype("i4"), chunk_shape=(1, 1)).to_json()
    made["chunk_grid"] = {"name": "rectilinear", "configuration": grid}
    assert ArrayMetadata.from_json(made).chunk_grid == RectilinearGrid(((2, 2), (1, 1, 1)))
