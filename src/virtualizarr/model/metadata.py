"""Zarr v3 array metadata as plain data: what `zarr.json` says, without building zarr's objects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.chunks import ChunkGrid, RectilinearGrid, RegularGrid
from virtualizarr.model.decoding import (
    CFEncoding,
    Decoding,
    cf_encoding,
    codecs_decoding,
    fill_decoding,
)
from virtualizarr.model.dtypes import data_type_of, encode_fill, endian_of, numpy_dtype
from virtualizarr.model.json import Json, to_json

MAX_EDGES = 10_000_000
"""The most chunks along an axis of a rectilinear grid, whose lengths are all held in memory."""

MAX_LENGTH = 2**63 - 1
"""The longest axis, or chunk along it, in elements: what numpy's indices can hold."""

type CodecJson = Mapping[str, Json]


@dataclass(frozen=True, slots=True, eq=False)
class ArrayMetadata:
    """One array's description.

    `data_type`, `codecs` and `fill_value` are in the JSON form of the Zarr v3 specification;
    `dtype` is the numpy dtype of the decoded values, in native byte order. `attributes` may hold
    numpy scalars and arrays, which keep the dtypes the file gave them; `to_json` makes them plain.
    """

    shape: tuple[int, ...]
    data_type: Json
    chunk_grid: ChunkGrid
    codecs: tuple[CodecJson, ...]
    fill_value: Json
    attributes: Mapping[str, Any] = field(default_factory=dict)
    dimension_names: tuple[str | None, ...] | None = None
    _glance: tuple[object, ...] | None = field(default=None, init=False, repr=False)
    _cf_encoding: CFEncoding | None = field(default=None, init=False, repr=False)
    _decoding: Decoding | None = field(default=None, init=False, repr=False)
    _dtype: np.dtype[Any] | None = field(default=None, init=False, repr=False)

    @classmethod
    def create(
        cls,
        *,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        chunk_shape: Sequence[int],
        codecs: Sequence[CodecJson] = (),
        fill_value: Any = None,
        attributes: Mapping[str, Any] | None = None,
        dimension_names: Sequence[str | None] | None = None,
    ) -> Self:
        """Describe an array of numpy values whose stored bytes have `dtype`'s byte order.

        `codecs` are the bytes-to-bytes codecs, in the order they encode; the `bytes` codec (or
        `vlen-utf8` / `vlen-bytes` for numpy's StringDType / object) is put before them.
        `fill_value` None means zero bytes.
        """
        return cls(
            shape=tuple(map(int, shape)),
            data_type=data_type_of(dtype),
            chunk_grid=RegularGrid(tuple(max(1, int(n)) for n in chunk_shape)),
            codecs=(serializer_of(dtype), *codecs),
            fill_value=encode_fill(fill_value, dtype),
            attributes=attributes if attributes is not None else {},
            dimension_names=tuple(dimension_names) if dimension_names is not None else None,
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        known = self._dtype
        if known is None:
            known = numpy_dtype(self.data_type)
            object.__setattr__(self, "_dtype", known)
        return known

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def grid_shape(self) -> tuple[int, ...]:
        return self.chunk_grid.grid_shape(self.shape)

    @property
    def cf_encoding(self) -> CFEncoding:
        """The attributes by which CF decodes the values, comparable; worked out once."""
        known = self._cf_encoding
        if known is None:
            known = cf_encoding(self.attributes)
            object.__setattr__(self, "_cf_encoding", known)
        return known

    @property
    def decoding(self) -> Decoding:
        """All that decides what stored bytes decode to, comparable; worked out once."""
        known = self._decoding
        if known is None:
            known = Decoding(
                json.dumps(self.data_type, sort_keys=True),
                codecs_decoding(self.codecs, self.dtype.itemsize),
                fill_decoding(self.fill_value, self.dtype),
                self.cf_encoding,
            )
            object.__setattr__(self, "_decoding", known)
        return known

    def same_decoding(self, other: ArrayMetadata) -> bool:
        """Say whether stored bytes mean the same values in both arrays; cheap where they do."""
        if self is other:
            return True
        mine, theirs = self._cf_encoding, other._cf_encoding
        alike = (
            self.data_type == other.data_type
            and self.fill_value == other.fill_value
            and self.codecs == other.codecs
            and (mine if mine is not None else self.cf_encoding)
            == (theirs if theirs is not None else other.cf_encoding)
        )
        return alike or self.decoding == other.decoding

    @property
    def glance(self) -> tuple[object, ...]:
        """All but attributes and names; worked out once.

        Of two arrays it is equal only if both decode the same way and have one shape and one chunk
        grid; it differs also where the same is written in two ways.
        """
        known = self._glance
        if known is None:
            grid = self.chunk_grid
            chunks = grid.chunk_shape if isinstance(grid, RegularGrid) else grid
            known = (
                *(self.shape, chunks, self.codecs),
                *(self.data_type, self.fill_value, self.cf_encoding),
            )
            object.__setattr__(self, "_glance", known)
        return known

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Json]:
        """Return the `zarr.json` document."""
        document: dict[str, Json] = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.data_type,
            "chunk_grid": _grid_to_json(self.chunk_grid),
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": self.fill_value,
            "codecs": list(self.codecs),
            "attributes": to_json(self.attributes),
        }
        if self.dimension_names is not None:
            document["dimension_names"] = list(self.dimension_names)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read a `zarr.json` document of an array.

        Raises CorruptFileError if a part is missing or malformed, UnsupportedFeatureError for an
        unknown chunk grid or a storage transformer.
        """
        try:
            if document.get("storage_transformers"):
                raise UnsupportedFeatureError(
                    f"storage transformers {document['storage_transformers']}"
                )
            names = document.get("dimension_names")
            shape = tuple(int(n) for n in document["shape"])
            if any(not 0 <= n <= MAX_LENGTH for n in shape):
                raise CorruptFileError(f"an array of shape {shape}")
            grid = _grid_from_json(document["chunk_grid"], shape)
            return cls(
                shape=shape,
                data_type=document["data_type"],
                chunk_grid=grid,
                codecs=tuple(_codec_json(codec) for codec in document["codecs"]),
                fill_value=document["fill_value"],
                attributes=document.get("attributes") or {},
                dimension_names=tuple(names) if names is not None else None,
            )
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            if isinstance(error, CorruptFileError | UnsupportedFeatureError):
                raise
            raise CorruptFileError(f"array metadata is malformed: {error!r}") from error

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArrayMetadata):
            return NotImplemented
        return self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]


def serializer_of(dtype: np.dtype[Any]) -> CodecJson:
    """Return the array-to-bytes codec for values stored as numpy lays them out."""
    if dtype.kind == "T":
        return {"name": "vlen-utf8"}
    if dtype.kind == "O":
        return {"name": "vlen-bytes"}
    endian = endian_of(dtype)
    return (
        {"name": "bytes"}
        if endian is None
        else {
            "name": "bytes",
            "configuration": {"endian": endian},
        }
    )


def _codec_json(codec: Any) -> CodecJson:
    return {"name": codec} if isinstance(codec, str) else dict(codec)


def _grid_to_json(grid: ChunkGrid) -> Json:
    if isinstance(grid, RegularGrid):
        return {"name": "regular", "configuration": {"chunk_shape": list(grid.chunk_shape)}}
    # An axis without chunks must have a length all the same.
    shapes: list[Json] = [_run_lengths(edges) if edges else 1 for edges in grid.chunk_shapes]
    configuration: dict[str, Json] = {"kind": "inline", "chunk_shapes": shapes}
    return {"name": "rectilinear", "configuration": configuration}


def _run_lengths(lengths: tuple[int, ...]) -> list[Json]:
    column = np.array(lengths, np.int64)
    starts = np.flatnonzero(np.r_[True, column[1:] != column[:-1]]) if len(column) else column
    counts = np.diff(np.r_[starts, len(column)])
    pairs = zip(column[starts].tolist(), counts.tolist(), strict=True)
    return [[value, count] if count > 1 else value for value, count in pairs]


def _grid_from_json(grid: Mapping[str, Any], shape: tuple[int, ...]) -> ChunkGrid:
    name, configuration = grid["name"], grid["configuration"]
    if name == "regular":
        chunk_shape = tuple(int(n) for n in configuration["chunk_shape"])
        if len(chunk_shape) != len(shape) or any(not 1 <= n <= MAX_LENGTH for n in chunk_shape):
            raise CorruptFileError(f"chunk shape {chunk_shape} does not fit array shape {shape}")
        return RegularGrid(chunk_shape)
    if name == "rectilinear":
        return _rectilinear_from_json(configuration["chunk_shapes"], shape)
    raise UnsupportedFeatureError(f"chunk grid {name!r}")


def _check_edges(count: int) -> None:
    if count > MAX_EDGES:
        raise UnsupportedFeatureError(
            f"a rectilinear chunk grid with {count} chunks along an axis; at most {MAX_EDGES}"
        )


def _rectilinear_from_json(chunk_shapes: Sequence[Any], shape: tuple[int, ...]) -> ChunkGrid:
    if len(chunk_shapes) != len(shape):
        raise CorruptFileError(
            f"rectilinear grid of {len(chunk_shapes)} axes, array has {len(shape)}"
        )
    edges: list[tuple[int, ...]] = []
    for extent, axis in zip(shape, chunk_shapes, strict=True):
        if isinstance(axis, int):  # one length, the last chunk stored whole as in a regular grid
            if axis < 1:
                raise CorruptFileError(f"chunk length {axis} in a rectilinear grid")
            _check_edges(-(-extent // axis))
            edges.append((axis,) * -(-extent // axis))
            continue
        values = np.array([run if isinstance(run, list) else [run, 1] for run in axis], np.int64)
        values = values.reshape(-1, 2)
        if (values < 1).any() or values[:, 1].sum() > max(extent, 1):
            raise CorruptFileError(f"chunk lengths {axis!r} do not fit an axis of {extent}")
        _check_edges(int(values[:, 1].sum()))
        edges.append(tuple(np.repeat(values[:, 0], values[:, 1]).tolist()))
    for extent, lengths in zip(shape, edges, strict=True):
        if sum(lengths) < extent:
            raise CorruptFileError(f"chunk lengths sum to {sum(lengths)}, the axis has {extent}")
    return RectilinearGrid(tuple(edges))
