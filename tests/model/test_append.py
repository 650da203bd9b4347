"""Deciding about appends: what grows, what is already there, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icechunk_stores import inline
from model.building import Archive
from virtualizarr.errors import CombineError
from virtualizarr.model import ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.model.append import (
    AppendPlan,
    plain_values,
    plan_append,
    plan_region,
    region_of,
)
from virtualizarr.model.combine import concatenate
from virtualizarr.model.placing import carried_out


def _part(
    archive: Archive,
    times: Sequence[float],
    chunk: int = 1,
    *,
    coordinate: bool = True,
    compress: bool = True,
    **attributes: Any,
) -> ManifestGroup:
    """One file: a variable of (t, x), and its time coordinate, loaded."""
    values = np.asarray(times, "f8")[:, None] * np.ones(4)
    data = archive.store(
        values, (chunk, 4), compress=compress, names=("t", "x"), attributes=attributes
    )
    arrays = {"data": data, "x": inline(np.arange(4), ("x",))}
    if coordinate:
        arrays["t"] = inline(np.asarray(times, "f8"), ("t",))
    return ManifestGroup(arrays)


def _joined(parts: Sequence[ManifestGroup]) -> ManifestGroup:
    """What a store holds after these parts were appended one by one."""
    arrays = dict(parts[0].arrays)
    for name in ("data", "t"):
        if name in arrays:
            arrays[name] = concatenate([part.arrays[name] for part in parts], 0)
    return ManifestGroup(arrays)


def _applied(existing: ManifestGroup, plan: AppendPlan) -> ManifestGroup:
    """Carry out a plan as a writer of text does, and as nothing but concatenation would."""
    arrays = dict(existing.arrays)
    for placement in plan.placements:
        axis = next(n for n, at in enumerate(placement.start) if at) if any(placement.start) else 0
        kept = arrays[placement.path].manifest.take(axis, slice(0, placement.start[axis]))
        manifest = ChunkManifest.concatenate([kept, placement.manifest], axis)
        arrays[placement.path] = ManifestArray(placement.metadata, manifest)
    assert carried_out(existing, plan) == ManifestGroup(arrays)
    return carried_out(existing, plan)


@pytest.mark.parametrize("coordinate", [True, False])
@pytest.mark.parametrize("compress", [True, False])
@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 4), min_size=2, max_size=5), chunk=st.integers(1, 3))
def test_appending_is_concatenating_and_twice_is_once(
    coordinate: bool, compress: bool, sizes: list[int], chunk: int
) -> None:
    archive = Archive()
    stops = np.cumsum(sizes)
    parts = [
        _part(
            archive,
            np.arange(stop - size, stop, dtype="f8"),
            chunk,
            coordinate=coordinate,
            compress=compress,
        )
        for size, stop in zip(sizes, stops, strict=True)
    ]
    store = parts[0]
    for number, part in enumerate(parts[1:], 1):
        try:
            expected = _joined(parts[: number + 1])
        except CombineError:
            with pytest.raises(CombineError):
                plan_append(store, part, "t")
            return
        plan = plan_append(store, part, "t")
        assert not plan.nothing_to_do
        store = _applied(store, plan)
        for name, array in expected.arrays.items():
            assert store.arrays[name].metadata == array.metadata
            assert store.arrays[name].manifest == array.manifest
        for earlier in parts[: number + 1]:
            again = plan_append(store, earlier, "t")
            assert again.nothing_to_do, again.note
            assert "nothing to do" in again.note


def test_what_is_refused() -> None:
    archive = Archive()
    store = _part(archive, [0, 1, 2])

    def refused(new: ManifestGroup, match: str, dim: str = "t") -> None:
        with pytest.raises(CombineError, match=match):
            plan_append(store, new, dim)

    refused(_part(archive, [2, 3]), "1 of 2 values along 't' are already there")
    refused(_part(archive, [1, 2]), "not with the same references")
    refused(_part(archive, [-2, -1]), "break their order")
    refused(_part(archive, [3], scale_factor=2.0), "scale_factor")
    refused(_part(archive, [3], coordinate=False), "not among what is to be appended")
    refused(_part(archive, [3]), "no array has the dimension 'y'", dim="y")
    new = _part(archive, [3])
    shifted = {**new.arrays, "x": inline(np.arange(4) + 1, ("x",))}
    refused(ManifestGroup(shifted), "values here differ")
    refused(ManifestGroup({**new.arrays, "x": inline(np.arange(5), ("x",))}), "shape")
    refused(ManifestGroup({**new.arrays, "more": inline(np.arange(4), ("x",))}), "no such array")
    refused(ManifestGroup(new.arrays, {"g": ManifestGroup()}), "no such group")
    refused(ManifestGroup({**new.arrays, "x": inline(np.arange(4), ("z",))}), "dimensions are")
    swapped = {**new.arrays, "data": inline(np.zeros((1, 4)), ("t", "x"))}
    refused(ManifestGroup(swapped), "codecs")


def test_a_partial_last_chunk_is_refused_where_no_grid_can_express_it() -> None:
    archive = Archive()
    store = _part(archive, [0, 1, 2, 3, 4], 3)
    months = plan_append(store, _part(archive, [5, 6], 3), "t")
    assert [type(each.metadata.chunk_grid).__name__ for each in months.placements]
    big = _part(archive, [0, 1, 2, 3, 4], 3)
    wide = archive.store(np.zeros((5, 7)), (3, 4), compress=True, names=("t", "x"), attributes={})
    odd = archive.store(np.zeros((4, 7)), (2, 4), compress=True, names=("t", "x"), attributes={})
    with pytest.raises(CombineError, match="not full"):
        plan_append(
            ManifestGroup({"data": wide, "t": big.arrays["t"]}),
            ManifestGroup({"data": odd, "t": inline(np.arange(5.0, 9.0), ("t",))}),
            "t",
        )


@pytest.mark.parametrize("gap", [0, 1, 2])
def test_sparse_arrays_without_coordinates_are_found(gap: int) -> None:
    """Also where the first chunk, or a whole row of chunks, is missing."""
    archive = Archive()
    skipped = [frozenset({0}), frozenset({0, 1}), frozenset({1, 2, 3})][gap]
    parts = [
        ManifestGroup(
            {
                "a": archive.store(
                    np.ones((3, 4)), (1, 2), names=("t", "x"), compress=True, skip=skipped
                )
            }
        )
        for _ in range(3)
    ]
    store = parts[0]
    for part in parts[1:]:
        plan = plan_append(store, part, "t")
        store = _applied(store, plan)
        for earlier in parts[: parts.index(part) + 1]:
            assert plan_append(store, earlier, "t").nothing_to_do
    cells = parts[1].arrays["a"]
    half = ManifestArray(cells.metadata.replace(shape=(2, 4)), cells.manifest.take(0, slice(1, 3)))
    mixed = concatenate([half, parts[2].arrays["a"]], 0)
    with pytest.raises(CombineError, match="already there"):
        plan_append(store, ManifestGroup({"a": concatenate([mixed, mixed], 0)}), "t")


def test_coordinates_with_gaps_do_not_decide() -> None:
    archive = Archive()
    one, two = _part(archive, [np.nan, np.nan]), _part(archive, [np.nan, np.nan])
    store = _applied(one, plan_append(one, two, "t"))
    for part in (one, two):
        assert plan_append(store, part, "t").nothing_to_do


def test_groups_grow_each_by_its_own_length() -> None:
    archive = Archive()
    store = ManifestGroup(
        groups={"a": _part(archive, [0, 1]), "b": _part(archive, [0], coordinate=False)}
    )
    new = ManifestGroup(
        groups={"a": _part(archive, [2]), "b": _part(archive, [1, 2], coordinate=False)}
    )
    plan = plan_append(store, new, "t")
    starts = {each.path: each.start[0] for each in plan.placements}
    assert starts == {"a/data": 2, "a/t": 1, "b/data": 1}
    mixed = ManifestGroup(groups={"a": store.groups["a"], "b": new.groups["b"]})
    with pytest.raises(CombineError, match="in some groups"):
        plan_append(store, mixed, "t")


def test_regions() -> None:
    archive = Archive()
    store = _joined([_part(archive, [0, 1]), _part(archive, [2, 3]), _part(archive, [4, 5])])
    new = _part(archive, [2, 3])
    region = region_of(store, new, {"t": "auto"})
    assert region == {"t": slice(2, 4)}
    plan = plan_region(store, new, region)
    assert {each.path: each.start for each in plan.placements} == {"data": (2, 0)}  # "t" is there
    with pytest.raises(CombineError, match="whole chunks"):
        plan_region(store, new, {"t": slice(1, 3)})
    with pytest.raises(CombineError, match="3 elements"):
        plan_region(store, new, {"t": slice(1, 4)})
    with pytest.raises(CombineError, match="not there"):
        region_of(store, _part(archive, [7, 8]), {"t": "auto"})
    with pytest.raises(CombineError, match="loaded"):
        region_of(store, new, {"y": "auto"})
    with pytest.raises(CombineError, match="any of the dimensions"):
        plan_region(store, new, {"y": slice(0, 1)})


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5), st.sampled_from("<>"))
def test_plain_values(numbers: list[float], order: str) -> None:
    values = np.array(numbers, f"{order}f8")
    found = plain_values(inline(values, ("t",)))
    assert found is not None
    np.testing.assert_array_equal(found, values)
    assert plain_values(inline(values[:, None], ("t", "x"))) is None
