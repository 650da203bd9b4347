"""LZ4 in the framing of HDF5's registered filter 32004.

A chunk is: uncompressed size (8 bytes), block size (4 bytes), then for each block its compressed
size (4 bytes) and data, all big-endian; a block as large as its content is stored as it is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, octets, output_limit
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

MAX_RATIO = 255
HEADER = struct.Struct(">QI")
BLOCK_HEADER = struct.Struct(">I")


@dataclass(frozen=True)
class Lz4Hdf5(ForeignCodec):
    """LZ4 blocks. No parameters: the stream carries its own block size."""

    name: ClassVar[str] = "virtualizarr.lz4"

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        self.require(data.size >= HEADER.size, f"{data.size} bytes cannot hold a header")
        size, block_size = HEADER.unpack_from(data)
        limit = output_limit(nbytes, data.size, MAX_RATIO)
        self.require(size <= limit, f"the header declares {size} bytes, at most {limit} fit")
        self.require(block_size > 0 or size == 0, "the block size is 0")
        out = np.empty(size, np.uint8)
        at = HEADER.size
        for start in range(0, size, max(block_size, 1)):
            target = out[start : start + block_size]
            at = self._decode_block(data, at, target)
        return out

    def _decode_block(self, data: Octets, at: int, target: Octets) -> int:
        """Decode the block whose header lies at `at` into `target`; return where it ends."""
        self.require(data.size - at >= BLOCK_HEADER.size, "the stream ends within a block header")
        stored: int = BLOCK_HEADER.unpack_from(data, at)[0]
        start, stop = at + BLOCK_HEADER.size, at + BLOCK_HEADER.size + stored
        self.require(0 < stored <= data.size - start, f"a block declares {stored} bytes")
        block = data[start:stop]
        if stored == target.size:
            target[:] = block
            return stop
        decoded = octets(self.imagecodecs("lz4_decode", block, out=target.data))
        self.require(decoded.size == target.size, "a block is shorter than the header declares")
        return stop

    def encode(self, data: Octets) -> Octets:
        header = HEADER.pack(data.size, max(data.size, 1))
        if data.size == 0:
            return octets(header)
        room = np.empty(data.size + data.size // 255 + 64, np.uint8)
        block = octets(self.imagecodecs("lz4_encode", data, out=room.data))
        stored = block if block.size < data.size else data
        return octets(header + BLOCK_HEADER.pack(stored.size) + stored.tobytes())


class Lz4Hdf5Codec(ZarrTwin, of=Lz4Hdf5):
    """Zarr v3 codec `virtualizarr.lz4`."""


class Lz4Hdf5Numcodec(NumcodecsTwin, of=Lz4Hdf5):
    """numcodecs codec `virtualizarr.lz4`."""
