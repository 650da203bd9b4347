"""Numbers of phony dimensions, against h5netcdf, whatever part of a file is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from parsers.hdf5.reading_files import open_local, parse
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.local import LocalSource
from virtualizarr.source.reading import run
from virtualizarr.source.trace import TracingSource

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate dimension names")

H5NETCDF: dict[str, Any] = {"engine": "h5netcdf", "phony_dims": "sort", "decode_cf": False}


def write_groups(path: Path, seed: int) -> list[str]:
    """Write groups of plain datasets, scales and datasets with scales; return their paths."""
    rng = np.random.default_rng(seed)
    ordered = bool(rng.integers(2))
    with h5py.File(path, "w", track_order=ordered) as file:
        groups = [file]
        for name in rng.permutation(list("abcdefg")):
            parent = groups[int(rng.integers(len(groups)))]
            groups.append(parent.create_group(str(name), track_order=ordered))
        scales = []
        for number, group in enumerate(groups):
            for i in rng.permutation(int(rng.integers(4))):
                shape = tuple(int(n) for n in rng.integers(0, 5, int(rng.integers(4))))
                made = group.create_dataset(f"v{i}", shape, "f4")
                if len(shape) == 1 and rng.random() < 0.4:
                    made = group.create_dataset(f"s{number}_{i}", shape, "f4")
                    made.make_scale("s")
                    scales.append(made)
            seen = [each for each in scales if group.name.startswith(each.parent.name)]
            if seen and rng.random() < 0.5:
                used = seen[int(rng.integers(len(seen)))]
                made = group.create_dataset("labelled", used.shape, "f4")
                made.dims[0].attach_scale(used)
            if "v0" in group and rng.random() < 0.3:
                group["soft"] = h5py.SoftLink("v0")
        return [each.name for each in groups]


def names_of(tree: ManifestGroup) -> dict[str, Any]:
    return {name: array.metadata.dimension_names for name, array in tree.arrays.items()}


def h5netcdf_names(path: Path, **options: Any) -> dict[Any, Any]:
    with xr.open_dataset(path, **H5NETCDF, **options) as expected:
        return {name: variable.dims for name, variable in expected.variables.items()}


@pytest.mark.parametrize("seed", range(25))
def test_a_group_read_alone_is_numbered_as_in_the_whole_file(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "file.h5"
    for group in write_groups(path, seed):
        assert names_of(parse(path, group=group)) == h5netcdf_names(path, group=group), group
        left_out = {"v0", "c"}
        found = names_of(parse(path, group=group, drop_variables=left_out))
        assert found == h5netcdf_names(path, group=group, drop_variables=left_out), group


def test_left_out_groups_and_variables_count(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file["a/first"] = np.zeros((3, 4))
        file["b/kept"] = np.zeros((2, 3))
        file["b/left"] = np.zeros(9)
        file["c/last"] = np.zeros(5)
    whole, part = parse(path), parse(path, drop_variables=["a", "left"])
    assert names_of(part.groups["c"]) == names_of(whole.groups["c"]) == {"last": ("phony_dim_5",)}
    assert names_of(part.groups["b"]) == {"kept": ("phony_dim_2", "phony_dim_3")}
    for name in "abc":
        assert names_of(whole.groups[name]) == h5netcdf_names(path, group=name)


def test_a_soft_link_to_a_scale_counts(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file["a/x"] = np.zeros(3)
        file["a/x"].make_scale("x")
        file["a/soft"] = h5py.SoftLink("x")
        file["a/v"] = np.zeros((3, 3, 3, 2))
        file["b/w"] = np.zeros(5)
    names, expected = names_of(parse(path, group="a")), h5netcdf_names(path, group="a")
    assert names["v"] == expected["v"] == ("soft", "x", "phony_dim_2", "phony_dim_3")
    assert names_of(parse(path, group="b")) == h5netcdf_names(path, group="b")


def test_what_links_lead_to_gets_numbers_of_the_group_that_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["d"] = np.zeros((7, 3))
    with h5py.File(path, "w") as file:
        file["a/v"] = np.zeros((4, 3))
        file["b/w"] = np.zeros((5, 3))
        file["b/soft"] = h5py.SoftLink("/a/v")
        file["b/external"] = h5py.ExternalLink("other.h5", "/d")
    for tree in (parse(path, group="b"), parse(path).groups["b"]):
        sizes: dict[Any, int] = {}
        for array in tree.arrays.values():
            for name, size in zip(array.metadata.dimension_names or (), array.shape, strict=True):
                assert sizes.setdefault(name, size) == size, name
        assert len(sizes) == 4


def write_beams(path: Path, with_scales: bool) -> None:
    """Write a file of 16 groups with megabytes of data between their headers."""
    with h5py.File(path, "w") as file:
        for i in range(16):
            group = file.create_group(f"beam{i:02}")
            group["scale"] = np.arange(5.0)
            group["scale"].make_scale("scale")
            for j in range(6):
                made = group.create_dataset(f"v{j}", (5,), "f4")
                if with_scales:
                    made.dims[0].attach_scale(group["scale"])
                elif j == 0:
                    group["square"] = np.zeros((5, 5, 7))
            space = h5py.h5s.create_simple((256, 1024))
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            made = h5py.h5d.create(group.id, b"gap", h5py.h5t.IEEE_F64LE, space, properties)
            h5py.Dataset(made).dims[0].attach_scale(group["scale"])
            h5py.Dataset(made).dims[1].attach_scale(group["scale"])


@pytest.mark.parametrize(("with_scales", "rounds"), [(True, 7), (False, 12)])
def test_what_numbers_cost(tmp_path: Path, with_scales: bool, rounds: int) -> None:
    path = tmp_path / "file.h5"
    write_beams(path, with_scales)
    costs = []
    for parser in (HDFParser(group="beam15"), HDFParser()):
        source = TracingSource(LocalSource(path, keep=False))
        tree = run(parser.parse(path.as_uri()), CachingSource(source), open_local)
        costs.append((source.rounds, source.bytes_read))
        assert tree.arrays or tree.groups
    print(costs)
    assert costs[0][0] <= rounds, costs
    assert costs[0][1] <= 1.01 * costs[1][1], costs
