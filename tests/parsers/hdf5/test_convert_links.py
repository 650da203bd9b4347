"""Links, against h5py."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from materialize import tree_values
from parsers.hdf5.reading_files import parse
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.parsers.hdf5.convert.links import follow
from virtualizarr.parsers.hdf5.layout import Group, Hierarchy, UserDefinedLink
from virtualizarr.source.local import LocalSource
from virtualizarr.source.reading import run
from virtualizarr.store import ManifestStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.h5"


def test_soft_and_hard_links(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a/x"] = [1, 2]
        file["hard"] = file["a/x"]
        file["b"] = file["a"]
        file["soft"] = h5py.SoftLink("/a/x")
        file["a/beside"] = h5py.SoftLink("x")
        file["a/up"] = h5py.SoftLink("/hard")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["group"] = h5py.SoftLink("a")
    found = tree_values(parse(path))
    members = {f"{g}/{n}" for g in ("a", "b", "group") for n in ("x", "beside", "up")}
    assert found.keys() == members | {"hard", "soft"}
    assert all(values.tolist() == [1, 2] for values in found.values())
    assert tree_values(parse(path, group="a")).keys() == {"x", "beside", "up"}
    assert tree_values(parse(path, group="group")).keys() == {"x", "beside", "up"}


def test_backslashes_are_underscores(path: Path) -> None:
    """zarr takes them for slashes: nodes of such names could not be opened."""
    with h5py.File(path, "w") as file:
        scale = file.create_dataset("\\lambda", data=[1.5, 2.5])
        scale.make_scale("\\lambda")
        for number, name in enumerate([r"$t/\lambda$/x", r"$t/_lambda$/x", r"$t/\lambda$/a\b"]):
            file[name] = [number, 9]
            file[name].dims[0].attach_scale(scale)
    group = parse(path)
    root = zarr.open_group(ManifestStore(group), mode="r")
    expected = {"_lambda": [1.5, 2.5], "$t/_lambda$_/x": [0, 9], "$t/_lambda$/x": [1, 9]}
    expected["$t/_lambda$_/a_b"] = [2, 9]
    assert {name for name, _ in group.walk_arrays()} == expected.keys()
    for name, values in expected.items():
        assert root[name][...].tolist() == values
        assert root[name].metadata.dimension_names == ("_lambda",)
    assert tree_values(parse(path, drop_variables=["_lambda$"])).keys() == {"_lambda"} | {
        name for name in expected if "_/" in name
    }


@pytest.mark.parametrize("group", [r"a\b", "a_b", r"a_b/c\d", "a_b/c_d"])
def test_a_group_is_found_by_the_name_it_is_shown_under(path: Path, group: str) -> None:
    with h5py.File(path, "w") as file:
        file[r"a\b/c\d/x"] = file[r"a\b/x"] = [1, 2]
    assert parse(path, group=group).arrays["x"].shape == (2,)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_cycles_end(path: Path, kind: str) -> None:
    with h5py.File(path, "w") as file:
        file["a/b/x"] = [1, 2]
        file["a/b/again"] = file["a"] if kind == "hard" else h5py.SoftLink("/a")
        file["a/b/self"] = file["a/b"] if kind == "hard" else h5py.SoftLink(".")
        file["a/top"] = file["/"] if kind == "hard" else h5py.SoftLink("/")
    assert "a/b/x" in tree_values(parse(path))


def test_a_web_of_links_is_refused_before_it_grows(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(60):
            below = group.create_group("one")
            group["two"] = below
            group = below
    with pytest.raises(UnsupportedFeatureError, match="links that make a tree"):
        parse(path)


def test_external_links(tmp_path: Path, path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["g/x"] = np.arange(3.0)
        file["g/back"] = h5py.ExternalLink("file.h5", "/")
        file["g"].attrs["a"] = 1
    with h5py.File(path, "w") as file:
        file["own"] = [5]
        file["x"] = h5py.ExternalLink("other.h5", "/g/x")
        file["g"] = h5py.ExternalLink("other.h5", "g")
        file["through"] = h5py.SoftLink("/g/x")
        file["no_file"] = h5py.ExternalLink("nowhere.h5", "/x")
        file["no_object"] = h5py.ExternalLink("other.h5", "/nowhere")
    tree = parse(path)
    found = tree_values(tree)
    assert found.keys() == {"own", "x", "g/x", "through"}
    np.testing.assert_array_equal(found["g/x"], np.arange(3.0))
    assert tree.groups["g"].attributes == {"a": 1}
    assert tree.arrays["x"].manifest.locations[0].url == (tmp_path / "other.h5").as_uri()


def test_a_reader_that_may_not_open_other_files_says_so(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(UnsupportedFeatureError, match="other files"):
        run(HDFParser().parse(path.as_uri()), LocalSource(path))


def test_user_defined_links_are_refused_by_name() -> None:
    link = UserDefinedLink("odd", 187, b"")
    root = Group("/", 96, {}, {"odd": link})
    with pytest.raises(UnsupportedFeatureError, match="user-defined link of class 187"):
        follow(Hierarchy(root, {96: root}, {"/": 96}), root, link)
