"""Chunk manifests as Parquet: one row a reference, paths and what is known of files coded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from virtualizarr.errors import MissingDependencyError
from virtualizarr.model import INLINE, MISSING, ChunkManifest
from virtualizarr.model.columns import offsets_of
from virtualizarr.writers.zarr.paths import Paths

ROW_GROUP = 262_144


def has_pyarrow() -> bool:
    """Say whether Parquet manifests can be written here."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return False
    return True


def manifest_parquet(manifest: ChunkManifest, paths: Paths) -> bytes:
    """Return a manifest as a Parquet file; MissingDependencyError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError(
            'Parquet manifests need pyarrow: pip install "virtualizarr[parquet]"'
        ) from error
    schema = pa.schema(
        [
            pa.field("chunk", pa.int64(), nullable=False),
            pa.field("path", pa.dictionary(pa.int32(), pa.string()), nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
            pa.field("length", pa.int64(), nullable=False),
            pa.field("size", pa.int64()),
            pa.field("etag", pa.dictionary(pa.int32(), pa.string())),
            pa.field("last_modified", moment := pa.timestamp("us", tz="UTC")),
            pa.field("unmodified_since", moment),
        ]
    )
    codes = manifest.location.reshape(-1)
    present = np.flatnonzero(codes != MISSING)
    out = pa.BufferOutputStream()
    plain = dict.fromkeys(("chunk", "offset", "length"), "DELTA_BINARY_PACKED")
    with pq.ParquetWriter(
        out,
        schema,
        compression="zstd",
        use_dictionary=["path", "etag", "size", "last_modified", "unmodified_since"],
        column_encoding=plain,
        store_schema=False,
    ) as writer:
        for start in range(0, len(present), ROW_GROUP):
            cells = present[start : start + ROW_GROUP]
            writer.write_table(_table(pa, schema, manifest, paths, cells))
        if not len(present):
            writer.write_table(schema.empty_table())
    return out.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _table(pa: Any, schema: Any, manifest: ChunkManifest, paths: Paths, cells: Any) -> Any:
    """Return one row group."""
    codes = manifest.location.reshape(-1)[cells]
    offset = offsets_of(manifest.offset_column).reshape(-1)[cells]
    length = manifest.length.reshape(-1)[cells]
    texts, which = paths.texts(codes, cells)
    used = np.unique(codes)
    known = [paths.locations[code] if code < INLINE else None for code in used.tolist()]
    row = np.searchsorted(used, codes)

    def facts(name: str, kind: Any) -> Any:
        return pa.array([getattr(k, name) if k is not None else None for k in known], kind)

    moment = pa.timestamp("us", tz="UTC")
    indices = pa.array(row.astype(np.int32))
    return pa.Table.from_arrays(
        [
            pa.array(cells),
            pa.DictionaryArray.from_arrays(pa.array(which.astype(np.int32)), pa.array(texts)),
            pa.array(paths.offsets(codes, offset).astype(np.int64)),
            pa.array(length.astype(np.int64)),
            facts("size", pa.int64()).take(indices),
            facts("etag", pa.string()).dictionary_encode().take(indices),
            *(facts(name, moment).take(indices) for name in ("last_modified", "unmodified_since")),
        ],
        schema=schema,
    )
