"""Names and texts that any JSON document can hold."""

from __future__ import annotations

from virtualizarr.parsers.naming import addressable


def node_name(text: str) -> str:
    """Return what a node of the tree, or a dimension, is called that HDF5 calls `text`."""
    return addressable(readable(text))


def readable(text: str) -> str:
    """Return a text decoded from UTF-8 with surrogate escapes; as Latin-1 if it has any."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    return text
