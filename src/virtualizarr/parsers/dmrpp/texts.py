"""Variables of text: fixed strings in the data file, or texts that the document holds."""

from __future__ import annotations

from math import prod

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray
from virtualizarr.parsers.dmrpp.build import Shown, array_of, inline_array, inline_texts
from virtualizarr.parsers.dmrpp.chunks import read_placed
from virtualizarr.parsers.dmrpp.context import Context, read_pieces
from virtualizarr.parsers.dmrpp.elements import text_element
from virtualizarr.parsers.dmrpp.fill import text_fill
from virtualizarr.parsers.dmrpp.inflate import check_growth, decode_base64, decode_text, inflate
from virtualizarr.parsers.dmrpp.layout import FixedStrings, Pieces, Text, Variable
from virtualizarr.source.reading import Reading

DESCRIPTOR_SIZES = (12, 16)
"""Bytes of HDF5's reference to a string of variable length: its length, address and index."""


def read_text_array(context: Context, variable: Variable, shown: Shown) -> Reading[ManifestArray]:
    """Return a variable of texts.

    Strings of variable length whose text the document does not hold are refused, as their bytes are
    references into HDF5's heap.
    """
    storage = variable.storage
    if storage.missingdata is not None:
        raise UnsupportedFeatureError("dmrpp:missingdata of text")
    if storage.vlsa is not None:
        return inline_texts(shown, _texts(context, storage.vlsa))
    if storage.compact is not None:
        return _compact(variable, shown, decode_base64(storage.compact))
    fixed = storage.fixed_strings
    if fixed is None:
        fixed = yield from _read_fixed(context, variable)
    element = text_element(fixed)
    placed = yield from read_placed(context, variable, element.size)
    return array_of(shown, element, placed, text_fill(variable))


def _texts(context: Context, given: tuple[Text, ...]) -> list[tuple[str, int]]:
    """Return texts and their repetitions, of a size that the document warrants."""
    sizes = [each.size if each.size is not None else len(each.text) for each in given]
    counts = [each.times for each in given]
    check_growth(sum((s + 4) * n for s, n in zip(sizes, counts, strict=True)), context.size)
    return [
        (text if size is None else decode_text(inflate(decode_base64(text), size)), count)
        for text, count, size in given
    ]


def _compact(variable: Variable, shown: Shown, data: bytes) -> ManifestArray:
    fixed = variable.storage.fixed_strings
    if fixed is None:
        if prod(shown.shape) != 1:
            raise UnsupportedFeatureError("dmrpp:compact of strings of unknown lengths")
        return inline_texts(shown, [(decode_text(data.rstrip(b"\0")), 1)])
    element = text_element(fixed)
    if len(data) != prod(shown.shape) * element.size:
        raise CorruptFileError(f"{len(data)} bytes of text for the shape {shown.shape}")
    return inline_array(shown, element.decoded(data)) if data else inline_texts(shown, [])


def _read_fixed(context: Context, variable: Variable) -> Reading[FixedStrings]:
    """Return the length of strings for which the document gives none, from the bytes of them all.

    What fills up short ones is not known then. A round is spent only on strings that are as long as
    references into HDF5's heap.
    """
    storage, count = variable.storage, prod(variable.shape)
    pieces = storage.chunks
    if pieces is None and storage.blocks is None:
        return FixedStrings(max(len(text_fill(variable)), 1), "null_pad")
    whole = storage.chunk_shape is None and pieces is not None and len(pieces) == 1
    if pieces is None or not whole or storage.filters or not count:
        raise UnsupportedFeatureError("the document does not tell how long its strings are")
    length, rest = divmod(int(pieces.length[0]), count)
    if rest or not length:
        raise CorruptFileError(f"{int(pieces.length[0])} bytes hold {count} strings")
    if length in DESCRIPTOR_SIZES:
        yield from _check_text(context, pieces, length)
    return FixedStrings(length, "not_set")


def _check_text(context: Context, pieces: Pieces, length: int) -> Reading[None]:
    """Raise UnsupportedFeatureError if strings are references to strings elsewhere.

    These have zero bytes before others, which fixed strings have not.
    """
    check_growth(int(pieces.length[0]), context.size)
    (data,) = yield from read_pieces(context, pieces, np.arange(1))
    strings = np.frombuffer(data, np.uint8).reshape(-1, length)
    ended = np.logical_or.accumulate(strings == 0, axis=1)
    if (ended & (strings != 0)).any() or not strings.any():
        raise UnsupportedFeatureError(
            "strings of variable length, which lie in the HDF5 file's heap; make the document anew"
            " with a version of Hyrax that writes them into it"
        )
