"""Trees of virtual arrays for property tests, and what it means for two trees to be equal."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from virtualizarr.model import (
    INLINE,
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
    RectilinearGrid,
)
from virtualizarr.model.json import to_json

DTYPES = [
    *("bool", "i1", "u1", "<i2", ">i2", "<i4", ">u4", "<i8", ">u8", "<f2", ">f4", "<f8", "<c8"),
    *("S3", "<U2", ">U2", "<M8[ns]", "<m8[25s]"),
]
CODECS: list[list[dict[str, Any]]] = [
    [],
    [{"name": "numcodecs.zlib", "configuration": {"level": 4}}],
    [
        {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}},
        {"name": "gzip", "configuration": {"level": 1}},
    ],
    [{"name": "zstd", "configuration": {"level": 3, "checksum": False}}],
    [{"name": "numcodecs.fletcher32", "configuration": {}}],
]
SCHEMES = ["file:///data", "s3://bucket", "https://host/path", "gs://b/c", "file:///with%20space"]

names = st.text("abcxyz_019é", min_size=1, max_size=4)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)
numpy_values = st.sampled_from(
    [np.float32(1.5), np.int16(-3), np.array([1.0, np.inf]), np.nan, np.arange(3), np.bytes_(b"x")]
)
attributes = st.dictionaries(names, json_values | numpy_values, max_size=3)


@st.composite
def locations(draw: st.DrawFn) -> tuple[Location, ...]:
    """Up to three files, with canonical URLs."""
    stems = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True))
    scheme = draw(st.sampled_from(SCHEMES))
    return tuple(Location(f"{scheme}/{stem}.nc") for stem in stems)


@st.composite
def manifests(draw: st.DrawFn, grid_shape: tuple[int, ...], missing: bool = True) -> ChunkManifest:
    """References over a chunk grid: of one file or several, missing and inline ones among them."""
    files = draw(locations())
    cells = prod(grid_shape)
    kinds = [*range(len(files)), INLINE, *([MISSING] if missing else [])]
    codes = draw(st.lists(st.sampled_from(kinds), min_size=cells, max_size=cells))
    inline = b""
    offset, length = np.zeros(cells, np.uint64), np.zeros(cells, np.uint64)
    for i, code in enumerate(codes):
        if code == INLINE:
            data = draw(st.binary(max_size=9))
            offset[i], length[i] = len(inline), len(data)
            inline += data
        elif code != MISSING:
            offset[i] = draw(st.integers(0, 2**40))
            length[i] = draw(st.integers(1, 2**33))
    return ChunkManifest.from_columns(
        files,
        np.array(codes, np.uint32).reshape(grid_shape),
        offset.reshape(grid_shape),
        length.reshape(grid_shape),
        inline,
    )


@st.composite
def fill_values(draw: st.DrawFn, dtype: np.dtype[Any]) -> Any:
    """A value of `dtype`, or None for zero bytes."""
    if dtype.kind == "f":
        large = [] if dtype.itemsize == 2 else [float(np.float32(9.96921e36))]
        return draw(st.sampled_from([None, np.nan, np.inf, -0.0, 1.5, *large]))
    if dtype.kind in "iu":
        return draw(st.sampled_from([None, 7, np.iinfo(dtype).max]))
    masks: dict[str, list[Any]] = {"S": [None, b"ab"], "U": [None, "é"], "b": [None, True]}
    return draw(st.sampled_from(masks.get(dtype.kind, [None])))


@st.composite
def arrays(draw: st.DrawFn, codecs: list[list[dict[str, Any]]] = CODECS) -> ManifestArray:
    """An array of up to three axes on a regular grid.

    It has missing chunks only where they read as zeros (but for times, which zarr reads as NaT) or
    as the mask, as Zarr v2 demands.
    """
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(0, 7), max_size=3)))
    chunk_shape = tuple(draw(st.integers(1, 4)) for _ in shape)
    fill = draw(fill_values(dtype))
    own_attributes = draw(attributes)
    masked = draw(st.booleans()) and fill is not None
    if masked:
        own_attributes["_FillValue"] = dtype.type(fill)
    dimension_names = draw(st.none() | st.just(tuple(f"d{axis}" for axis in range(len(shape)))))
    metadata = ArrayMetadata.create(
        shape=shape,
        dtype=dtype,
        chunk_shape=chunk_shape,
        codecs=draw(st.sampled_from(codecs)),
        fill_value=fill,
        attributes=own_attributes,
        dimension_names=dimension_names,
    )
    if len(shape) > 1 and draw(st.booleans()):
        order = list(range(len(shape)))[::-1]
        transpose = {"name": "transpose", "configuration": {"order": order}}
        metadata = metadata.replace(codecs=(transpose, *metadata.codecs))
    missing = masked or (fill is None and dtype.kind not in "mM")
    return ManifestArray(metadata, draw(manifests(metadata.grid_shape, missing)))


@st.composite
def rectilinear_arrays(draw: st.DrawFn) -> ManifestArray:
    """An array of up to three axes with uneven chunks; the last one may reach past the end."""
    edges = tuple(
        tuple(draw(st.lists(st.integers(1, 5), max_size=4))) for _ in range(draw(st.integers(1, 3)))
    )
    shape = tuple(
        sum(lengths) - draw(st.integers(0, lengths[-1] - 1)) if lengths else 0 for lengths in edges
    )
    metadata = ArrayMetadata.create(
        shape=shape,
        dtype=np.dtype(draw(st.sampled_from(DTYPES))),
        chunk_shape=(1,) * len(shape),
        codecs=draw(st.sampled_from(CODECS)),
        attributes=draw(attributes),
    ).replace(chunk_grid=RectilinearGrid(edges))
    return ManifestArray(metadata, draw(manifests(metadata.grid_shape)))


@st.composite
def string_arrays(draw: st.DrawFn) -> ManifestArray:
    """A one-dimensional array of variable-length text."""
    metadata = ArrayMetadata.create(
        shape=(draw(st.integers(0, 5)),),
        dtype=np.dtypes.StringDType(),
        chunk_shape=(2,),
        dimension_names=["x"],
    )
    return ManifestArray(metadata, draw(manifests(metadata.grid_shape)))


@st.composite
def groups(draw: st.DrawFn, depth: int = 2) -> ManifestGroup:
    """A tree of up to `depth` levels of groups below the root."""
    own = draw(st.dictionaries(names, arrays() | string_arrays(), max_size=3))
    children = {}
    if depth:
        children = draw(st.dictionaries(names, groups(depth - 1), max_size=2))
    kept = {name: child for name, child in children.items() if name not in own}
    return ManifestGroup(own, kept, draw(attributes))


def assert_same_tree(found: ManifestGroup, wanted: ManifestGroup, path: str = "") -> None:
    """Compare two trees: metadata, attributes and every reference."""
    assert to_json(found.attributes) == to_json(wanted.attributes), path
    assert found.arrays.keys() == wanted.arrays.keys(), path
    assert found.groups.keys() == wanted.groups.keys(), path
    for name, array in wanted.arrays.items():
        mine = found.arrays[name]
        assert mine.metadata.to_json() == array.metadata.to_json(), f"{path}/{name}"
        assert mine.manifest == array.manifest, f"{path}/{name}"
    for name, child in wanted.groups.items():
        assert_same_tree(found.groups[name], child, f"{path}/{name}")
