"""LZF, as h5py's filter 32000 writes it: one LibLZF stream without a header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, octets, output_limit
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

MAX_RATIO = 88  # a back reference of 3 bytes stands for at most 264


@dataclass(frozen=True)
class Lzf(ForeignCodec):
    """LZF bytes. No parameters."""

    name: ClassVar[str] = "virtualizarr.lzf"

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        out = np.empty(output_limit(nbytes, data.size, MAX_RATIO), np.uint8)
        return octets(self.imagecodecs("lzf_decode", data, out=out.data))

    def encode(self, data: Octets) -> Octets:
        room = np.empty(data.size + data.size // 16 + 64, np.uint8)
        return octets(self.imagecodecs("lzf_encode", data, out=room.data))


class LzfCodec(ZarrTwin, of=Lzf):
    """Zarr v3 codec `virtualizarr.lzf`."""


class LzfNumcodec(NumcodecsTwin, of=Lzf):
    """numcodecs codec `virtualizarr.lzf`."""
