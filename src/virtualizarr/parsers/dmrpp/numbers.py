"""Variables of numbers, and of opaque bytes."""

from __future__ import annotations

from math import prod

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray
from virtualizarr.parsers.dmrpp.build import Shown, array_of, inline_array
from virtualizarr.parsers.dmrpp.chunks import read_placed
from virtualizarr.parsers.dmrpp.context import Context
from virtualizarr.parsers.dmrpp.elements import Element, element_of, number_of
from virtualizarr.parsers.dmrpp.fill import number_fill
from virtualizarr.parsers.dmrpp.inflate import check_growth, decode_base64, inflate
from virtualizarr.parsers.dmrpp.layout import Variable
from virtualizarr.source.reading import Reading

MAX_OPAQUE = 1 << 31


def read_number_array(context: Context, variable: Variable, shown: Shown) -> Reading[ManifestArray]:
    """Return a variable of numbers; values that the document holds become an inline chunk."""
    storage = variable.storage
    if storage.vlsa is not None or storage.specialstructuredata is not None:
        raise CorruptFileError(f"is of type {variable.type}, and its values are text")
    if storage.compact is not None or storage.missingdata is not None:
        return _held(context, variable, shown)
    if variable.type == "Opaque":
        element = _opaque(variable)
        placed = yield from read_placed(context, variable, element.size)
        return array_of(shown, element, placed, None)
    element = element_of(variable)
    placed = yield from read_placed(context, variable, element.size)
    fill = number_fill(variable, certain=not placed.complete)
    return array_of(shown, element, placed, fill)


def _held(context: Context, variable: Variable, shown: Shown) -> ManifestArray:
    """Return values of `dmrpp:compact` or `dmrpp:missingdata`, which are little-endian.

    The latter are a zlib stream, but for a single value.
    """
    dtype, storage = number_of(variable), variable.storage
    if dtype is None:
        raise UnsupportedFeatureError(f"the document holds values of type {variable.type}")
    nbytes = prod(shown.shape) * dtype.itemsize
    check_growth(nbytes, context.size)
    if storage.compact is not None:
        data = decode_base64(storage.compact)
    else:
        assert storage.missingdata is not None
        data = decode_base64(storage.missingdata)
        if prod(shown.shape) != 1 or len(data) != nbytes:
            data = inflate(data, nbytes)
    if len(data) != nbytes:
        raise CorruptFileError(f"{len(data)} bytes of values for the shape {shown.shape}")
    return inline_array(shown, np.frombuffer(data, dtype))


def _opaque(variable: Variable) -> Element:
    """Return the element of opaque values, whose size the bytes of a chunk tell."""
    storage, pieces = variable.storage, variable.storage.chunks
    shape = storage.chunk_shape if storage.chunk_shape is not None else variable.shape
    count = prod(shape)
    if pieces is None or storage.filters or not count:
        raise UnsupportedFeatureError("the document does not tell how long its opaque values are")
    size, rest = divmod(int(pieces.length[0]), count)
    if rest or not 0 < size <= MAX_OPAQUE:
        raise CorruptFileError(f"{int(pieces.length[0])} bytes hold {count} opaque values")
    return Element(size, np.dtype(f"V{size}"))
