"""One file of Parquet references, decoded: bytes in, columns out.

Specification: "References specification" of fsspec/kerchunk, "Parquet references". Columns may be
in any order; `path` and `raw`, where a file has no use for them, may be absent.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, MissingDependencyError

MAX_DECODED = 256 * 1024 * 1024
DECODED_PER_BYTE = 64
MAX_ROWS = 2**20
ROWS_PER_BYTE = 256
_BASE64 = b"base64:"
_COLUMNS = ("path", "offset", "size", "raw")

type Int64s = npt.NDArray[np.int64]


class Partition(NamedTuple):
    """The rows of a file as columns.

    `code` indexes `paths`, -1 where a row has none. `inlined` are the numbers of the rows that hold
    bytes, `inline` those bytes, one after the other, and `inline_sizes` how many each has.
    """

    paths: Sequence[str]
    code: Int64s
    offset: Int64s
    size: Int64s
    inlined: Int64s
    inline_sizes: Int64s
    inline: bytes


def decode_partition(content: bytes | memoryview, record_size: int) -> Partition:
    """Return the rows of a file.

    Raises CorruptFileError for what is not Parquet, has wrong columns or negative numbers, or more
    rows than `record_size`; MissingDependencyError without pyarrow.
    """
    pa, pq = _pyarrow()
    try:
        metadata = pq.read_metadata(pa.BufferReader(content))
        _check_size(metadata, len(content), record_size)
        wanted = _wanted(metadata.schema.names)
        coded = ["path"] if "path" in wanted else None
        file = pq.ParquetFile(pa.BufferReader(content), metadata=metadata, read_dictionary=coded)
        return _decoded(pa, file.read(columns=wanted, use_threads=False))
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        if isinstance(error, CorruptFileError):
            raise
        raise CorruptFileError(f"the file is not Parquet, or broken: {error}") from error


def check_pyarrow() -> None:
    """Raise MissingDependencyError where Parquet cannot be read."""
    _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError(
            'Parquet references need pyarrow: pip install "virtualizarr[parquet]"'
        ) from error
    return pa, pq


def _check_size(metadata: Any, nbytes: int, record_size: int) -> None:
    """Check what the file says of its contents before they take memory."""
    rows = metadata.num_rows
    if not 0 <= rows <= record_size:
        raise CorruptFileError(f"the file has {rows} rows, and record_size is {record_size}")
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    if sum(group.num_rows for group in groups) != rows:
        raise CorruptFileError("the file's row groups do not add up to its rows")
    decoded = sum(group.total_byte_size for group in groups)
    if rows > max(MAX_ROWS, ROWS_PER_BYTE * nbytes) or not (
        0 <= decoded <= max(MAX_DECODED, DECODED_PER_BYTE * nbytes)
    ):
        raise CorruptFileError(
            f"a file of {nbytes:,} bytes says that it holds {rows:,} rows of {decoded:,} bytes"
        )


def _wanted(names: Sequence[str]) -> list[str]:
    """Return which of the columns we know a file has."""
    wanted = [name for name in _COLUMNS if name in names]
    if "path" not in wanted and "raw" not in wanted:
        raise CorruptFileError(f"the file has the columns {names}, none of them 'path' or 'raw'")
    if any(names.count(name) > 1 for name in wanted):
        raise CorruptFileError(f"two columns of the file have one name: {names}")
    return wanted


def _decoded(pa: Any, table: Any) -> Partition:
    rows = table.num_rows
    names = table.column_names
    paths, code = _coded(pa, table) if "path" in names else ([], np.full(rows, -1, np.int64))
    offset = _whole_numbers(pa, table, "offset")
    size = _whole_numbers(pa, table, "size")
    if "raw" in names:
        inlined, sizes, inline = _inline(pa, table.column("raw"))
    else:
        inlined, sizes, inline = np.zeros(0, np.int64), np.zeros(0, np.int64), b""
    code[inlined] = -1
    ranged = code >= 0
    for name, column in (("offset", offset), ("size", size)):
        wrong = ranged & (column < 0)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise CorruptFileError(f"the {name} of row {row} is {column[row]}")
    beyond = ranged & (offset > np.iinfo(np.int64).max - size)
    if beyond.any():
        raise CorruptFileError(f"row {int(np.argmax(beyond))} lies beyond any file")
    return Partition(paths, code, offset, size, inlined, sizes, inline)


def _coded(pa: Any, table: Any) -> tuple[list[str], Int64s]:
    """Return the paths, each once, and which one each row has."""
    column = table.column("path")
    if pa.types.is_null(column.type):
        return [], np.full(len(column), -1, np.int64)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    kind = column.type.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise CorruptFileError(f"the column 'path' is of type {kind}")
    joined = _joined(pa, column.unify_dictionaries())
    code = joined.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    texts = joined.dictionary.to_pylist()
    numbers: dict[str | None, int] = {text: i for i, text in enumerate(texts)}
    if None in numbers or len(numbers) < len(texts):
        numbers.pop(None, None)
        table_of = [numbers.get(text, -1) for text in texts]
        code = np.array([*table_of, -1], np.int64)[code]
    return ["" if text is None else text for text in texts], np.array(code, np.int64)


def _whole_numbers(pa: Any, table: Any, name: str) -> Int64s:
    """Return a column of whole numbers, zeros where the file has none."""
    if name not in table.column_names:
        return np.zeros(table.num_rows, np.int64)
    column = table.column(name)
    if not pa.types.is_integer(column.type):
        raise CorruptFileError(f"the column {name!r} is of type {column.type}")
    return np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(), np.int64)


def _inline(pa: Any, column: Any) -> tuple[Int64s, Int64s, bytes]:
    """Return which rows hold bytes, how many each, and the bytes; base64 is decoded."""
    nothing = np.zeros(0, np.int64)
    if column.null_count == len(column):
        return nothing, nothing, b""
    kind = column.type
    if not (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    ):
        raise CorruptFileError(f"the column 'raw' is of type {kind}")
    whole = _joined(pa, column.cast(pa.large_binary()))
    rows = np.flatnonzero(whole.is_valid().to_numpy(zero_copy_only=False))
    held = whole.drop_null()
    _, ends, data = held.buffers()
    bounds = np.frombuffer(ends, np.int64)[held.offset : held.offset + len(held) + 1]
    content = bytes(data)[bounds[0] : bounds[-1]] if data is not None else b""
    if _BASE64 not in content:
        return rows, np.diff(bounds), content
    pieces = [
        _plain(piece, row) for piece, row in zip(held.to_pylist(), rows.tolist(), strict=True)
    ]
    return rows, np.fromiter(map(len, pieces), np.int64, len(pieces)), b"".join(pieces)


def _plain(piece: bytes, row: int) -> bytes:
    if not piece.startswith(_BASE64):
        return piece
    try:
        return base64.b64decode(piece[len(_BASE64) :], validate=True)
    except ValueError as error:
        raise CorruptFileError(f"row {row} holds bytes that are not base64: {error}") from error


def _joined(pa: Any, column: Any) -> Any:
    """Return a chunked column as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)
