"""Appending to Icechunk, and replacing regions: once, twice, out of order, after a kill."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import zarr

from icechunk_stores import history, inline, opened, parsed, stamp
from strategies import assert_same_tree
from virtual_groups import FileOfArrays
from virtualizarr.errors import CombineError, SourceNotFoundError
from virtualizarr.model import ManifestGroup
from virtualizarr.model.combine import concatenate
from virtualizarr.writers.icechunk import write

ZLIB = {"name": "numcodecs.zlib", "configuration": {"level": 1}}
LONG = 200


def _day(directory: Path, number: int, steps: int = 2, *, loaded: bool = True) -> ManifestGroup:
    """One file of a series: two variables of (t, x) and the time, loaded or virtual."""
    file = FileOfArrays(directory / f"{number}.nc")
    times = np.arange(steps, dtype="f8") + number * steps
    values = times[:, None] + np.linspace(0, 1, LONG)
    arrays = {
        "a": file.add(values, ("t", "x"), (1, LONG), encode=zlib.compress, codecs=[ZLIB]),
        "b": file.add(-values, ("t", "x"), (steps, LONG)),
        "t": inline(times, ("t",)) if loaded else file.add(times, ("t",)),
        "x": inline(np.linspace(0, 1, LONG), ("x",)),
    }
    return stamp(ManifestGroup(arrays, attributes={"title": "series"}), file)


@pytest.fixture(params=[True, False], ids=["loaded", "virtual"])
def days(request: pytest.FixtureRequest, tmp_path: Path) -> list[ManifestGroup]:
    return [_day(tmp_path, number, loaded=request.param) for number in range(4)]


def _values(path: Path, group: ManifestGroup) -> dict[str, Any]:
    root = opened(path, group)
    return {name: root[name][...] for name in ("a", "b", "t", "x")}


def _check(path: Path, days: list[ManifestGroup]) -> None:
    found = _values(path, days[0])
    times = np.arange(2.0 * len(days))
    np.testing.assert_array_equal(found["t"], times)
    np.testing.assert_array_equal(found["a"], times[:, None] + np.linspace(0, 1, LONG))
    np.testing.assert_array_equal(found["b"], -found["a"])
    expected = {name: concatenate([day.arrays[name] for day in days], 0) for name in ("a", "b")}
    tree = parsed(path)
    for name, array in expected.items():
        assert tree.arrays[name].manifest == array.manifest


def test_appending_again_changes_nothing(tmp_path: Path, days: list[ManifestGroup]) -> None:
    path = tmp_path / "repo"
    write(days[0], path)
    for day in days[1:3]:
        write(day, path, append_dim="t")
    _check(path, days[:3])
    before = history(path)
    for day in (days[2], days[2], days[0], days[1]):
        said: list[str] = []
        assert write(day, path, append_dim="t", report=said.append) == before[0]
        assert "nothing to do" in said[0]
    assert history(path) == before
    write(days[3], path, append_dim="t")
    _check(path, days)


def test_a_session_with_changes_is_appended_to(tmp_path: Path, days: list[ManifestGroup]) -> None:
    path = tmp_path / "repo"
    write(days[0], path)
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(path)))
    session = repository.writable_session("main")
    for day in (days[1], days[2], days[1]):
        write(day, session, append_dim="t")
    session.commit("three")
    _check(path, days[:3])


def test_what_is_refused_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "repo"
    days = [_day(tmp_path, number) for number in range(3)]
    with pytest.raises(SourceNotFoundError, match="no Icechunk repository"):
        write(days[0], path, append_dim="t")
    assert not path.exists()
    write(days[1], path)
    before = history(path)
    with pytest.raises(CombineError, match="order"):
        write(days[0], path, append_dim="t")
    overlapping = stamp(_day(tmp_path, 1, 3))
    with pytest.raises(CombineError, match="already there"):
        write(overlapping, path, append_dim="t")
    with pytest.raises(CombineError, match="dimension 'z'"):
        write(days[2], path, append_dim="z")
    with pytest.raises(CombineError, match="no group"):
        write(days[2], path, append_dim="t", group_path="other")
    assert history(path) == before


def test_months_of_different_length(tmp_path: Path) -> None:
    """A last chunk that is not as long as the others makes the grid rectilinear."""
    path = tmp_path / "repo"
    parts, values = [], []
    for number, steps in enumerate((31, 28, 31)):
        file = FileOfArrays(tmp_path / f"{number}.nc")
        data = np.arange(steps) + 100.0 * number
        encoded = file.add(data, ("t",), encode=zlib.compress, codecs=[ZLIB])
        parts.append(stamp(ManifestGroup({"a": encoded}), file))
        values.extend(data)
    write(parts[0], path)
    for part in (*parts[1:], parts[1]):
        write(part, path, append_dim="t")
    with zarr.config.set({"array.rectilinear_chunks": True}):
        np.testing.assert_array_equal(opened(path, parts[0])["a"][:], values)
    assert parsed(path)["a"].metadata.shape == (90,)


def test_a_tree_grows_as_one(tmp_path: Path) -> None:
    days = [_day(tmp_path, number) for number in range(3)]
    trees = [
        ManifestGroup(groups={"p": day, "q": ManifestGroup(groups={"r": day})}) for day in days
    ]
    path = tmp_path / "repo"
    write(trees[0], path, group_path="top")
    for tree in (*trees[1:], trees[2]):
        write(tree, path, group_path="top", append_dim="t")
    found = parsed(path, group="top")
    expected = concatenate([day.arrays["a"] for day in days], 0)
    for array in (found.groups["p"].arrays["a"], found.groups["q"].groups["r"].arrays["a"]):
        assert array.manifest == expected.manifest


def test_a_region_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "repo"
    days = [_day(tmp_path, number) for number in range(3)]
    write(days[0], path)
    for day in days[1:]:
        write(day, path, append_dim="t")
    (tmp_path / "new").mkdir()
    file = FileOfArrays(tmp_path / "new" / "1.nc")
    arrays = dict(days[1].arrays)
    arrays["b"] = file.add(np.full((2, LONG), 9.0), ("t", "x"))
    new = stamp(ManifestGroup(arrays), file)
    for region in ({"t": slice(2, 4)}, {"t": "auto"}):
        write(new, path, region=region)  # type: ignore[arg-type]
        found = _values(path, new)
        assert (found["b"][2:4] == 9).all()
        np.testing.assert_array_equal(found["a"][:, 0], np.arange(6.0))
        np.testing.assert_array_equal(found["b"][4:, 0], [-4, -5])
    missing = arrays["b"].manifest.without(np.ones((1, 1), np.bool_))
    gone = ManifestGroup({**arrays, "b": arrays["b"].rebuilt(arrays["b"].metadata, missing)})
    write(gone, path, region={"t": slice(2, 4)})
    assert (_values(path, new)["b"][2:4] == 0).all()
    with pytest.raises(CombineError, match="whole chunks"):
        write(new, path, region={"t": slice(1, 3)})


def test_an_append_does_not_read_what_is_there(tmp_path: Path) -> None:
    """Coordinates decide, so that the references of the large arrays are left alone."""
    from virtualizarr.writers.icechunk import existing

    path = tmp_path / "repo"
    days = [_day(tmp_path, number) for number in range(3)]
    write(days[0], path)
    read: list[str] = []
    real = existing._manifest

    def counted(store: Any, name: str, metadata: Any) -> Any:
        read.append(name)
        return real(store, name, metadata)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(existing, "_manifest", counted)
        write(days[1], path, append_dim="t")
    assert set(read) == {"t", "x"}


def test_written_and_appended_are_one(tmp_path: Path) -> None:
    days = [_day(tmp_path, number) for number in range(2)]
    names = ("a", "b")
    whole = {name: concatenate([day.arrays[name] for day in days], 0) for name in names}
    write(ManifestGroup(whole), tmp_path / "whole")
    write(ManifestGroup({name: days[0].arrays[name] for name in names}), tmp_path / "grown")
    second = ManifestGroup({name: days[1].arrays[name] for name in names})
    write(second, tmp_path / "grown", append_dim="t")
    assert_same_tree(parsed(tmp_path / "grown"), parsed(tmp_path / "whole"))
