"""HDF5's shuffle, filter 2, where it follows a filter that changes the chunk's length.

Zarr's `numcodecs.shuffle` wants whole elements; libhdf5 leaves the bytes after the last whole
element as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin


@dataclass(frozen=True)
class Shuffle(ForeignCodec):
    """`elementsize` in bytes."""

    name: ClassVar[str] = "virtualizarr.shuffle"
    elementsize: int

    def __post_init__(self) -> None:
        self.require_integers(elementsize=(1, (1 << 32) - 1))

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        fits = nbytes is None or data.size <= capacity(nbytes)
        self.require(fits, f"{data.size} bytes were stored for a chunk of {nbytes}")
        return self._transposed(data, data.size // self.elementsize, inverse=True)

    def encode(self, data: Octets) -> Octets:
        return self._transposed(data, data.size // self.elementsize, inverse=False)

    def _transposed(self, data: Octets, count: int, *, inverse: bool) -> Octets:
        whole = count * self.elementsize
        rows = (self.elementsize, count) if inverse else (count, self.elementsize)
        out = np.empty_like(data)
        out[:whole] = data[:whole].reshape(rows).T.reshape(-1)
        out[whole:] = data[whole:]
        return out


class ShuffleCodec(ZarrTwin, of=Shuffle):
    """Zarr v3 codec `virtualizarr.shuffle`."""


class ShuffleNumcodec(NumcodecsTwin, of=Shuffle):
    """numcodecs codec `virtualizarr.shuffle`."""
