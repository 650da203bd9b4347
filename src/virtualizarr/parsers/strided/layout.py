"""What headers of raw data come down to: numbers of one kind at even distances in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.codecs.strided import are_apart, reach
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import Location

MAX_LENGTH = 1 << 40
MAX_SPAN = 1 << 62


@dataclass(frozen=True, slots=True)
class RawImage:
    """Numbers that lie in `location` from byte `offset` on.

    `dtype` has the stored byte order; `shape` and `strides` are in the order of `dims`. Strides are
    in bytes, and in bits where `bits` is the width of a number of less than a byte. `form` names a
    format of the VAX (see `codecs.strided`). With `gzip`, offset and strides are those in the
    decompressed file.
    """

    location: Location
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dims: tuple[str, ...]
    bits: int = 0
    form: str = ""
    gzip: bool = False

    @property
    def unit(self) -> int:
        """The size of a stored number, in the unit of the strides."""
        return self.bits if self.bits else self.dtype.itemsize

    @property
    def begin(self) -> int:
        """The offset of the number that comes first in the file, in bytes (floor)."""
        before = reach(self.shape, self.strides)[0]
        return self.offset + (before // 8 if self.bits else before)

    @property
    def end(self) -> int:
        """The offset just past the number that comes last in the file, in bytes (ceiling)."""
        if 0 in self.shape:
            return self.offset
        last = reach(self.shape, self.strides)[1] + self.unit
        return self.offset + (-(-last // 8) if self.bits else last)


def checked(image: RawImage, node: str) -> RawImage:
    """Return the image if its numbers lie within its file and do not overlap.

    Raises CorruptFileError naming `node` where they do not; where the file's size is not known,
    only that they do not overlap is checked. UnsupportedFeatureError for a gzipped file whose size
    is not known: it cannot be referred to.
    """
    if image.gzip and image.location.size is None:
        raise UnsupportedFeatureError("a gzipped file whose size is not known", node=node)
    if any(not 0 <= n <= MAX_LENGTH for n in image.shape):
        raise CorruptFileError(f"the array's shape is {image.shape}", node=node)
    if image.begin < 0 or not 0 <= image.end <= MAX_SPAN:
        raise CorruptFileError(
            f"the data would lie from byte {image.begin} to {image.end}", node=node
        )
    if 0 not in image.shape and not are_apart(image.shape, image.strides, image.unit):
        raise CorruptFileError(
            f"numbers of {image.unit} at distances of {image.strides} would overlap", node=node
        )
    size = image.location.size
    if size is not None and not image.gzip and image.end > size:
        raise CorruptFileError(
            f"the file is truncated: the data end at byte {image.end:,}, the file that holds them "
            f"({image.location.url.rpartition('/')[2]}) at {size:,}",
            node=node,
            at=size,
        )
    return image


def packed_strides(lengths: Mapping[str, int], order: Sequence[str], unit: int) -> dict[str, int]:
    """Return the stride of each axis, stored one after the other; `order` has the slowest first."""
    strides: dict[str, int] = {}
    step = unit
    for axis in reversed(order):
        strides[axis] = step
        step *= max(lengths[axis], 1)
    return strides
