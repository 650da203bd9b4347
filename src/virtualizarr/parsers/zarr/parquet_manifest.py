"""Chunk manifests in Parquet, `chunk-manifest-parquet`: one row a reference, paths coded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import (
    CorruptFileError,
    MissingDependencyError,
    UnsupportedFeatureError,
)
from virtualizarr.model import Location
from virtualizarr.parsers.zarr.columns import Int64s, Rows
from virtualizarr.parsers.zarr.json_manifest import Resolve
from virtualizarr.store.chunk_manifest import COLUMNS

FREE_ROWS = 500_000
ROWS_PER_BYTE = 256


def decode_manifest(
    content: bytes | memoryview, grid_shape: tuple[int, ...], resolve: Resolve
) -> Rows:
    """Return the references of a manifest; raises as the JSON form, and MissingDependencyError."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError(
            'Parquet manifests need pyarrow: pip install "virtualizarr[parquet]"'
        ) from error
    try:
        metadata = pq.read_metadata(pa.BufferReader(content))
        present = [name for name in COLUMNS if name in metadata.schema.names]
        if missing := sorted(set(COLUMNS[:4]) - set(present)):
            raise CorruptFileError(f"the manifest has no columns {missing}")
        _check_rows(metadata.num_rows, len(content))
        coded = [name for name in ("path", "etag") if name in present]
        file = pq.ParquetFile(pa.BufferReader(content), metadata=metadata, read_dictionary=coded)
        table = file.read(columns=present, use_threads=False).combine_chunks().unify_dictionaries()
        needed = [_whole_numbers(pa, table, name) for name in ("chunk", "offset", "length")]
        codes, paths = _coded(pa, table, "path")
        if codes.size and int(codes.min()) < 0:
            raise CorruptFileError("a row of the manifest has no path")
        evidence = _evidence(pa, table, codes, len(paths))
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        raise CorruptFileError(f"the manifest is not Parquet, or broken: {error}") from error
    cells, offset, length = needed
    return _rows(cells, offset, length, codes, paths, evidence, grid_shape, resolve)


def _check_rows(rows: int, size: int) -> None:
    """Refuse a small file that declares so many rows that they would fill the memory."""
    if rows > FREE_ROWS + ROWS_PER_BYTE * size:
        raise UnsupportedFeatureError(f"a manifest of {size:,} bytes with {rows:,} rows")


def _rows(
    cells: Int64s,
    offset: Int64s,
    length: Int64s,
    codes: Int64s,
    paths: Sequence[str],
    evidence: Sequence[Mapping[str, Any]],
    grid_shape: tuple[int, ...],
    resolve: Resolve,
) -> Rows:
    count = prod(grid_shape)
    for name, column in (("chunk", cells), ("offset", offset), ("length", length)):
        if column.size and int(column.min()) < 0:
            raise CorruptFileError(f"row {int(np.argmin(column))} has a negative {name}")
    if (offset > np.iinfo(np.int64).max - length).any():
        raise CorruptFileError("a reference lies beyond any file")
    if cells.size and int(cells.max()) >= count:
        raise CorruptFileError(
            f"chunk {int(cells.max())} lies outside the grid of {grid_shape} chunks"
        )
    numbers: dict[str, int] = {}
    locations: list[Location] = []
    for path, facts in zip(paths, evidence, strict=True):
        url = resolve(path)
        if url not in numbers:
            numbers[url] = len(locations)
            locations.append(Location(url, **facts))
    table = np.array([numbers[resolve(path)] for path in paths], np.uint32)
    return Rows(
        cells,
        tuple(locations),
        table[codes] if len(table) else np.zeros(0, np.uint32),
        offset.astype(np.uint64),
        length.astype(np.uint64),
    )


def _whole_numbers(pa: Any, table: Any, name: str) -> Int64s:
    column = table.column(name)
    if not pa.types.is_integer(column.type):
        raise CorruptFileError(f"the column {name!r} is of type {column.type}")
    if column.null_count:
        raise CorruptFileError(f"the column {name!r} has nulls")
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)


def _coded(pa: Any, table: Any, name: str) -> tuple[Int64s, list[str]]:
    """Return a text column as codes, -1 where null, and the texts."""
    column = table.column(name)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if not pa.types.is_string(column.type.value_type):
        raise CorruptFileError(f"the column {name!r} is of type {column.type}")
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        joined = joined.chunk(0) if joined.num_chunks else pa.array([], column.type)
    codes = joined.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, joined.dictionary.to_pylist()


def _evidence(
    pa: Any, table: Any, codes: npt.NDArray[np.int64], count: int
) -> list[dict[str, Any]]:
    """Return what the first row of each path says of its file."""
    first = np.zeros(count, np.int64)
    first[codes[::-1]] = np.arange(len(codes), dtype=np.int64)[::-1]
    rows = table.take(pa.array(first)) if len(codes) else table
    facts: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, convert in (
        ("size", _size),
        ("etag", _etag),
        ("last_modified", _moment),
        ("unmodified_since", _moment),
    ):
        if name in table.column_names and len(codes):
            for known, value in zip(facts, rows.column(name).to_pylist(), strict=True):
                if value is not None:
                    known[name] = convert(value)
    return facts


def _size(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise CorruptFileError(f"the size of a file is {value!r:.80}")
    return value


def _etag(value: Any) -> str:
    if not isinstance(value, str):
        raise CorruptFileError(f"the etag of a file is {value!r:.80}")
    return value


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise CorruptFileError(f"a moment in time of a file is {value!r:.80}")
    return value.astimezone(UTC)
