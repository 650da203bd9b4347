"""Which variables to load, and their values, decoded as `xr.open_dataset` would decode them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import xarray as xr

from virtualizarr.datasets.dimensions import dims_of
from virtualizarr.datasets.lazy import LazyStore
from virtualizarr.datasets.quick import quick_values
from virtualizarr.errors import CorruptFileError, MissingDependencyError
from virtualizarr.model import ManifestArray, ManifestGroup
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


def decoded_variables(
    group: ManifestGroup,
    inline: Mapping[str, ManifestArray],
    *,
    decoding: Mapping[str, Any] | None = None,
    node: str = "/",
) -> dict[str, xr.Variable]:
    """Return arrays of a group as variables with values, decoded as by `xr.open_dataset`.

    `inline` has those arrays of `group` that are wanted, with their chunks inline. `decoding` holds
    arguments of `xr.open_dataset`, such as `decode_times`; None stands for its defaults.

    Raises CorruptFileError for chunks or times that cannot be decoded, MissingDependencyError for a
    calendar that needs cftime.
    """
    if not inline:
        return {}
    variables = {**_stored_values(group, inline), **_stand_ins(group, inline)}
    try:
        decoded, _, _ = xr.conventions.decode_cf_variables(
            variables, {}, **(decoding if decoding is not None else {})
        )
        return {name: decoded[name].load() for name in inline}
    except ImportError as error:
        raise MissingDependencyError(
            f"times need the package cftime: {error}", node=node
        ) from error
    except (ValueError, OverflowError) as error:
        raise CorruptFileError(
            f"values cannot be decoded: {error}; "
            "try `decode_times=False`, or leave the variable out of `loadable_variables`",
            node=node,
        ) from error


def _stored_values(
    group: ManifestGroup, inline: Mapping[str, ManifestArray]
) -> dict[str, xr.Variable]:
    """Return the values as stored; zarr is asked for those that are not plain."""
    dims = dims_of(group.arrays)
    variables: dict[str, xr.Variable] = {}
    slow: dict[str, ManifestArray] = {}
    for name, array in inline.items():
        values = quick_values(array)
        if values is None:
            metadata = array.metadata.replace(dimension_names=dims[name])
            slow[name] = ManifestArray(metadata, array.manifest)
        else:
            variables[name] = xr.Variable(dims[name], values, dict(array.metadata.attributes))
    if slow:
        rest = ManifestGroup(slow)
        for name, variable in LazyStore(rest, ManifestStore(rest)).get_variables().items():
            variables[name] = variable.load()
            variables[name].encoding = {}
    return variables


def _stand_ins(group: ManifestGroup, wanted: Collection[str]) -> dict[str, xr.Variable]:
    """Return empty variables for those not wanted that name a bounds variable which is.

    xarray gives a bounds variable the time units of the variable that names it.
    """
    return {
        name: xr.Variable((), np.int8(0), dict(array.metadata.attributes))
        for name, array in group.arrays.items()
        if name not in wanted
        and isinstance(array.metadata.attributes.get("bounds"), str)
        and array.metadata.attributes["bounds"] in wanted
    }
