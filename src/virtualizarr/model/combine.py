"""Joining arrays: their references go into one grid, if one description is true of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_index

from virtualizarr.errors import CombineError, UnsupportedFeatureError
from virtualizarr.model.chunks import RectilinearGrid, RegularGrid
from virtualizarr.model.codec_axes import insert_codec_axis, split_crop
from virtualizarr.model.columns import dropped_at, inserted_at, replaced_at
from virtualizarr.model.layout import AxisLayout, axis_layout, with_axis
from virtualizarr.model.manifest import ChunkManifest
from virtualizarr.model.metadata import ArrayMetadata
from virtualizarr.model.uncompressed import cut, row_bytes
from virtualizarr.model.virtual import Virtual, axis_name, origin

WAYS_OUT = (
    "combine such files apart, or load this variable: add its name to those of the dimension "
    "coordinates in `loadable_variables`"
)
"""What to do where arrays cannot be joined without reading them."""


def concatenate[A: Virtual](arrays: Sequence[A], axis: int = 0) -> A:
    """Return the arrays one after the other along an axis they have.

    Chunk lengths may differ along `axis` alone: the result then has a rectilinear chunk grid.
    Raises CombineError, naming both files, if dtype, codecs, fill value or CF encoding differ in a
    way that matters for decoding, or shapes or chunks do not fit together.
    """
    if not arrays:
        raise ValueError("need at least one array to concatenate")
    first = arrays[0]
    axis = normalize_axis_index(axis, first.metadata.ndim)
    if len(arrays) == 1:
        return first
    kinds = _kinds(arrays)
    check_same_decoding(kinds)
    _check_shapes(kinds, axis)
    if not all(kind.metadata.shape[axis] for kind in kinds):
        arrays = [array for array in arrays if array.metadata.shape[axis]] or arrays[:1]
        kinds = _kinds(arrays)
    metadata, manifests = _joined(arrays, kinds, axis)
    return first.rebuilt(*settled(metadata, ChunkManifest.concatenate(manifests, axis)))


def stack[A: Virtual](arrays: Sequence[A], axis: int = 0) -> A:
    """Return the arrays side by side along a new axis, whose chunks have length 1.

    Raises CombineError where `concatenate` would, or if shapes or chunk grids differ.
    """
    if not arrays:
        raise ValueError("need at least one array to stack")
    first = arrays[0]
    axis = normalize_axis_index(axis, first.metadata.ndim + 1)
    kinds = _kinds(arrays)
    check_same_decoding(kinds)
    for array in kinds[1:]:
        if array.metadata.shape != first.metadata.shape:
            raise _mismatch("shape", first, array, first.metadata.shape, array.metadata.shape)
        _check_chunks(first, array, range(first.metadata.ndim))
    metadata = expanded_metadata(first.metadata, axis)
    shape = replaced_at(metadata.shape, axis, len(arrays))
    grid = metadata.chunk_grid
    if isinstance(grid, RectilinearGrid):
        edges = (*grid.chunk_shapes[:axis], (1,) * len(arrays), *grid.chunk_shapes[axis + 1 :])
        grid = RectilinearGrid(edges)
    manifests = [array.manifest.insert_axis(axis) for array in arrays]
    return first.rebuilt(
        metadata.replace(shape=shape, chunk_grid=grid), ChunkManifest.concatenate(manifests, axis)
    )


def _kinds[A: Virtual](arrays: Sequence[A]) -> list[A]:
    """Return the first array, and those whose descriptions are not quite like its own."""
    glance = arrays[0].metadata.glance
    return [arrays[0], *[array for array in arrays if array.metadata.glance != glance]]


def expand_dims[A: Virtual](array: A, axis: int = 0) -> A:
    """Return the array with a new axis of length 1."""
    axis = normalize_axis_index(axis, array.metadata.ndim + 1)
    metadata = expanded_metadata(array.metadata, axis)
    return array.rebuilt(metadata, array.manifest.insert_axis(axis))


def broadcast_to[A: Virtual](array: A, shape: tuple[int, ...]) -> A:
    """Return the array repeated to `shape` by numpy's rules; references repeat at no cost.

    Raises ValueError if the shapes do not fit.
    """
    if np.broadcast_shapes(array.metadata.shape, shape) != tuple(shape):
        raise ValueError(f"an array of shape {array.metadata.shape} does not broadcast to {shape}")
    metadata, manifest = array.metadata, array.manifest
    for _ in range(len(shape) - metadata.ndim):
        metadata, manifest = expanded_metadata(metadata, 0), manifest.insert_axis(0)
    for axis in reversed(range(len(shape))):
        if metadata.shape[axis] != shape[axis]:
            metadata, manifest = _repeated(metadata, manifest, axis, shape[axis])
    return array.rebuilt(metadata, manifest)


def _repeated(
    metadata: ArrayMetadata, manifest: ChunkManifest, axis: int, length: int
) -> tuple[ArrayMetadata, ChunkManifest]:
    grid_shape = replaced_at(manifest.shape_chunk_grid, axis, length)
    stored = axis_layout(metadata, axis).stored[0]
    if stored == 1 and isinstance(metadata.chunk_grid, RegularGrid):
        shape = replaced_at(metadata.shape, axis, length)
        return metadata.replace(shape=shape), manifest.stretch(grid_shape)
    row = row_bytes(metadata, axis)
    if row is not None:
        one, none = np.ones(1, np.int64), np.zeros(1, np.int64)
        manifest, stored = cut(manifest, axis, row, none, one, one * stored), 1
    layout = AxisLayout(np.full(length, stored, np.int64), np.ones(length, np.int64))
    return with_axis(metadata, axis, layout), manifest.stretch(grid_shape)


def expanded_metadata(metadata: ArrayMetadata, axis: int) -> ArrayMetadata:
    """Return the description of the array with a new axis of length 1 at position `axis`."""
    grid, names = metadata.chunk_grid, metadata.dimension_names
    if isinstance(grid, RegularGrid):
        wider: RegularGrid | RectilinearGrid = RegularGrid(inserted_at(grid.chunk_shape, axis, 1))
    else:
        shapes = grid.chunk_shapes
        wider = RectilinearGrid((*shapes[:axis], (1,), *shapes[axis:]))
    return metadata.replace(
        shape=inserted_at(metadata.shape, axis, 1),
        chunk_grid=wider,
        codecs=insert_codec_axis(metadata.codecs, axis),
        dimension_names=None if names is None else (*names[:axis], None, *names[axis:]),
    )


def check_same_decoding(arrays: Sequence[Virtual]) -> None:
    """Raise CombineError, naming what differs and where, unless all decode the same way."""
    first = arrays[0].metadata
    for array in arrays[1:]:
        if not first.same_decoding(array.metadata):
            raise _decoding_mismatch(arrays[0], array)


def elements_equal(one: Virtual, two: Virtual) -> npt.NDArray[np.bool_]:
    """Say for each element whether both arrays, of one shape, take it from the same stored bytes.

    False may mean equal values stored in two places. Elements of missing chunks are equal.
    """
    left, right = one.metadata, two.metadata
    no = np.broadcast_to(np.False_, left.shape)
    if not left.same_decoding(right):
        return no
    if (left.shape, left.chunk_grid) == (right.shape, right.chunk_grid) and _whole_grid_equal(
        one, two
    ):
        return np.broadcast_to(np.True_, left.shape)
    layouts = []
    for axis in range(left.ndim):
        mine, theirs = axis_layout(left, axis), axis_layout(right, axis)
        if not mine.same(theirs):
            return no
        layouts.append(mine)
    equal = one.manifest.elementwise_eq(two.manifest)
    if not equal.any():
        return no
    for axis, layout in enumerate(layouts):
        equal = np.repeat(equal, layout.shown, axis=axis)
    return equal


def _whole_grid_equal(one: Virtual, two: Virtual) -> bool:
    crops = [split_crop(array.metadata.codecs)[0] for array in (one, two)]
    return crops[0] == crops[1] and one.manifest == two.manifest


def settled(
    metadata: ArrayMetadata, manifest: ChunkManifest
) -> tuple[ArrayMetadata, ChunkManifest]:
    """Return an array without elements on a regular grid, as Zarr has no other; others as is."""
    grid = metadata.chunk_grid
    if isinstance(grid, RegularGrid) or all(metadata.shape):
        return metadata, manifest
    regular = RegularGrid(tuple(max(edges, default=1) for edges in grid.chunk_shapes))
    empty = ChunkManifest.empty(regular.grid_shape(metadata.shape))
    return metadata.replace(chunk_grid=regular), empty


def _joined[A: Virtual](
    arrays: Sequence[A], kinds: Sequence[A], axis: int
) -> tuple[ArrayMetadata, list[ChunkManifest]]:
    """Return the description of the joined array, and the manifests with partial chunks trimmed.

    `kinds` has the first of `arrays` and those that differ from it.
    """
    metadata = arrays[0].metadata
    extents = [metadata.shape[axis]] * len(arrays)
    if len(kinds) > 1:
        extents = [array.metadata.shape[axis] for array in arrays]
    manifests = [array.manifest for array in arrays]
    grid = metadata.chunk_grid
    if isinstance(grid, RegularGrid) and _all_on_grid(kinds, grid):
        length = grid.chunk_shape[axis]
        if not any(extent % length for extent in extents[:-1]):
            shape = replaced_at(metadata.shape, axis, sum(extents))
            return metadata.replace(shape=shape), manifests
    others = [other for other in range(metadata.ndim) if other != axis]
    for array in kinds[1:]:
        _check_chunks(arrays[0], array, others)
    layouts = [axis_layout(array.metadata, axis) for array in arrays]
    for place, array in enumerate(arrays[:-1]):
        layouts[place], manifests[place] = _trimmed(array, axis, layouts[place])
    offsets = {layout.offset for layout in layouts}
    if len(offsets) > 1:
        raise CombineError(f"chunks along axis {axis} are cut at different places: {offsets}")
    joint = AxisLayout(
        np.concatenate([layout.stored for layout in layouts]),
        np.concatenate([layout.shown for layout in layouts]),
        offsets.pop(),
    )
    try:
        return with_axis(metadata, axis, joint), manifests
    except UnsupportedFeatureError as error:
        raise CombineError(error.reason, url=origin(arrays[0])) from error


def _all_on_grid(arrays: Sequence[Virtual], grid: RegularGrid) -> bool:
    codecs = arrays[0].metadata.codecs
    crop, _ = split_crop(codecs)
    for metadata in [array.metadata for array in arrays]:
        if metadata.chunk_grid != grid:
            return False
        if metadata.codecs != codecs and split_crop(metadata.codecs)[0] != crop:
            return False
    return True


def _trimmed(array: Virtual, axis: int, layout: AxisLayout) -> tuple[AxisLayout, ChunkManifest]:
    """Return an uncompressed array's references without the padding of its last chunk."""
    row = row_bytes(array.metadata, axis)
    if row is None or (layout.stored == layout.shown).all():
        return layout, array.manifest
    nothing = np.zeros_like(layout.shown)
    manifest = cut(array.manifest, axis, row, nothing, layout.shown, layout.stored)
    return AxisLayout(layout.shown, layout.shown), manifest


def _check_shapes(arrays: Sequence[Virtual], axis: int) -> None:
    first = arrays[0].metadata.shape
    rest = dropped_at(first, axis)
    for array in arrays[1:]:
        shape = array.metadata.shape
        if shape == first:
            continue
        if len(shape) != len(first) or dropped_at(shape, axis) != rest:
            raise _mismatch("shape", arrays[0], array, first, shape)


def _check_chunks(one: Virtual, two: Virtual, axes: Sequence[int]) -> None:
    if one.metadata.chunk_grid == two.metadata.chunk_grid and (
        split_crop(one.metadata.codecs)[0] == split_crop(two.metadata.codecs)[0]
    ):
        return
    for axis in axes:
        mine, theirs = axis_layout(one.metadata, axis), axis_layout(two.metadata, axis)
        if not mine.same(theirs):
            what = f"chunk lengths along {axis_name(one.metadata, axis)}"
            left, right = (_described(layout.stored) for layout in (mine, theirs))
            raise _mismatch(what, one, two, left, right)


def _described(lengths: npt.NDArray[np.int64]) -> int | list[int]:
    distinct: list[int] = np.unique(lengths).tolist()
    shown: list[int] = lengths[:8].tolist()
    return distinct[0] if len(distinct) == 1 else shown


def _decoding_mismatch(one: Virtual, two: Virtual) -> CombineError:
    left, right = one.metadata, two.metadata
    mine, theirs = left.decoding, right.decoding
    if mine.data_type != theirs.data_type:
        return _mismatch("data type", one, two, str(left.dtype), str(right.dtype))
    if mine.codecs != theirs.codecs:
        return _mismatch("codecs", one, two, _names(left), _names(right))
    if mine.fill_value != theirs.fill_value:
        return _mismatch("fill value", one, two, left.fill_value, right.fill_value)
    before, after = dict(mine.cf_encoding), dict(theirs.cf_encoding)
    for name in {**before, **after}:
        if before.get(name) != after.get(name) or (name in before) != (name in after):
            return _mismatch(f"attribute {name}", one, two, before.get(name), after.get(name))
    raise AssertionError("arrays that differ in decoding differ in one of its parts")


def _names(metadata: ArrayMetadata) -> str:
    return ", ".join(
        f"{codec['name']}{codec['configuration']}"
        if codec.get("configuration")
        else str(codec["name"])
        for codec in metadata.codecs
    )


def _mismatch(what: str, one: Virtual, two: Virtual, left: object, right: object) -> CombineError:
    source = origin(one)
    where = source if source is not None else "the first array"
    return CombineError(
        f"{what} is {_text(right)} here but {_text(left)} in {where}; one Zarr array has one for "
        f"all its chunks: {WAYS_OUT}",
        url=origin(two),
    )


def _text(value: object) -> str:
    return "absent" if value is None else str(value)
