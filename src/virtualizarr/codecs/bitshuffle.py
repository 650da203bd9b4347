"""Bitshuffle, HDF5's registered filter 32008, alone or with LZ4 or Zstandard blocks.

A compressed chunk is: uncompressed size (8 bytes), block size in bytes (4 bytes), then for each
block its compressed size (4 bytes) and data, all big-endian; the elements after the last multiple
of 8 follow as they are. See Masui et al., "A compression scheme for radio data in high performance
computing", Astronomy and Computing 12 (2015).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, octets, output_limit
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

GROUP = 8  # elements that are shuffled together
TARGET_BLOCK_BYTES = 8192  # of the block size that 0 stands for
MIN_BLOCK = 128  # elements
MAX_RATIO = {"none": 1, "lz4": 255, "zstd": 1 << 15}
HEADER = struct.Struct(">QI")
BLOCK_HEADER = struct.Struct(">I")


def default_block_size(elementsize: int) -> int:
    """Return how many elements the library puts in a block where none are asked for."""
    fitting = TARGET_BLOCK_BYTES // elementsize // GROUP * GROUP
    return max(fitting, MIN_BLOCK)


@dataclass(frozen=True)
class Bitshuffle(ForeignCodec):
    """`elementsize` in bytes, `blocksize` in elements (0: the library's choice), `cname`.

    `blocksize` counts where `cname` is "none"; a compressed stream carries its own.
    """

    name: ClassVar[str] = "virtualizarr.bitshuffle"
    elementsize: int
    blocksize: int = 0
    cname: str = "none"

    def __post_init__(self) -> None:
        self.require_integers(elementsize=(1, 1 << 20), blocksize=(0, 1 << 30))
        self.require(self.cname in MAX_RATIO, f"cname is {self.cname!r}")
        self.require(self.blocksize % GROUP == 0, f"blocksize is {self.blocksize}")

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        if self.cname == "none":
            fits = nbytes is None or data.size <= capacity(nbytes)
            self.require(fits, f"{data.size} bytes for a chunk of {nbytes}")
            return self._unshuffled(data, self.blocksize)
        shuffled, block_bytes = self._decompressed(data, nbytes)
        return self._unshuffled(shuffled, block_bytes // self.elementsize)

    def _unshuffled(self, data: Octets, blocksize: int) -> Octets:
        """Undo the shuffle; bytes beyond the last whole group of elements stay as they are."""
        whole = data.size // (GROUP * self.elementsize) * GROUP * self.elementsize
        blocksize = blocksize if blocksize > 0 else default_block_size(self.elementsize)
        out = np.empty(data.size, np.uint8)
        out[whole:] = data[whole:]
        if whole > 0:
            self.imagecodecs(
                "bitshuffle_decode",
                data[:whole].data,
                itemsize=self.elementsize,
                blocksize=blocksize,
                out=out[:whole].data,
            )
        return out

    def _decompressed(self, data: Octets, nbytes: int | None) -> tuple[Octets, int]:
        """Return the shuffled bytes of a compressed chunk and the size of a block in bytes."""
        self.require(data.size >= HEADER.size, f"{data.size} bytes cannot hold a header")
        size, block_bytes = HEADER.unpack_from(data)
        limit = output_limit(nbytes, data.size, MAX_RATIO[self.cname])
        self.require(size <= limit, f"the header declares {size} bytes, at most {limit} fit")
        group_bytes = GROUP * self.elementsize
        block_bytes = block_bytes or default_block_size(self.elementsize) * self.elementsize
        self.require(block_bytes % group_bytes == 0, f"the block size is {block_bytes} bytes")
        whole = size // group_bytes * group_bytes
        out = np.empty(size, np.uint8)
        at = HEADER.size
        for start in range(0, whole, block_bytes):
            at = self._decode_block(data, at, out[start : min(start + block_bytes, whole)])
        rest = data[at:]
        self.require(rest.size >= size - whole, "the stream ends before its last elements")
        out[whole:] = rest[: size - whole]
        return out, block_bytes

    def _decode_block(self, data: Octets, at: int, target: Octets) -> int:
        """Decompress the block whose header lies at `at` into `target`; return where it ends."""
        self.require(data.size - at >= BLOCK_HEADER.size, "the stream ends within a block header")
        stored: int = BLOCK_HEADER.unpack_from(data, at)[0]
        start, stop = at + BLOCK_HEADER.size, at + BLOCK_HEADER.size + stored
        self.require(0 < stored <= data.size - start, f"a block declares {stored} bytes")
        decoded = self.imagecodecs(f"{self.cname}_decode", data[start:stop], out=target.data)
        self.require(len(decoded) == target.size, "a block is shorter than the header declares")
        return stop

    def encode(self, data: Octets) -> Octets:
        blocksize = self.blocksize or default_block_size(self.elementsize)
        whole = data.size // (GROUP * self.elementsize) * GROUP * self.elementsize
        shuffled = data.copy()
        if whole > 0:
            self.imagecodecs(
                "bitshuffle_encode",
                data[:whole].data,
                itemsize=self.elementsize,
                blocksize=blocksize,
                out=shuffled[:whole].data,
            )
        if self.cname == "none":
            return shuffled
        block_bytes = blocksize * self.elementsize
        parts = [HEADER.pack(data.size, block_bytes)]
        for start in range(0, whole, block_bytes):
            block = shuffled[start : min(start + block_bytes, whole)]
            stored = bytes(self.imagecodecs(f"{self.cname}_encode", block))
            parts += [BLOCK_HEADER.pack(len(stored)), stored]
        return octets(b"".join([*parts, shuffled[whole:].tobytes()]))


class BitshuffleCodec(ZarrTwin, of=Bitshuffle):
    """Zarr v3 codec `virtualizarr.bitshuffle`."""


class BitshuffleNumcodec(NumcodecsTwin, of=Bitshuffle):
    """numcodecs codec `virtualizarr.bitshuffle`."""
