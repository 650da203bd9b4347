"""Masking whole chunks: what `xarray` does when it reindexes, done with missing chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CombineError, UnsupportedFeatureError
from virtualizarr.model.columns import is_uniform
from virtualizarr.model.dtypes import decode_fill, encode_fill
from virtualizarr.model.layout import axis_layout
from virtualizarr.model.metadata import ArrayMetadata
from virtualizarr.model.undecided import Undecided
from virtualizarr.model.virtual import Virtual, axis_name


def where[A: Virtual](
    condition: npt.ArrayLike, array: A, other: Any, undecided: Undecided | None = None
) -> A:
    """Return the array with `other` where `condition` is False, as missing chunks.

    Raises UnsupportedFeatureError if a chunk is only partly masked, or an undecided one is not;
    CombineError if a missing chunk of this array would not read as `other`.
    """
    metadata, manifest = array.metadata, array.manifest
    kept = np.broadcast_to(np.asarray(condition, np.bool_), metadata.shape)
    masked: npt.NDArray[np.bool_]
    if is_uniform(kept):
        masked = np.broadcast_to(~kept.flat[0], manifest.shape_chunk_grid)
    else:
        masked = _masked_chunks(metadata, kept)
    if undecided is not None and (undecided.grid(masked.shape) & ~masked).any():
        raise undecided.refusal
    if not masked.any():
        return array
    if not _reads_as(metadata, other):
        if manifest.nrefs != masked.size:
            raise CombineError(
                f"masked elements would be {other!r}, but missing chunks of this array read as "
                f"{metadata.fill_value!r}; pass that as `fill_value`"
            )
        metadata = metadata.replace(fill_value=encode_fill(other, metadata.dtype))
    return array.rebuilt(metadata, manifest.without(masked))


def _masked_chunks(metadata: ArrayMetadata, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    any_kept: npt.NDArray[Any] = kept
    all_kept: npt.NDArray[Any] = kept
    for axis in range(metadata.ndim):
        starts = axis_layout(metadata, axis).starts
        before = any_kept.shape[axis]
        any_kept = np.logical_or.reduceat(any_kept, starts, axis=axis)
        all_kept = np.logical_and.reduceat(all_kept, starts, axis=axis)
        if (any_kept != all_kept).any() and before != len(starts):
            raise UnsupportedFeatureError(
                f"a chunk would be masked in part along {axis_name(metadata, axis)}; only whole "
                "chunks can be missing: open the dataset (`.virtualize.open()`) instead"
            )
    return np.logical_not(all_kept)


def _reads_as(metadata: ArrayMetadata, value: Any) -> bool:
    """Say whether missing chunks read as `value`, directly or through CF's `_FillValue`."""
    fill = decode_fill(metadata.fill_value, metadata.dtype)
    if _same(fill, value):
        return True
    if not _is_nan(value):
        return False
    names = ("_FillValue", "missing_value")
    masks = [metadata.attributes[name] for name in names if name in metadata.attributes]
    return any(_same(fill, mask) for each in masks for mask in np.ravel(each))


def _same(one: Any, two: Any) -> bool:
    return bool(np.asarray(one == two).all()) or (_is_nan(one) and _is_nan(two))


def _is_nan(value: Any) -> bool:
    array = np.asarray(value)
    if array.dtype.kind in "mM":
        return bool(np.isnat(array).all())
    return array.dtype.kind in "fc" and bool(np.isnan(array).all())
