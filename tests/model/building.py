"""Virtual arrays over real bytes, whose values zarr can be asked for."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np

from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray
from virtualizarr.model.columns import narrowed

ZLIB = {"name": "numcodecs.zlib", "configuration": {"level": 1}}


class Archive:
    """Files in memory: `store` writes an array's chunks into one, as an archival format would."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._numbers = count()

    def store(
        self,
        values: np.ndarray[Any, Any],
        chunk_shape: tuple[int, ...],
        *,
        compress: bool = False,
        fill_value: Any = 0,
        attributes: Mapping[str, Any] | None = None,
        names: tuple[str, ...] | None = None,
        skip: frozenset[int] = frozenset(),
    ) -> ManifestArray:
        """Write full, padded chunks into a new file; chunks numbered in `skip` stay unwritten."""
        metadata = ArrayMetadata.create(
            shape=values.shape,
            dtype=values.dtype,
            chunk_shape=chunk_shape,
            codecs=(ZLIB,) if compress else (),
            fill_value=fill_value,
            attributes=attributes,
            dimension_names=names,
        )
        grid = metadata.grid_shape
        content = bytearray(b"header")
        offset, length = np.zeros(grid, np.uint64), np.zeros(grid, np.uint64)
        present = np.ones(grid, np.bool_)
        for number, index in enumerate(np.ndindex(grid)):
            if number in skip:
                present[index] = False
                continue
            chunk = np.full(chunk_shape, 99, values.dtype)
            where = tuple(
                slice(i * n, (i + 1) * n) for i, n in zip(index, chunk_shape, strict=True)
            )
            part = values[where]
            chunk[tuple(map(slice, part.shape))] = part
            data = zlib.compress(chunk.tobytes()) if compress else chunk.tobytes()
            offset[index], length[index] = len(content), len(data)
            content += data
        url = f"s3://bucket/{next(self._numbers)}.nc"
        self.files[url] = bytes(content)
        manifest = ChunkManifest.single_file(
            Location(url, len(content)),
            offset,
            narrowed(length),
            None if present.all() else present,
        )
        return ManifestArray(metadata, manifest)

    def inline(self, array: ManifestArray) -> ManifestArray:
        """Return the array with its bytes held inside the manifest."""
        manifest = array.manifest
        data = self.files[manifest.locations[0].url]
        codes = np.where(manifest.location == 0, np.uint32(0xFFFF_FFFE), manifest.location)
        held = ChunkManifest.from_columns((), codes, manifest.offset, manifest.length, data)
        return ManifestArray(array.metadata, held.compacted())

    def read(self, url: str, offset: int, length: int) -> bytes:
        return self.files[url][offset : offset + length]
