"""HDF4's coder "skipping Huffman": one adaptive prefix code for each byte of a number.

The codes are trees that are semi-splayed around every byte they gave (D. W. Jones, "Application of
splay trees to data compression", CACM 31, 1988). Each bit depends on those before it, so decoding
takes about a second for a megabyte.
"""

from __future__ import annotations

from dataclasses import dataclass
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
        trees = [_Tree() for _ in range(self.skip)]
        out = bytearray()
        at, tree = 0, trees[0]
        for start in range(0, data.size, BLOCK):
            for bit in np.unpackbits(data[start : start + BLOCK]).tolist():
                at = tree.right[at] if bit else tree.left[at]
                if at >= SYMBOLS:
                    tree.splay(at)
                    out.append(at - SYMBOLS)
                    if len(out) == self.length:
                        return np.frombuffer(bytes(out), np.uint8)
                    at, tree = 0, trees[len(out) % self.skip]
        self.require(len(out) == self.length, "the chunk is too short")
        return np.frombuffer(bytes(out), np.uint8)


class _Tree:
    """A prefix code: nodes below SYMBOLS are inner ones, 0 the root; the others are leaves."""

    def __init__(self) -> None:
        self.up = [node >> 1 for node in range(2 * SYMBOLS)]
        self.left = [2 * node for node in range(SYMBOLS)]
        self.right = [2 * node + 1 for node in range(SYMBOLS)]

    def splay(self, node: int) -> None:
        """Halve, about, the depth of a leaf: every second node on its path changes sides."""
        up, left, right = self.up, self.left, self.right
        while node:
            parent = up[node]
            if not parent:
                return
            above = up[parent]
            other = left[above]
            if parent == other:
                other = right[above]
                right[above] = node
            else:
                left[above] = node
            if node == left[parent]:
                left[parent] = other
            else:
                right[parent] = other
            up[node] = above
            up[other] = parent
            node = above


class Hdf4SkphuffCodec(ZarrTwin, of=Hdf4Skphuff):
    """Zarr v3 codec `virtualizarr.hdf4_skphuff`."""


class Hdf4SkphuffNumcodec(NumcodecsTwin, of=Hdf4Skphuff):
    """numcodecs codec `virtualizarr.hdf4_skphuff`."""
