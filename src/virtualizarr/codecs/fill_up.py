"""Chunks that are stored in part: what is missing at their end is filled with one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

MAX_VALUE = 1024


@dataclass(frozen=True)
class FillUp(ForeignCodec):
    """`value`: the bytes of the value that is put where a chunk has none, as stored."""

    name: ClassVar[str] = "virtualizarr.fill_up"
    value: tuple[int, ...]

    def __post_init__(self) -> None:
        self.require_words("value", 0, 255)
        self.require(0 < len(self.value) <= MAX_VALUE, f"a value of {len(self.value)} bytes")

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        size = self.known_size(nbytes)
        if data.size >= size:
            return data[:size]
        whole = data.size - data.size % len(self.value)
        count = -(-(size - whole) // len(self.value))
        filling = np.tile(np.array(self.value, np.uint8), count)
        return np.concatenate([data[:whole], filling])[:size]


class FillUpCodec(ZarrTwin, of=FillUp):
    """Zarr v3 codec `virtualizarr.fill_up`."""


class FillUpNumcodec(NumcodecsTwin, of=FillUp):
    """numcodecs codec `virtualizarr.fill_up`."""
