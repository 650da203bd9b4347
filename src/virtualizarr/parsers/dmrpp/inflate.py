"""Values that a document holds itself: base64, and zlib within it."""

from __future__ import annotations

import base64
import binascii
import zlib

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

SPARE_BYTES = 16 * 1024 * 1024
MAX_GROWTH = 4
"""How many times the bytes of the document its values may take beyond `SPARE_BYTES`."""


def check_growth(nbytes: int, document: int) -> None:
    """Raise UnsupportedFeatureError for values out of proportion to a document's bytes."""
    if nbytes > SPARE_BYTES + MAX_GROWTH * document:
        raise UnsupportedFeatureError(
            f"holds values of {nbytes:,} bytes in a document of {document:,}"
        )


def decode_base64(text: str) -> bytes:
    """Return what base64 stands for, line breaks and all; CorruptFileError if it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CorruptFileError(f"values are not base64: {error}") from error


def inflate(data: bytes, size: int) -> bytes:
    """Return the `size` bytes that a zlib stream holds; CorruptFileError if it holds others."""
    decoder = zlib.decompressobj()
    try:
        found = decoder.decompress(data, size + 1)
    except zlib.error as error:
        raise CorruptFileError(f"values do not decompress: {error}") from error
    if len(found) != size:
        more = "more" if len(found) > size else str(len(found))
        raise CorruptFileError(f"values decompress to {more} bytes, {size} are declared")
    return found


def decode_text(data: bytes) -> str:
    """Return stored text, Latin-1 if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
