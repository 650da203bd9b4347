"""HDF4's coder "skipping Huffman": one adaptive prefix code for each byte of a number.

The codes are trees that are semi-splayed around every byte they gave (D. W. Jones, "Application of
splay trees to data compression", CACM 31, 1988). Each bit depends on those before it, so decoding
takes about 0.6 seconds for a megabyte.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, cycle
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

SYMBOLS = 256
MAX_BYTES = 1 << 40
BLOCK = 1 << 16  # bytes whose bits are unpacked at one time


@dataclass(frozen=True)
class Hdf4Skphuff(ForeignCodec):
    """`length`: bytes that a stream holds once it is decoded; `skip`: bytes of a number."""

    name: ClassVar[str] = "virtualizarr.hdf4_skphuff"
    length: int
    skip: int

    def __post_init__(self) -> None:
        self.require_integers(length=(0, MAX_BYTES), skip=(1, 1024))

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        allowed = nbytes is None or self.length <= capacity(nbytes)
        self.require(allowed, f"{self.length} bytes for a chunk of {nbytes}")
        self.require(self.length <= data.size * 8, "the chunk is too short")
        out = bytearray(self.length)
        trees = cycle([_first_tree() for _ in range(self.skip)])
        up, left, right = next(trees)
        at = done = 0
        blocks = (data[start : start + BLOCK] for start in range(0, data.size, BLOCK))
        for bit in chain.from_iterable(np.unpackbits(block).tolist() for block in blocks):
            at = right[at] if bit else left[at]
            if at < SYMBOLS:
                continue
            if done == self.length:
                break
            out[done] = at - SYMBOLS
            done += 1
            # Every second node on the way up changes sides, which halves the leaf's depth.
            while at and (parent := up[at]):
                above = up[parent]
                other = left[above]
                if parent == other:
                    other = right[above]
                    right[above] = at
                else:
                    left[above] = at
                if at == left[parent]:
                    left[parent] = other
                else:
                    right[parent] = other
                up[at] = above
                up[other] = parent
                at = above
            at = 0
            up, left, right = next(trees)
        self.require(done == self.length, "the chunk is too short")
        return np.frombuffer(bytes(out), np.uint8)


def _first_tree() -> tuple[list[int], list[int], list[int]]:
    """Return a balanced prefix code: what is above each node, and left and right of inner ones.

    Nodes below SYMBOLS are inner ones, 0 the root; the others are leaves.
    """
    inner = range(SYMBOLS)
    up = [node >> 1 for node in range(2 * SYMBOLS)]
    return up, [2 * node for node in inner], [2 * node + 1 for node in inner]


class Hdf4SkphuffCodec(ZarrTwin, of=Hdf4Skphuff):
    """Zarr v3 codec `virtualizarr.hdf4_skphuff`."""


class Hdf4SkphuffNumcodec(NumcodecsTwin, of=Hdf4Skphuff):
    """numcodecs codec `virtualizarr.hdf4_skphuff`."""
