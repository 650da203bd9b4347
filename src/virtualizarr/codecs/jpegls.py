"""JPEG-LS images, HDF5's registered filter 32018 (FCIDECOMP, of EUMETSAT's MTG products).

Specification: ISO/IEC 14495-1. A chunk is one codestream, whose samples lie as in the chunk: plane
by plane, or pixel by pixel where its scan interleaves them; of two octets, the lower one first.

CharLS, which decodes them, does not stop at the end of a scan that was altered: it goes on for up
to ten seconds. So each scan is decoded twice before, with bits behind it that let it end at once;
where these show in the image, the scan is too short.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin
from virtualizarr.errors import CorruptFileError

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
PREFIX, SOF_55, SOS, DRI = 0xFF, 0xF7, 0xDA, 0xDD
MARKER_FROM = 0x80
"""Octets from here on make a marker of a `PREFIX` before them; samples have a bit stuffed there."""

MAX_SEGMENTS = 64
UNKNOWN_SIZE_LIMIT = 1 << 31

PADDINGS = b"\x55", b"\xaa"
"""Each keeps codes short and holds no marker; no bit of one is that of the other."""

PADDING_PER_SAMPLE = 5
"""Octets that a sample takes of them at most: 16 bits of a run, 18 of the sample that ends it."""


class Frame(NamedTuple):
    """What the frame header of a codestream declares."""

    precision: int
    lines: int
    samples: int
    components: int

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        return np.dtype("<u2" if self.precision > 8 else "u1")

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the image as it is decoded: components come last."""
        plane = self.lines, self.samples
        return plane if self.components == 1 else (*plane, self.components)

    @property
    def size(self) -> int:
        return self.lines * self.samples * self.components


class Header(NamedTuple):
    """What precedes the first scan: its frame, that segment, and all the others."""

    frame: Frame
    frame_segment: bytes
    others: bytes
    stop: int

    def of_component(self, number: int) -> bytes:
        """Return the start of a codestream that has one component of this one only."""
        given = self.frame_segment
        start = 10 + 3 * number
        component = given[start : start + 3]
        frame = given[:2], (11).to_bytes(2), given[4:9], b"\x01", component
        return b"".join((SOI, *frame, self.others))


@dataclass(frozen=True)
class JpegLs(ForeignCodec):
    """JPEG-LS codestreams. No parameters.

    Scans with restart intervals are refused: no writer of this filter makes them, and they would
    have to be padded one by one.
    """

    name: ClassVar[str] = "virtualizarr.jpegls"

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        limit = UNKNOWN_SIZE_LIMIT if nbytes is None else capacity(nbytes)
        header = self._header(data)
        frame = header.frame
        size = frame.size * frame.dtype.itemsize
        self.require(size <= limit, f"the image has {size} bytes, at most {limit} fit")
        scans = self._scans(data, header.stop)
        if len(scans) == 1:
            return octets(self._image(frame, data.tobytes()))
        few = f"{len(scans)} scans of {frame.components} components"
        self.require(len(scans) == frame.components, few)
        plane = frame._replace(components=1)
        streams = (header.of_component(number) + scan for number, scan in enumerate(scans))
        return np.concatenate([octets(self._image(plane, stream + EOI)) for stream in streams])

    def _image(self, frame: Frame, stream: bytes) -> npt.NDArray[np.unsignedinteger]:
        """Return the image of one scan; `CorruptFileError` where it has fewer samples, or more."""
        first, second = (self._padded(frame, stream, padding) for padding in PADDINGS)
        self.require(np.array_equal(first, second), "the codestream ends before its image does")
        image = np.asarray(self.imagecodecs("jpegls_decode", stream))
        made = image.shape, image.dtype
        self.require(made == (frame.shape, frame.dtype), f"{made} was decoded for {frame}")
        return image

    def _padded(
        self, frame: Frame, stream: bytes, padding: bytes
    ) -> npt.NDArray[np.unsignedinteger]:
        """Return what is decoded until an error; that bits are left over is one."""
        image = np.zeros(frame.shape, frame.dtype)
        behind = padding * (PADDING_PER_SAMPLE * frame.size)
        with suppress(CorruptFileError):
            padded = b"".join((stream[: -len(EOI)], behind, EOI))
            self.imagecodecs("jpegls_decode", padded, out=image)
        return image

    def _header(self, data: Octets) -> Header:
        self.require(data[: len(SOI)].tobytes() == SOI, "no start of an image")
        self.require(data[-len(EOI) :].tobytes() == EOI, "the codestream is cut short")
        at, frame_segment = len(SOI), b""
        others: list[bytes] = []
        for _ in range(MAX_SEGMENTS):
            marker, segment = self._segment(data, at)
            self.require(marker != DRI, "restart intervals, which are not read")
            if marker == SOS:
                return Header(self._frame(frame_segment), frame_segment, b"".join(others), at)
            if marker == SOF_55:
                self.require(not frame_segment, "a second frame")
                frame_segment = segment
            else:
                others.append(segment)
            at += len(segment)
        raise self.corrupt(f"{MAX_SEGMENTS} segments before the first scan")

    def _scans(self, data: Octets, at: int) -> list[bytes]:
        """Return all scans from `at` on, each with its header, without the end of the image."""
        scans = []
        ends = np.flatnonzero((data[:-1] == PREFIX) & (data[1:] >= MARKER_FROM))
        last = data.size - len(EOI)
        while at < last:
            marker, header = self._segment(data, at)
            self.require(marker == SOS, f"the marker {marker:#x} behind a scan, at byte {at}")
            end = int(ends[np.searchsorted(ends, at + len(header))])
            scans.append(data[at:end].tobytes())
            at = end
        return scans

    def _frame(self, segment: bytes) -> Frame:
        """Return what a frame header declares."""
        self.require(len(segment) >= 10, "no frame, or one cut short")
        lines, samples = int.from_bytes(segment[5:7]), int.from_bytes(segment[7:9])
        frame = Frame(segment[4], lines, samples, segment[9])
        whole = all(frame) and len(segment) == 10 + 3 * frame.components
        self.require(whole, f"a {frame} of {len(segment)} bytes")
        return frame

    def _segment(self, data: Octets, at: int) -> tuple[int, bytes]:
        """Return the second octet of the marker at `at`, and its whole segment."""
        head = data[at : at + 4].tobytes()
        self.require(len(head) == 4 and head[0] == PREFIX, f"no marker segment at byte {at}")
        stop = at + 2 + int.from_bytes(head[2:])
        self.require(at + 4 <= stop <= data.size - len(EOI), f"the segment at byte {at} is cut")
        return head[1], data[at:stop].tobytes()


class JpegLsCodec(ZarrTwin, of=JpegLs):
    """Zarr v3 codec `virtualizarr.jpegls`."""


class JpegLsNumcodec(NumcodecsTwin, of=JpegLs):
    """numcodecs codec `virtualizarr.jpegls`."""
