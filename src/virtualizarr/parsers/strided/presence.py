"""Whether a file holds all of its data."""

from __future__ import annotations

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.strided.layout import RawImage, checked
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading


def read_presence(image: RawImage, url: str, node: str) -> Reading[RawImage]:
    """Return the image checked; where its file's size is not known, its last byte is asked for."""
    checked(image, node)
    if image.location.size is not None or image.end == 0:
        return image
    last = ByteRange(image.end - 1, image.end)
    where = image.location.url
    (answer,) = yield [last] if where == url else [Elsewhere(where, read_range(last))]
    if isinstance(answer, VirtualizeError):
        raise answer
    if not len(answer):
        raise CorruptFileError(
            f"the file is truncated: the data end at byte {image.end:,}", node=node
        )
    return image


def read_range(wanted: ByteRange) -> Reading[memoryview]:
    """Read some bytes."""
    (answer,) = yield [wanted]
    found: memoryview = answer
    return found
