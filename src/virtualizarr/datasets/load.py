"""Which variables to load, and loading them: fetched in one round, decoded as xarray would."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import xarray as xr

from virtualizarr.datasets.dimensions import dims_of
from virtualizarr.datasets.fetch import inlined
from virtualizarr.datasets.lazy import LazyStore
from virtualizarr.datasets.quick import quick_values
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.source.reading import Source
from virtualizarr.store import ManifestStore


def names_to_load(
    group: ManifestGroup,
    loadable_variables: Collection[str] | None,
    *,
    node: str = "/",
    drop_variables: Collection[str] = (),
) -> list[str]:
    """Return the names of a group's arrays that are to be loaded.

    None means dimension coordinates: 1-D arrays named as their dimension. Otherwise each entry is a
    name, which holds in every group, or a path such as "/group/name", which holds in one. `node` is
    this group's path. Names that do not exist are passed over, since files of one archive differ.
    """
    dropped = set(drop_variables)
    names = [name for name in group.arrays if name not in dropped]
    if loadable_variables is None:
        dims = dims_of(group.arrays)
        return [name for name in names if dims[name] == (name,)]
    if isinstance(loadable_variables, str):
        loadable_variables = (loadable_variables,)
    wanted = {str(name).strip("/") for name in loadable_variables}
    prefix = f"{node.strip('/')}/" if node.strip("/") else ""
    return [name for name in names if name in wanted or prefix + name in wanted]


def load_variables(
    group: ManifestGroup,
    names: Collection[str],
    opener: Callable[[str], Source],
    *,
    decode_times: Any = None,
) -> dict[str, xr.Variable]:
    """Return the named arrays of a group as variables with values, decoded as by `xr.open_dataset`.

    `opener` gives the source of a URL. `decode_times` is that of `xr.open_dataset`; None is its
    default. Raises the errors of reading: SourceError, ChangedSourceError, CorruptFileError.
    """
    if not names:
        return {}
    arrays = inlined({name: group.arrays[name] for name in names}, opener)
    dims = dims_of(group.arrays)
    named = ManifestGroup(
        {
            name: ManifestArray(array.metadata.replace(dimension_names=dims[name]), array.manifest)
            for name, array in arrays.items()
        }
    )
    slow: dict[str, xr.Variable] | None = None
    variables: dict[str, xr.Variable] = {}
    for name, array in named.arrays.items():
        values = quick_values(array)
        if values is not None:
            attributes = dict(array.metadata.attributes)
            variables[name] = xr.Variable(dims[name], values, attributes)
            continue
        if slow is None:
            slow = LazyStore(named, ManifestStore(named)).get_variables()
        variables[name] = _in_memory(slow[name])
    decoded, _, _ = xr.conventions.decode_cf_variables(
        {**variables, **_stand_ins(group, names)},
        {},
        decode_times=True if decode_times is None else decode_times,
    )
    return {name: decoded[name].load() for name in names}


def _in_memory(variable: xr.Variable) -> xr.Variable:
    variable.encoding.pop("preferred_chunks", None)
    return variable.load()


def _stand_ins(group: ManifestGroup, names: Collection[str]) -> Mapping[str, xr.Variable]:
    """Return empty variables for those not loaded that name a bounds variable which is.

    xarray gives a bounds variable the time units of the variable that names it.
    """
    return {
        name: xr.Variable((), np.int8(0), {**array.metadata.attributes})
        for name, array in group.arrays.items()
        if name not in names and array.metadata.attributes.get("bounds") in names
    }
