"""The order of filters in documents of before there was a `dmrpp:version`.

They do not tell it. Hyrax takes shuffle, deflate and fletcher32 in this order; netCDF-4 applies
fletcher32 first. A checksum at the end of a stored chunk tells which it was.
"""

from __future__ import annotations

import zlib

import numpy as np
from numcodecs.fletcher32 import Fletcher32

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.dmrpp.context import Context, read_pieces
from virtualizarr.parsers.dmrpp.layout import Storage
from virtualizarr.source.reading import Reading

CHECKSUM = "fletcher32"
LARGEST_CHUNK = 16 * 1024 * 1024


def read_filter_order(context: Context, storage: Storage) -> Reading[tuple[str, ...]]:
    """Return the filters in the order in which they were applied.

    A round is spent only where the document leaves it open. Where no chunk can be read, the order
    is Hyrax's; a wrong one shows when a chunk is decoded. Raises CorruptFileError if the chunk is
    what no order makes: the data file is not the one that the document was made for.
    """
    names, pieces = storage.filters, storage.chunks
    if storage.ordered or CHECKSUM not in names or len(names) < 2 or pieces is None:
        return names
    smallest = int(pieces.length.argmin())
    if not 0 < int(pieces.length[smallest]) <= LARGEST_CHUNK or pieces.linked is not None:
        return names
    try:
        (data,) = yield from read_pieces(context, pieces, np.array([smallest]))
    except VirtualizeError:
        return names
    if _ends_in_checksum(data):
        return names
    if names[-2:] == ("deflate", CHECKSUM) and not _is_zlib(data):
        raise CorruptFileError(
            "a stored chunk cannot be what the document says: it was made for another file",
            at=int(pieces.offset[smallest]),
        )
    return (CHECKSUM, *(name for name in names if name != CHECKSUM))


def _ends_in_checksum(data: bytes) -> bool:
    try:
        Fletcher32().decode(data)
    except (RuntimeError, ValueError):
        return False
    return True


def _is_zlib(data: bytes) -> bool:
    decoder = zlib.decompressobj()
    try:
        decoder.decompress(data, LARGEST_CHUNK)
    except zlib.error:
        return False
    return True
