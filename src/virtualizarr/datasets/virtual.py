"""A parsed group as a Dataset or DataTree, some of its variables loaded, the rest virtual."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from virtualizarr.datasets.fetch import inlined
from virtualizarr.datasets.load import decoded_variables, names_to_load
from virtualizarr.datasets.to_xarray import to_dataset, to_datatree, walk
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.source.reading import Source


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make of a group. The fields are the arguments of `open_virtual_dataset`."""

    drop_variables: Collection[str] = ()
    loadable_variables: Collection[str] | None = None
    decode_times: Any = None
    variable_class: type[xr.Variable] = xr.Variable


def virtual_dataset(
    group: ManifestGroup, opener: Callable[[str], Source], wanted: Wanted, node: str = "/"
) -> xr.Dataset:
    """Return one group as a Dataset; `opener` gives the source of a URL, `node` is its path."""
    return _datasets({node: group}, opener, wanted)[node]


def virtual_datasets(
    group: ManifestGroup, opener: Callable[[str], Source], wanted: Wanted, node: str = "/"
) -> dict[str, xr.Dataset]:
    """Return the group and all groups below it as Datasets, by their path below `node`."""
    return _datasets(walk(group, "/"), opener, wanted, node)


def virtual_datatree(
    group: ManifestGroup, opener: Callable[[str], Source], wanted: Wanted, node: str = "/"
) -> xr.DataTree:
    """Return the group and all groups below it as a DataTree; the root of the tree is `group`."""
    return to_datatree(virtual_datasets(group, opener, wanted, node))


def _datasets(
    nodes: Mapping[str, ManifestGroup],
    opener: Callable[[str], Source],
    wanted: Wanted,
    root: str = "/",
) -> dict[str, xr.Dataset]:
    """Return each group as a Dataset. All values are fetched together, in one round per file."""
    names = {
        path: names_to_load(
            group,
            wanted.loadable_variables,
            node=root.rstrip("/") + path,
            drop_variables=wanted.drop_variables,
        )
        for path, group in nodes.items()
    }
    arrays: dict[tuple[str, str], ManifestArray] = {
        (path, name): nodes[path].arrays[name] for path in nodes for name in names[path]
    }
    inline = inlined(arrays, opener)
    datasets: dict[str, xr.Dataset] = {}
    for path, group in nodes.items():
        here = {name: inline[path, name] for name in names[path]}
        datasets[path] = to_dataset(
            group,
            loaded=decoded_variables(group, here, decode_times=wanted.decode_times, node=path)
            if here
            else {},
            drop_variables=wanted.drop_variables,
            variable_class=wanted.variable_class,
            node=path,
        )
    return datasets
