"""JPEG-LS images, HDF5's registered filter 32018 (FCIDECOMP, of EUMETSAT's MTG products).

Specification: ISO/IEC 14495-1. A chunk is one codestream, whose samples lie as in the chunk: plane
by plane, or pixel by pixel where its scan interleaves them; of two octets, the lower one first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
PREFIX, SOF_55, SOS = 0xFF, 0xF7, 0xDA
HEAD = 10
"""Octets of a frame header that are used: marker, length, precision, lines, samples, components."""

MAX_SEGMENTS = 64
UNKNOWN_SIZE_LIMIT = 1 << 31


class Frame(NamedTuple):
    """What the headers of a codestream declare; `by_plane` says that scans have one component."""

    precision: int
    lines: int
    samples: int
    components: int
    by_plane: bool

    @property
    def nbytes(self) -> int:
        width = 2 if self.precision > 8 else 1
        return self.lines * self.samples * self.components * width


@dataclass(frozen=True)
class JpegLs(ForeignCodec):
    """JPEG-LS codestreams. No parameters.

    CharLS reads on behind the end of a stream that was altered: seconds pass until its error. So
    one without its end is refused at once.
    """

    name: ClassVar[str] = "virtualizarr.jpegls"

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        frame = self._frame(data)
        limit = UNKNOWN_SIZE_LIMIT if nbytes is None else capacity(nbytes)
        size = frame.nbytes
        self.require(size <= limit, f"the image has {size} bytes, at most {limit} fit")
        image = np.asarray(self.imagecodecs("jpegls_decode", data.tobytes()))
        self.require(image.nbytes == size, f"{image.nbytes} bytes decoded of {size}")
        if image.ndim == 3 and frame.by_plane:
            image = np.moveaxis(image, 2, 0)
        return octets(np.ascontiguousarray(image))

    def _frame(self, data: Octets) -> Frame:
        """Return what the segments before the first scan's samples declare."""
        self.require(data[:2].tobytes() == SOI, "no start of an image")
        self.require(data[-2:].tobytes() == EOI, "the codestream is cut short")
        at, frame = len(SOI), (0, 0, 0, 0)
        for _ in range(MAX_SEGMENTS):
            head = data[at : at + HEAD].tobytes()
            self.require(len(head) == HEAD, "the codestream ends inside its header")
            self.require(head[0] == PREFIX, f"no marker at byte {at}")
            if head[1] == SOF_55:
                frame = struct.unpack_from(">BHHB", head, 4)
            if head[1] == SOS:
                self.require(all(frame), f"a frame of {frame}")
                return Frame(*frame, by_plane=head[4] == 1)
            at += 2 + int.from_bytes(head[2:4], "big")
        raise self.corrupt(f"{MAX_SEGMENTS} segments before the first scan")


class JpegLsCodec(ZarrTwin, of=JpegLs):
    """Zarr v3 codec `virtualizarr.jpegls`."""


class JpegLsNumcodec(NumcodecsTwin, of=JpegLs):
    """numcodecs codec `virtualizarr.jpegls`."""
