"""A parsed group as a Dataset or DataTree, some of its variables loaded, the rest virtual."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from virtualizarr.datasets.fetch import inlined
from virtualizarr.datasets.load import decoded_variables, names_to_load
from virtualizarr.datasets.to_xarray import to_dataset
from virtualizarr.model import Location, ManifestGroup
from virtualizarr.source.reading import Source


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make of groups.

    `drop_variables` and `loadable_variables` are the arguments of `open_virtual_dataset`;
    `decoding` holds arguments of `xr.open_dataset`, for what is loaded.
    """

    drop_variables: Collection[str] = ()
    loadable_variables: Collection[str] | None = None
    decoding: Mapping[str, Any] = field(default_factory=dict)


def virtual_datasets(
    nodes: Mapping[str, ManifestGroup],
    opener: Callable[[Location], Source],
    wanted: Wanted,
    root: str = "/",
) -> dict[str, xr.Dataset]:
    """Return each of the groups as a Dataset; all values are fetched in one round per file.

    `nodes` has the groups by their path below `root`, which is a path in the file. `opener` gives
    the source of a location. Raises the errors of reading for what is loaded, and
    UnsupportedFeatureError for a group that xarray cannot express.
    """
    places = {path: _joined(root, path) for path in nodes}
    names = {
        path: names_to_load(
            group,
            wanted.loadable_variables,
            node=places[path],
            drop_variables=wanted.drop_variables,
        )
        for path, group in nodes.items()
    }
    arrays = {
        _joined(path, name): nodes[path].arrays[name] for path in nodes for name in names[path]
    }
    inline = inlined(arrays, opener)
    return {
        path: to_dataset(
            group,
            loaded=decoded_variables(
                group,
                {name: inline[_joined(path, name)] for name in names[path]},
                decoding=wanted.decoding,
                node=places[path],
            ),
            drop_variables=wanted.drop_variables,
            node=places[path],
        )
        for path, group in nodes.items()
    }


def _joined(root: str, path: str) -> str:
    return f"{root.rstrip('/')}/{path.strip('/')}" if path.strip("/") else root
