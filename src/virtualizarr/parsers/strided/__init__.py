"""Raw data as virtual arrays: what ENVI, NIfTI, NPY and their like share.

A format's header comes down to a `RawImage`; `read_presence` checks that its file holds it, and
`array_of` cuts it into chunks.
"""

from virtualizarr.parsers.strided.build import array_of
from virtualizarr.parsers.strided.layout import MAX_LENGTH, RawImage, checked, packed_strides
from virtualizarr.parsers.strided.presence import read_presence

__all__ = [
    "MAX_LENGTH",
    "RawImage",
    "array_of",
    "checked",
    "packed_strides",
    "read_presence",
]
