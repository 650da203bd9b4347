"""Lines of VICAR images under BASIC compression (VICAR run-time library, "basic compression").

The bytes of a line, plane by plane (all low bytes, then all high ones), as differences to the byte
before, runs and bytes as they are, in codes of 3 bits and more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin

ESCAPE, LONG_RUN, LONGER_RUN = 7, 15, 255
SHORTEST_RUN = 4
MAX_SAMPLES = 1 << 31


@dataclass(frozen=True)
class VicarBasic(ForeignCodec):
    """`samples` of `width` bytes each in a chunk, which is one record of the image."""

    name: ClassVar[str] = "virtualizarr.vicar_basic"
    samples: int
    width: int

    def __post_init__(self) -> None:
        self.require_integers(samples=(1, MAX_SAMPLES), width=(1, 8))

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        total = self.samples * self.width
        self.require(nbytes in (None, total), f"{total} bytes for a chunk of {nbytes}")
        planes = np.frombuffer(self._values(data, total), np.uint8)
        return np.ascontiguousarray(planes.reshape(self.width, self.samples).T).reshape(-1)

    def _values(self, data: Octets, total: int) -> bytearray:
        """Return the bytes in the order in which they are encoded."""
        stream = data.tobytes()
        size = len(stream) * 8
        out = bytearray()
        at = value = 0

        def take(count: int) -> int:
            nonlocal at
            if at + count > size:
                raise self.corrupt(f"the record ends after {len(out)} of {total} bytes")
            first = at >> 3
            word = int.from_bytes(stream[first : first + 3].ljust(3, b"\0"))
            found = word >> (24 - (at & 7) - count) & ((1 << count) - 1)
            at += count
            return found

        while len(out) < total:
            code = take(3)
            if code != ESCAPE:
                value = value + code - 3 & 0xFF
                out.append(value)
            elif take(1):
                run = take(4)
                if run == LONG_RUN:
                    run = take(8)
                    if run == LONGER_RUN:
                        run = take(8) | take(8) << 8 | take(8) << 16
                    else:
                        run += LONG_RUN
                code = take(3)
                value = value + code - 3 & 0xFF if code != ESCAPE else take(8)
                out += bytes((value,)) * min(run + SHORTEST_RUN, total - len(out))
            else:
                value = take(8)
                out.append(value)
        return out


class VicarBasicCodec(ZarrTwin, of=VicarBasic):
    """Zarr v3 codec `virtualizarr.vicar_basic`."""


class VicarBasicNumcodec(NumcodecsTwin, of=VicarBasic):
    """numcodecs codec `virtualizarr.vicar_basic`."""
