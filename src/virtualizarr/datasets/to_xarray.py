"""ManifestGroup -> Dataset and DataTree, in time linear in the number of variables.

Attributes stay as the file gives them: the data are not decoded, so neither are `_FillValue`,
`scale_factor` and their like. Only `coordinates` moves to the encoding, as in `xr.open_dataset`,
and the variables it names become coordinates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import xarray as xr

from virtualizarr.datasets.bounds import with_bounds_attributes
from virtualizarr.datasets.dimensions import Dims, dims_of
from virtualizarr.datasets.variable import VirtualVariable, is_virtual
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ManifestArray, ManifestGroup

type Variables = dict[str, xr.Variable]


def to_dataset(
    group: ManifestGroup,
    *,
    loaded: Mapping[str, xr.Variable] | None = None,
    drop_variables: Collection[str] = (),
    node: str = "/",
) -> xr.Dataset:
    """Return one group, without the groups below it, as a Dataset of virtual variables.

    `loaded` holds variables with values, which take the place of the virtual ones of their names;
    those that are dimension coordinates get an index. `node` is the group's path, for errors.

    Raises UnsupportedFeatureError if a dimension has two lengths, which xarray cannot express.
    """
    arrays = {
        name: array for name, array in group.arrays.items() if name not in set(drop_variables)
    }
    loaded = loaded if loaded is not None else {}
    virtual = {name: array for name, array in arrays.items() if name not in loaded}
    dims = dims_of(arrays)
    found = {**with_bounds_attributes(_variables(virtual, dims), loaded), **loaded}
    variables = {name: found[name] for name in arrays}
    named, attributes = _named_coordinates(variables, group.attributes)
    return _dataset(variables, named, attributes, node)


def to_datatree(datasets: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """Return the Datasets of all groups, by path, as a DataTree.

    Raises UnsupportedFeatureError where a group does not align with the groups above it, which a
    DataTree must.
    """
    try:
        return xr.DataTree.from_dict(datasets)
    except ValueError as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise UnsupportedFeatureError(
            f"the groups make no DataTree: {reason}; open them one by one with `group=`"
        ) from error


def walk(group: ManifestGroup, path: str = "/") -> dict[str, ManifestGroup]:
    """Return the group and all groups below it by path, parents first; the root is "/"."""
    found: dict[str, ManifestGroup] = {}
    todo = [(path, group)]
    while todo:
        here, node = todo.pop()
        found[here] = node
        prefix = here.rstrip("/")
        todo += [(f"{prefix}/{name}", child) for name, child in reversed([*node.groups.items()])]
    return found


def _variables(arrays: Mapping[str, ManifestArray], dims: Mapping[str, Dims]) -> Variables:
    variables: Variables = {}
    for name, array in arrays.items():
        attributes = dict(array.metadata.attributes)
        encoding: dict[str, Any] = {}
        if isinstance(attributes.get("coordinates"), str):
            encoding["coordinates"] = attributes.pop("coordinates")
        variables[name] = VirtualVariable(dims[name], array, attributes, encoding, fastpath=True)
    return variables


def _named_coordinates(
    variables: Mapping[str, xr.Variable], attributes: Mapping[str, Any]
) -> tuple[set[str], dict[str, Any]]:
    """Return the names that `coordinates` attributes list, and the group's other attributes."""
    attributes = dict(attributes)
    texts = [variable.encoding.get("coordinates") for variable in variables.values()]
    if isinstance(attributes.get("coordinates"), str):
        texts.append(attributes.pop("coordinates"))
    return {name for text in texts if isinstance(text, str) for name in text.split()}, attributes


def _dataset(
    variables: Variables, named: Collection[str], attributes: dict[str, Any], node: str
) -> xr.Dataset:
    coords: dict[str, xr.Variable] = {}
    data_vars: dict[str, xr.Variable] = {}
    indexes: dict[str, xr.Index] = {}
    for name, variable in variables.items():
        is_dimension = variable.dims == (name,)
        if is_dimension and not is_virtual(variable):
            index = xr.indexes.PandasIndex.from_variables({name: variable}, options={})
            coords.update(index.create_variables({name: variable}))
            indexes[name] = index
        else:
            (coords if is_dimension or name in named else data_vars)[name] = variable
    try:
        return xr.Dataset(data_vars, xr.Coordinates(coords, indexes=indexes), attributes)
    except ValueError as error:
        raise UnsupportedFeatureError(
            f"the group makes no Dataset: {error}; leave variables out with `drop_variables=`",
            node=node,
        ) from error
