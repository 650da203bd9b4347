"""Trees of virtual arrays."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from model.building import Archive
from virtualizarr.model import ManifestGroup


@dataclass
class Known:
    size: int | None = None
    etag: str | None = None
    last_modified: datetime | None = None


def tree(archive: Archive) -> ManifestGroup:
    arrays = [archive.store(np.arange(4, dtype="i4"), (2,)) for _ in range(3)]
    leaf = ManifestGroup({"c": arrays[2]}, attributes={"scale": np.float32(2), "nan": np.nan})
    return ManifestGroup({"a": arrays[0], "b": arrays[1]}, {"g": ManifestGroup(groups={"h": leaf})})


def test_members_by_path_and_walks() -> None:
    group = tree(Archive())
    assert list(group) == ["a", "b", "g"]
    assert group["g/h/c"] is group["g"]["h"]["c"]  # type: ignore[index]
    assert [path for path, _ in group.walk()] == ["", "g", "g/h"]
    assert [path for path, _ in group.walk_arrays()] == ["a", "b", "g/h/c"]
    for path in ("x", "g/x", "a/x", "g/h/c/d"):
        with pytest.raises(KeyError):
            group[path]
    assert (group.nrefs, group.nbytes, len(group.locations)) == (6, 48, 3)


def test_equality_and_pickling() -> None:
    archive = Archive()
    group = tree(archive)
    assert group == pickle.loads(pickle.dumps(group))
    same = ManifestGroup(group.arrays, group.groups, {})
    assert group == same
    assert group != ManifestGroup(group.arrays, group.groups, {"title": "x"})
    assert group != tree(archive)
    assert group.rename_paths("s3://other") != group
    assert group.rename_paths(lambda url: url) == group


def test_stamping_fills_only_what_is_unknown() -> None:
    group = tree(Archive())
    url = group.locations[0].url
    now = datetime(2020, 1, 1, tzinfo=UTC)
    stamped = group.stamp({url: Known(999, "tag", now)})
    first, second, _ = stamped.locations
    assert (first.size, first.etag, first.last_modified) == (group.locations[0].size, "tag", now)
    assert second.etag is None
    assert stamped == group


def test_names_are_given_once_and_to_arrays() -> None:
    group = tree(Archive())
    with pytest.raises(ValueError, match=r"both an array and a group: \['a'\]"):
        ManifestGroup({"a": group.arrays["a"]}, {"a": ManifestGroup()})
    with pytest.raises(TypeError, match="not a ManifestArray"):
        ManifestGroup({"a": np.arange(3)})  # type: ignore[dict-item]
