"""Virtual groups made by hand, for tests: arrays whose chunks lie in a file of known bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray
from virtualizarr.source.local import LocalSource
from virtualizarr.source.urls import local_path


class FileOfArrays:
    """A file to which arrays are appended, chunk by chunk; each gives its ManifestArray."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.location = Location(path.as_uri())
        self.opened: list[str] = []
        path.write_bytes(b"head")

    def add(
        self,
        values: Any,
        dims: Sequence[str | None] | None,
        chunk_shape: Sequence[int] | None = None,
        *,
        encode: Any = lambda data: data,
        codecs: Sequence[dict[str, Any]] = (),
        fill_value: Any = None,
        **attributes: Any,
    ) -> ManifestArray:
        """Write `values` and return them as a virtual array; `encode` compresses one chunk."""
        values = np.asarray(values)
        chunk_shape = tuple(chunk_shape) if chunk_shape is not None else values.shape
        metadata = ArrayMetadata.create(
            shape=values.shape,
            dtype=values.dtype,
            chunk_shape=chunk_shape,
            codecs=codecs,
            fill_value=fill_value,
            attributes=attributes,
            dimension_names=dims,
        )
        offset = np.zeros(metadata.grid_shape, np.uint64)
        length = np.zeros(metadata.grid_shape, np.uint64)
        for cell in np.ndindex(metadata.grid_shape):
            window = tuple(
                slice(i * n, (i + 1) * n) for i, n in zip(cell, chunk_shape, strict=True)
            )
            chunk = np.zeros(chunk_shape, values.dtype)
            part = values[window]
            chunk[tuple(map(slice, part.shape))] = part
            data = encode(chunk.tobytes())
            offset[cell], length[cell] = self.path.stat().st_size, len(data)
            with self.path.open("ab") as file:
                file.write(data)
        return ManifestArray(metadata, ChunkManifest.single_file(self.location, offset, length))

    def source(self, location: Location) -> LocalSource:
        """Open a file, remembering that it was opened."""
        self.opened.append(location.url)
        return LocalSource(local_path(location.url), location.url)


def no_source(url: Location) -> LocalSource:
    """Stand for an opener where nothing may be read."""
    raise AssertionError(f"{url} was opened")
