"""Run-length encoding as HDF4's coder RLE has it: bytes that repeat, and bytes as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

RUN_BIT, COUNT_BITS = 0x80, 0x7F
MIN_RUN, MIN_MIX = 3, 1
MAX_BYTES = 1 << 40


@dataclass(frozen=True)
class Hdf4Rle(ForeignCodec):
    """`length`: bytes that a stream holds once it is decoded."""

    name: ClassVar[str] = "virtualizarr.hdf4_rle"
    length: int

    def __post_init__(self) -> None:
        self.require_integers(length=(0, MAX_BYTES))

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        allowed = nbytes is None or self.length <= capacity(nbytes)
        self.require(allowed, f"{self.length} bytes for a chunk of {nbytes}")
        return expanded(self, data, self.length, MIN_RUN, MIN_MIX)


def expanded(codec: ForeignCodec, data: Octets, length: int, min_run: int, min_mix: int) -> Octets:
    """Return the first `length` bytes that runs and mixes stand for.

    A count of 0 means `min_run` or `min_mix` bytes.
    """
    stream = data.tobytes()
    parts: list[bytes] = []
    at = total = 0
    while total < length:
        codec.require(at + 1 < len(stream), "the chunk is too short")
        count = stream[at] & COUNT_BITS
        if stream[at] & RUN_BIT:
            parts.append(stream[at + 1 : at + 2] * (count + min_run))
            at += 2
        else:
            parts.append(stream[at + 1 : at + 1 + count + min_mix])
            codec.require(len(parts[-1]) == count + min_mix, "the chunk is too short")
            at += 1 + count + min_mix
        total += len(parts[-1])
    return np.frombuffer(b"".join(parts), np.uint8)[:length]


class Hdf4RleCodec(ZarrTwin, of=Hdf4Rle):
    """Zarr v3 codec `virtualizarr.hdf4_rle`."""


class Hdf4RleNumcodec(NumcodecsTwin, of=Hdf4Rle):
    """numcodecs codec `virtualizarr.hdf4_rle`."""
