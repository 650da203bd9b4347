"""Names of objects in files as names of Zarr nodes."""

from __future__ import annotations

SEPARATORS = str.maketrans({"/": "_", "\\": "_"})


def addressable(name: str) -> str:
    """Return a name under which zarr finds a node.

    It takes slashes for separators, and backslashes for slashes: they become underscores.
    """
    return name.translate(SEPARATORS) if "/" in name or "\\" in name else name
