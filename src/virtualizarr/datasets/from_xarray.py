"""Dataset and DataTree -> ManifestGroup: what a writer needs of them.

Virtual variables give their array back, with the names, dimensions and attributes that the
variable has now. Variables with values are encoded by xarray's CF encoder (times with the units
they were read with, scale and offset, masks) and become one inline chunk each; those of dask are
computed for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numcodecs
import numpy as np
import xarray as xr

from virtualizarr.datasets.variable import manifest_array
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.model.dtypes import STRING


def from_dataset(dataset: xr.Dataset) -> ManifestGroup:
    """Return the Dataset as a group of arrays.

    Coordinates that are not dimensions are listed in `coordinates` attributes, as xarray writes
    them. Raises UnsupportedFeatureError for values that Zarr cannot hold, or names that are not
    strings.
    """
    _reject_multi_indexes(dataset)
    variables, attributes = xr.conventions.encode_dataset_coordinates(dataset)
    valued = {
        name: variable for name, variable in variables.items() if manifest_array(variable) is None
    }
    encoded, _ = xr.conventions.cf_encoder(valued, {})
    arrays: dict[str, ManifestArray] = {}
    for name, variable in variables.items():
        virtual = manifest_array(variable)
        label = _text(name, "variable")
        if virtual is not None:
            arrays[label] = _renewed(virtual, variable)
        else:
            arrays[label] = _inline_array(encoded[name], label)
    return ManifestGroup(arrays, attributes=_attributes(attributes))


def from_datatree(tree: xr.DataTree, *, write_inherited_coords: bool = False) -> ManifestGroup:
    """Return the tree of groups.

    Coordinates that a node inherits are left to the node that has them, unless
    `write_inherited_coords`. Errors as `from_dataset`, naming the group.
    """
    try:
        own = from_dataset(tree.to_dataset(inherit=write_inherited_coords))
    except UnsupportedFeatureError as error:
        error.node = tree.path if error.node is None else f"{tree.path.rstrip('/')}/{error.node}"
        raise
    groups = {
        _text(name, "group"): from_datatree(child, write_inherited_coords=write_inherited_coords)
        for name, child in tree.children.items()
    }
    return ManifestGroup(own.arrays, groups, own.attributes)


def _renewed(array: ManifestArray, variable: xr.Variable) -> ManifestArray:
    """Return the array under the variable's dimension names and attributes of now."""
    metadata = array.metadata.replace(
        dimension_names=_dims(variable), attributes=_attributes(variable.attrs)
    )
    return array.described(metadata)


def _inline_array(variable: xr.Variable, name: str) -> ManifestArray:
    values = np.asarray(variable.values)
    attributes = _attributes(variable.attrs)
    fill = attributes.get("_FillValue")
    dtype = STRING if values.dtype.kind in "OT" else values.dtype.newbyteorder("<")
    try:
        metadata = ArrayMetadata.create(
            shape=values.shape,
            dtype=dtype,
            chunk_shape=values.shape,
            fill_value=fill,
            attributes=attributes,
            dimension_names=_dims(variable),
        )
        data = _stored(values, dtype)
    except UnsupportedFeatureError as error:
        error.located(node=name)
        raise
    if not values.size:
        return ManifestArray(metadata, ChunkManifest.empty(metadata.grid_shape))
    manifest = ChunkManifest.inlined(data).reshape_grid(metadata.grid_shape)
    return ManifestArray(metadata, manifest)


def _stored(values: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> bytes:
    """Return the bytes of the one chunk that holds `values`."""
    if dtype.kind != "T":
        return values.astype(dtype, order="C", copy=False).tobytes()
    texts = values.astype(object).ravel()
    others = {type(text).__name__ for text in texts if not isinstance(text, str)}
    if others:
        raise UnsupportedFeatureError(
            f"values that are no strings cannot be written: objects of type {sorted(others)}"
        )
    return bytes(numcodecs.VLenUTF8().encode(texts))


def _reject_multi_indexes(dataset: xr.Dataset) -> None:
    for name, index in dataset.xindexes.items():
        if isinstance(index, xr.indexes.PandasMultiIndex):
            raise UnsupportedFeatureError(
                "a MultiIndex cannot be written; use `.reset_index` first", node=str(name)
            )


def _dims(variable: xr.Variable) -> tuple[str, ...]:
    return tuple(_text(dim, "dimension") for dim in variable.dims)


def _attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {_text(name, "attribute"): value for name, value in attributes.items()}


def _text(name: Hashable, kind: str) -> str:
    if not isinstance(name, str):
        raise UnsupportedFeatureError(f"the {kind} name {name!r} is not a string")
    return name
