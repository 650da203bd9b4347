"""References as Parquet: a directory of tables, one row a chunk.

Specification: "References specification" of fsspec/kerchunk, "Parquet references". Row `i` of
`<array>/refs.<n>.parq` is chunk `n * record_size + i` of the grid in C order; `.zmetadata` holds
the Zarr v2 documents and `record_size`, and what was known of the files under `OWN_KEY`.

Files are so written that fastparquet, which reference file systems read them with, gives whole
numbers for `offset` and `size` (it takes columns without statistics for floats) and None for a
`path` that is null (in pages that are not dictionary-encoded it gives NaN).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import MissingDependencyError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import INLINE, MISSING, ChunkManifest, ManifestGroup
from virtualizarr.model.columns import offsets_of
from virtualizarr.model.evidence import OWN_KEY
from virtualizarr.model.json import to_json
from virtualizarr.source.sink_tree import File
from virtualizarr.writers.kerchunk.entries import encoded_inline
from virtualizarr.writers.kerchunk.filled import manifest_for_v2
from virtualizarr.writers.kerchunk.text import dumps, evidence_of, walk
from virtualizarr.writers.kerchunk.urls import literal_url
from virtualizarr.writers.kerchunk.zarr2 import documents_of

METADATA_FILE = ".zmetadata"
EMPTY_PARTS = 1000
"""Parts without a reference are written up to this many: readers that list an array want them."""

_MAX_PAGE = 2**31 - 1
_BASE64 = b"base64:"


@dataclass(frozen=True, slots=True)
class Layout:
    """`record_size` is the rows of a file; `categorical_threshold` how often a path must occur in
    one, on average, for its paths to be dictionary-encoded (with missing chunks they always are).
    """

    record_size: int
    categorical_threshold: int

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that cannot be."""
        if not 1 <= self.record_size < 2**31:
            raise ValueError(f"record_size is {self.record_size!r}, not between 1 and 2**31 - 1")
        if self.categorical_threshold < 0:
            raise ValueError(f"categorical_threshold is {self.categorical_threshold!r}")


def parquet_files(group: ManifestGroup, layout: Layout) -> tuple[Iterator[File], list[File]]:
    """Return the files of references, made one by one, and the file of metadata, to come last.

    Raises UnsupportedFeatureError, naming the node, for what the format cannot hold, before or
    while the files are taken; MissingDependencyError without pyarrow.
    """
    _pyarrow()
    documents: dict[str, Any] = {}
    manifests: dict[str, ChunkManifest] = {}
    for path, node in walk(group):
        documents[f"{path}.zgroup"] = {"zarr_format": 2}
        documents[f"{path}.zattrs"] = to_json(node.attributes)
        for name in (*node.arrays, *node.groups):
            _check_name(name, path)
        for name, array in node.arrays.items():
            try:
                described = documents_of(array.metadata)
                manifests[f"{path}{name}"] = manifest_for_v2(array, described)
            except VirtualizeError as error:
                raise error.located(node=f"{path}{name}") from error.__cause__
            documents[f"{path}{name}/.zarray"] = described.zarray
            documents[f"{path}{name}/.zattrs"] = described.zattrs
    metadata: dict[str, Any] = {"metadata": documents, "record_size": layout.record_size}
    own = evidence_of(group)
    if own is not None:
        metadata[OWN_KEY] = own
    return _all_parts(manifests, layout), [(METADATA_FILE, dumps(metadata))]


def _check_name(name: str, path: str) -> None:
    if name in ("", ".", "..", METADATA_FILE) or "/" in name or "\0" in name:
        raise UnsupportedFeatureError(
            f"{name!r} cannot be a directory of Parquet references", node=f"{path}{name}"
        )


def _all_parts(manifests: dict[str, ChunkManifest], layout: Layout) -> Iterator[File]:
    for path, manifest in manifests.items():
        try:
            for number, content in _parts(manifest, layout):
                yield f"{path}/refs.{number}.parq", content
        except VirtualizeError as error:
            raise error.located(node=path) from error.__cause__


def _parts(manifest: ChunkManifest, layout: Layout) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and contents of an array's files."""
    cells, size = prod(manifest.shape_chunk_grid), layout.record_size
    writes_empty = -(-cells // size) <= EMPTY_PARTS
    if manifest.all_missing and not writes_empty:
        return
    texts = [literal_url(location.url) for location in manifest.locations]
    columns = manifest.location, offsets_of(manifest.offset_column), manifest.length
    empty: dict[int, bytes] = {}
    for number, start in enumerate(range(0, cells, size)):
        code, offset, length = (_run(column, start, start + size) for column in columns)
        if not bool((code == MISSING).all()):
            rows = _Rows(code, offset, length, texts, manifest.inline)
            yield number, _part(rows, layout.categorical_threshold)
        elif writes_empty:
            if len(code) not in empty:
                empty[len(code)] = _part(_Rows(code, offset, length, texts, b""), 0)
            yield number, empty[len(code)]


def _run(column: npt.NDArray[Any], start: int, stop: int) -> npt.NDArray[Any]:
    """Return some cells in C order, without copying the whole of a column that is stretched."""
    if column.flags.c_contiguous:
        return column.reshape(-1)[start:stop]
    return column.flat[start:stop]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of one file as columns of a manifest."""

    code: npt.NDArray[np.uint32]
    offset: npt.NDArray[np.uint64]
    length: npt.NDArray[np.unsignedinteger[Any]]
    texts: Sequence[str]
    inline: bytes


def _part(rows: _Rows, threshold: int) -> bytes:
    """Return the Parquet file of some rows."""
    pa, pq = _pyarrow()
    ranged = rows.code < INLINE
    paths, is_coded = _paths(pa, rows, ranged, threshold)
    fields = [
        pa.field("path", paths.type),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
    ]
    columns = [paths, *map(pa.array, _numbers(rows, ranged))]
    inlined = rows.code == INLINE
    if inlined.any():
        fields.append(pa.field("raw", pa.binary()))
        columns.append(_raw(pa, rows, inlined))
    out = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(columns, schema=pa.schema(fields)),
        out,
        row_group_size=len(rows.code),
        compression="zstd",
        use_dictionary=["path"] if is_coded else False,
        dictionary_pagesize_limit=_MAX_PAGE,
        write_statistics=["offset", "size"],
        store_schema=False,
    )
    return out.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _paths(pa: Any, rows: _Rows, ranged: npt.NDArray[np.bool_], threshold: int) -> tuple[Any, bool]:
    """Return the column of paths, null where there is none, and whether to keep it coded."""
    all_ranged = bool(ranged.all())
    code = rows.code if all_ranged else np.where(ranged, rows.code, 0)
    used = np.flatnonzero(np.bincount(code[ranged], minlength=1))
    if not ranged.any():
        used = used[:0]
    numbers = np.zeros(max(len(rows.texts), 1), np.int32)
    numbers[used] = np.arange(len(used), dtype=np.int32)
    indices = pa.array(numbers[code], mask=None if all_ranged else ~ranged)
    texts = pa.array([rows.texts[i] for i in used.tolist()], pa.string())
    coded = pa.DictionaryArray.from_arrays(indices, texts)
    if all_ranged and len(code) <= threshold * len(used):
        return coded.dictionary_decode(), False
    return coded, True


def _numbers(
    rows: _Rows, ranged: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return offsets and sizes, zero where the row is no byte range."""
    offset = np.where(ranged, rows.offset, np.uint64(0)).astype(np.int64)
    size = np.where(ranged, rows.length, np.uint64(0)).astype(np.int64)
    if offset.min() < 0 or size.min() < 0:
        raise UnsupportedFeatureError("a reference lies beyond byte 2**63")
    if (ranged & (offset == 0) & (size == 0)).any():
        raise UnsupportedFeatureError(
            "a chunk has no bytes at the start of its file, which Parquet references take for the "
            'whole file; format="json" can hold it'
        )
    return offset, size


def _raw(pa: Any, rows: _Rows, inlined: npt.NDArray[np.bool_]) -> Any:
    """Return the column of inline bytes, null where there are none.

    Readers decode values that begin like base64, so those are encoded.
    """
    starts = rows.offset[inlined].astype(np.int64)
    lengths = rows.length[inlined].astype(np.int64)
    stops = starts + lengths
    if (starts[1:] == stops[:-1]).all() and _BASE64 not in rows.inline:
        data = memoryview(rows.inline)[int(starts[0]) : int(stops[-1])]
    else:
        pieces = [rows.inline[i:j] for i, j in zip(starts.tolist(), stops.tolist(), strict=True)]
        safe = [encoded_inline(p).encode() if p.startswith(_BASE64) else p for p in pieces]
        lengths = np.fromiter(map(len, safe), np.int64, len(safe))
        data = memoryview(b"".join(safe))
    if len(data) > _MAX_PAGE:
        raise UnsupportedFeatureError(
            f"{len(data):,} inline bytes are too many for one file; give a smaller record_size"
        )
    sizes = np.zeros(len(inlined), np.int64)
    sizes[inlined] = lengths
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))).astype(np.int32)
    validity = np.packbits(inlined, bitorder="little")
    buffers = [pa.py_buffer(validity), pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(inlined), buffers)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError(
            'Parquet references need pyarrow: pip install "virtualizarr[parquet]"'
        ) from error
    return pa, pq
