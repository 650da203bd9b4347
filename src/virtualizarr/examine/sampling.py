"""Decoding chunks of an array that are chosen at random."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Collection
from zlib import crc32

import numpy as np
import numpy.typing as npt
import zarr

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.model import MISSING, ChunkManifest, ManifestArray
from virtualizarr.model.columns import is_uniform
from virtualizarr.model.layout import axis_layout
from virtualizarr.store import ManifestStore

DECODING_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What codecs of others raise for bytes that they cannot decode."""


def random_cells(
    manifest: ChunkManifest, count: int, seed: int, name: str, left_out: Collection[int] = ()
) -> npt.NDArray[np.int64]:
    """Return up to `count` grid positions in C order of chunks that are there, sorted.

    The choice depends on `seed` and `name` alone. `left_out` are codes of locations to pass over.
    """
    codes = manifest.location
    choose = np.random.default_rng([seed, crc32(name.encode())])
    if not codes.size or count < 1:
        return np.zeros(0, np.int64)
    if is_uniform(codes):
        code = int(codes.flat[0])
        if code == MISSING or code in left_out:
            return np.zeros(0, np.int64)
        return np.unique(choose.integers(0, codes.size, count))
    flat = codes.reshape(-1)
    there = np.flatnonzero((flat != MISSING) & ~np.isin(flat, np.array([*left_out], np.uint32)))
    chosen = choose.choice(there, min(count, len(there)), replace=False, shuffle=False)
    return np.sort(chosen)


def decode_chunk(store: ManifestStore, path: str, array: ManifestArray, cell: int) -> None:
    """Read and decode the chunk at a grid position in C order, and drop its values.

    Raises the errors of reading, and CorruptFileError naming the chunk where it does not decode.
    """
    index = np.unravel_index(cell, array.manifest.shape_chunk_grid)
    region = []
    for axis, at in enumerate(index):
        layout = axis_layout(array.metadata, axis)
        start = int(layout.starts[at])
        region.append(slice(start, start + int(layout.shown[at])))
    where = ".".join(str(int(at)) for at in index)
    chunk = f"chunk {where if where else '0'} does not decode"
    try:
        zarr.open_array(store, path=path, mode="r", zarr_format=3)[tuple(region)]
    except VirtualizeError as error:
        if error.url is not None:  # the file is at fault, not what it holds
            raise error.located(node=path) from error.__cause__
        raise CorruptFileError(f"{chunk}: {error.reason}", node=path) from error
    except DECODING_ERRORS as error:
        reason = f"{chunk}: {type(error).__name__}: {error}"
        raise CorruptFileError(reason, node=path) from error
