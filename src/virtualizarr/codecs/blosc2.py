"""Blosc2, HDF5's registered filter 32026: a chunk is one contiguous Blosc2 frame.

The frame holds one Blosc2 chunk: of bytes, or of a b2nd array, whose elements lie block by block
(Blosc2 Contiguous Frame Format; Blosc2 Chunk Format; b2nd metalayer).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin
from virtualizarr.errors import UnsupportedFeatureError

MAGIC = b"\x9e\xa8b2frame\x00"
HEADER = struct.Struct(">11xi x8x 5x xq xq xi 5x xi")  # sizes: header, data, stored, type, chunk
B2ND_ENTRY = b"\xa4b2nd\xd2"
CHUNK_HEADER = struct.Struct("<4xiii")  # nbytes, blocksize, cbytes
MAX_RANK = 8
MAX_TYPESIZE = 1 << 16
UNKNOWN_SIZE_LIMIT = 1 << 31
SPECIAL_ZERO, SPECIAL_NAN, SPECIAL_UNINITIALISED = 0x81, 0x82, 0x83  # a chunk that is not stored


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The fields of a frame's header that are used here; sizes in bytes."""

    header_size: int
    uncompressed_size: int
    compressed_size: int
    typesize: int
    chunksize: int


@dataclass(frozen=True, slots=True)
class B2nd:
    """The shapes in the b2nd metalayer, in elements."""

    shape: tuple[int, ...]
    chunkshape: tuple[int, ...]
    blockshape: tuple[int, ...]


@dataclass(frozen=True)
class Blosc2(ForeignCodec):
    """Blosc2 frames. No parameters."""

    name: ClassVar[str] = "virtualizarr.blosc2"

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        header = self._header(data)
        layout = self._b2nd(data[: header.header_size])
        self._check_sizes(
            header, layout, UNKNOWN_SIZE_LIMIT if nbytes is None else capacity(nbytes)
        )
        chunk = self._chunk(data, header)
        if layout is None:
            return chunk[: header.uncompressed_size]
        return self._unblocked(chunk, layout, header.typesize)

    def _check_sizes(self, header: FrameHeader, layout: B2nd | None, limit: int) -> None:
        """Raise `CorruptFileError` if the frame declares more than `limit` bytes."""
        rank = 0 if layout is None else len(layout.shape)
        size = 0 if layout is None else prod(layout.shape) * header.typesize
        self.require(size <= limit, f"the frame declares {size} bytes, at most {limit} fit")
        stored = max(header.uncompressed_size, header.chunksize)
        overhang = limit << rank  # the blocks of a b2nd chunk may reach past each axis
        self.require(stored <= overhang, f"the frame declares {stored} bytes, of {overhang}")
        if header.chunksize < header.uncompressed_size:
            raise UnsupportedFeatureError(f"codec {self.name}: a frame of several Blosc2 chunks")

    def _header(self, data: Octets) -> FrameHeader:
        self.require(data.size >= HEADER.size, f"{data.size} bytes cannot hold a frame")
        self.require(data[: len(MAGIC)].tobytes() == MAGIC, "the chunk is not a Blosc2 frame")
        header = FrameHeader(*HEADER.unpack_from(data))
        self.require(HEADER.size <= header.header_size <= data.size, "the frame is cut short")
        self.require(0 < header.typesize <= MAX_TYPESIZE, f"typesize is {header.typesize}")
        sizes = (header.uncompressed_size, header.compressed_size, header.chunksize)
        self.require(min(sizes) >= 0, "the frame declares a negative size")
        return header

    def _b2nd(self, header: Octets) -> B2nd | None:
        """Return the shapes of a b2nd frame; None of a plain one."""
        raw = header.tobytes()
        entry = raw.find(B2ND_ENTRY, HEADER.size)
        if entry < 0:
            return None
        after = entry + len(B2ND_ENTRY)
        content = int.from_bytes(raw[after : after + 4], "big") + 5  # past the marker of `bin 32`
        rank = raw[content + 2] if content + 2 < len(raw) else 0
        self.require(0 < rank <= MAX_RANK, f"a b2nd array of {rank} dimensions")
        layout = struct.Struct(">3x" + f"x{'xq' * rank}" + f"x{'xi' * rank}" * 2)
        self.require(content + layout.size <= len(raw), "the b2nd metalayer is cut short")
        values = layout.unpack_from(raw, content)
        shapes = B2nd(values[:rank], values[rank : 2 * rank], values[2 * rank :])
        for shape, chunk, block in zip(*self._axes(shapes), strict=True):
            self.require(0 < block <= chunk and 0 < shape <= chunk, "b2nd shapes contradict")
        return shapes

    @staticmethod
    def _axes(shapes: B2nd) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return shapes.shape, shapes.chunkshape, shapes.blockshape

    def _chunk(self, data: Octets, header: FrameHeader) -> Octets:
        """Return the content of the frame's only chunk."""
        if header.compressed_size == 0:
            return self._special(data, header)
        chunk = data[header.header_size :]
        size = self._checked_chunk(chunk, header.chunksize)
        out = np.empty(size, np.uint8)
        decoded = octets(self.imagecodecs("blosc2_decode", chunk, out=out.data))
        self.require(decoded.size == size, f"{decoded.size} of {size} bytes decoded")
        return decoded

    def _special(self, data: Octets, header: FrameHeader) -> Octets:
        """Return a chunk that is not stored, only named in the frame's table of offsets."""
        offsets = data[header.header_size :]
        out = np.empty(self._checked_chunk(offsets, 8), np.uint8)
        kind = int(octets(self.imagecodecs("blosc2_decode", offsets, out=out.data))[-1])
        if kind in (SPECIAL_ZERO, SPECIAL_UNINITIALISED):
            return np.zeros(header.chunksize, np.uint8)
        self.require(kind == SPECIAL_NAN and header.typesize in (4, 8), f"special chunk {kind:#x}")
        nan = np.full(header.chunksize // header.typesize, np.nan, f"<f{header.typesize}")
        return octets(nan)

    def _checked_chunk(self, chunk: Octets, expected: int) -> int:
        """Return the size that a Blosc2 chunk declares, which must be what the frame says."""
        self.require(chunk.size >= CHUNK_HEADER.size, "a Blosc2 chunk is cut short")
        nbytes, _, cbytes = CHUNK_HEADER.unpack_from(chunk)
        self.require(0 < cbytes <= chunk.size, f"a Blosc2 chunk declares {cbytes} bytes")
        self.require(nbytes == expected, f"a Blosc2 chunk holds {nbytes} bytes, not {expected}")
        return expected

    def _unblocked(self, chunk: Octets, layout: B2nd, typesize: int) -> Octets:
        """Return the elements of a b2nd chunk in C order, without the padding of its blocks."""
        blocks = [-(-c // b) for c, b in zip(layout.chunkshape, layout.blockshape, strict=True)]
        size = prod(blocks) * prod(layout.blockshape) * typesize
        self.require(chunk.size == size, f"a b2nd chunk holds {chunk.size} bytes, not {size}")
        rank = len(blocks)
        grid: Any = chunk.view(f"V{typesize}").reshape(*blocks, *layout.blockshape)
        order = [axis for pair in ((n, rank + n) for n in range(rank)) for axis in pair]
        full = grid.transpose(order).reshape(
            [n * b for n, b in zip(blocks, layout.blockshape, strict=True)]
        )
        return octets(np.ascontiguousarray(full[tuple(slice(n) for n in layout.shape)]))


class Blosc2Codec(ZarrTwin, of=Blosc2):
    """Zarr v3 codec `virtualizarr.blosc2`."""


class Blosc2Numcodec(NumcodecsTwin, of=Blosc2):
    """numcodecs codec `virtualizarr.blosc2`."""
