"""xarray joins, aligns and compares variables that hold virtual arrays."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import xarray as xr

from materialize import values_of
from model.building import Archive
from virtualizarr.errors import CombineError, NotLoadedError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray


def dataset(
    archive: Archive, start: int, count: int, chunk: int = 1, **options: Any
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return a virtual dataset and the same, loaded."""
    values = (np.arange(count * 4).reshape(count, 4) + 100 * start).astype("f4")
    array = archive.store(values, (chunk, 4), compress=True, names=("t", "x"), **options)
    coords = {"t": np.arange(start, start + count)}
    virtual = xr.Dataset({"v": (("t", "x"), array)}, coords)
    return virtual, xr.Dataset({"v": (("t", "x"), values)}, coords)


def same(virtual: xr.Dataset, loaded: xr.Dataset, archive: Archive) -> None:
    for name, variable in loaded.variables.items():
        data = virtual.variables[name].data
        values = values_of(data, archive.read) if isinstance(data, ManifestArray) else data
        assert virtual.variables[name].dims == variable.dims
        np.testing.assert_array_equal(values, variable.values)


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_concat_along_an_old_and_a_new_dimension(chunk: int) -> None:
    archive = Archive()
    pairs = [dataset(archive, start, 3, chunk) for start in (0, 3, 6)]
    virtual, loaded = ([pair[kind] for pair in pairs] for kind in (0, 1))
    same(xr.concat(virtual, "t"), xr.concat(loaded, "t"), archive)
    same(xr.combine_by_coords(virtual[::-1]), xr.combine_by_coords(loaded), archive)
    again = [each.assign_coords(t=np.arange(3)) for each in virtual]
    other = [each.assign_coords(t=np.arange(3)) for each in loaded]
    same(xr.concat(again, "run"), xr.concat(other, "run"), archive)
    nested = xr.combine_nested([again, again], ["a", "run"])
    same(nested, xr.combine_nested([other, other], ["a", "run"]), archive)


@pytest.mark.parametrize("chunk", [1, 2, 3, 4])
@pytest.mark.parametrize("labels", [range(6), range(-4, 4), range(-2, 8), range(10, 12)])
def test_reindexing_gives_missing_chunks(chunk: int, labels: range) -> None:
    archive = Archive()
    virtual, loaded = dataset(archive, 0, 4, chunk, fill_value=np.nan)
    try:
        found = virtual.reindex(t=list(labels))
    except UnsupportedFeatureError as error:
        assert (chunk, labels) == (3, range(-4, 4)), error  # noqa: PT017
        return
    same(found, loaded.reindex(t=list(labels)), archive)


def test_outer_join_pads_with_missing_chunks_and_never_with_another_value() -> None:
    archive = Archive()
    one, two = (dataset(archive, start, 4, 2, fill_value=np.nan) for start in (0, 2))
    outer = xr.merge([one[0], two[0].rename(v="w")], join="outer", compat="override")
    expected = xr.merge([one[1], two[1].rename(v="w")], join="outer", compat="override")
    same(outer, expected, archive)
    holes, _ = dataset(archive, 0, 4, 2, fill_value=7, skip=frozenset({1}))
    with pytest.raises(CombineError, match="fill_value"):
        holes.reindex(t=[0, 1, 2, 3, 4])
    assert holes.reindex(t=[0, 1, 2, 3, 4], fill_value=np.float32(7))["v"].data.manifest.nrefs == 1


def test_isel_broadcast_and_transpose() -> None:
    archive = Archive()
    virtual, loaded = dataset(archive, 0, 4)
    for change in (
        lambda ds: ds.isel(t=2),
        lambda ds: ds.isel(t=[3, 1, 1]),
        lambda ds: ds.isel(t=slice(None, None, -1)).transpose(),
        lambda ds: ds.expand_dims(member=2, axis=1),
        lambda ds: ds.sel(t=slice(1, 2)).squeeze(),
        lambda ds: ds.isel(t=[0]).squeeze("t"),
        lambda ds: ds.broadcast_like(xr.Dataset(coords={"z": [1, 2]})),
    ):
        same(change(virtual), change(loaded), archive)


def test_comparisons_tell_references_apart() -> None:
    archive = Archive()
    one, two = (dataset(archive, 0, 3)[0] for _ in range(2))
    assert one.equals(one.copy(deep=True))
    assert one.identical(pickle.loads(pickle.dumps(one)))
    assert not one.equals(two)
    same_again = xr.merge([one, pickle.loads(pickle.dumps(one))], compat="no_conflicts")
    assert same_again.equals(one)
    with pytest.raises(xr.MergeError):
        xr.merge([one, two], compat="equals")
    assert "ManifestArray" in repr(one)


def test_integers_and_huge_arrays_are_compared_without_memory() -> None:
    archive = Archive()
    small: Any = archive.store(np.zeros((1, 1), "i2"), (1, 1))
    huge = xr.Variable(("t", "x"), np.broadcast_to(small, (3 * 10**4, 10**4)))
    assert huge.equals(xr.Variable(("t", "x"), np.broadcast_to(small, (3 * 10**4, 10**4))))


@pytest.mark.parametrize(
    "use",
    [
        lambda ds: ds.v.values,
        lambda ds: ds.v.isnull().values,
        lambda ds: ds + 1,
        lambda ds: ds.v == 1,
        lambda ds: ds.mean(),
        lambda ds: bool(ds.v.variable.data),
        lambda ds: list(ds.v.variable.data),
        lambda ds: np.asarray(ds.v.variable.data),
    ],
)
def test_values_are_never_made_up(use: Any) -> None:
    virtual, _ = dataset(Archive(), 0, 3)
    with pytest.raises(NotLoadedError, match=r"\.virtualize\.open\(\)"):
        use(virtual)


def test_an_undecided_selection_is_of_no_other_use() -> None:
    archive = Archive()
    array: Any = archive.store(np.arange(6, dtype="i4"), (3,), compress=True, names=("t",))
    undecided = array[np.array([0, 1, 2, -1, -1, -1])]
    assert undecided.shape == (6,)
    for use in (
        lambda: undecided.manifest,
        lambda: pickle.dumps(undecided),
        lambda: np.concatenate([undecided, array]),
        lambda: undecided[:3],
        lambda: undecided.rename_paths("s3://x/y"),
        lambda: np.where(np.ones(6, np.bool_), undecided, 0),
    ):
        with pytest.raises(UnsupportedFeatureError, match="multiples of 3"):
            use()
    kept = np.array([True] * 3 + [False] * 3)
    masked: Any = np.where(kept, undecided, 0)
    np.testing.assert_array_equal(values_of(masked, archive.read), [0, 1, 2, 0, 0, 0])


def test_chunks_are_for_users_and_not_for_xarray() -> None:
    virtual, _ = dataset(Archive(), 0, 3)
    assert virtual.v.data.chunks == (1, 4)
    assert dict(virtual.chunks) == {}
