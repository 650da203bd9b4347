"""Variables: a dataset's storage with the names and attributes that it is shown with."""

from __future__ import annotations

from typing import Any

import numpy as np

from virtualizarr.model import ArrayMetadata, ManifestArray
from virtualizarr.parsers.hdf5.convert.attributes import convert_attributes
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.dimensions import Dimensions
from virtualizarr.parsers.hdf5.convert.text import readable
from virtualizarr.parsers.hdf5.layout import Dataset
from virtualizarr.parsers.hdf5.layout_datatype import Compound, Enumerated

MASKING = ("_FillValue", "missing_value")


def variable_of(
    file: OpenFile, dimensions: Dimensions, group: str, dataset: Dataset, storage: ManifestArray
) -> ManifestArray:
    """Return `storage`, as long as it is shown, with names and attributes, as a variable."""
    named = dimensions.scales_of(dataset)
    extra = len(storage.shape) - len(named)
    names = dimensions.complete(group, storage.shape, [*named, *[None] * extra])
    attributes = convert_attributes(dataset.attributes, file.paths)
    if isinstance(dataset.datatype, Enumerated) and not dataset.datatype.is_boolean:
        attributes = {**_flags(dataset.datatype), **attributes}
    if isinstance(dataset.datatype, Compound):
        attributes = {_unmasking(name, value): value for name, value in attributes.items()}
    stored = storage.metadata
    metadata = ArrayMetadata(
        stored.shape,
        stored.data_type,
        stored.chunk_grid,
        stored.codecs,
        stored.fill_value,
        attributes,
        names,
    )
    return ManifestArray(metadata, storage.manifest)


def _unmasking(name: str, value: Any) -> str:
    """Return an attribute's name; another one for what CF readers would mask by and cannot."""
    return f"{name}_of_members" if name in MASKING and isinstance(value, dict) else name


def _flags(datatype: Enumerated) -> dict[str, Any]:
    """Return the names of an enumeration's values as CF (3.5) writes them."""
    dtype = datatype.base.numpy_dtype()
    if dtype is None or not datatype.names:
        return {}
    return {
        "flag_values": np.array(datatype.values, dtype.newbyteorder("=")),
        "flag_meanings": " ".join("_".join(readable(name).split()) for name in datatype.names),
    }
