"""The axes of ImageJ's stacks, which its description tells."""

from __future__ import annotations

from math import prod

AXES = (("frames", "t"), ("slices", "z"), ("channels", "c"))
"""Keys of the description and what we call the axes, slowest first."""


def keys_of(description: str | None) -> dict[str, int]:
    """Return the numbers in an ImageJ description, by key; empty for any other text."""
    if description is None or not description.startswith("ImageJ="):
        return {}
    pairs = (line.partition("=") for line in description.splitlines())
    return {key: int(value) for key, _, value in pairs if value.isdecimal() and len(value) < 10}


def axes_of(description: str | None, pages: int) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
    """Return names and lengths of the axes that `pages` planes make up; None if they do not."""
    keys = keys_of(description)
    known = [(name, keys[key]) for key, name in AXES if keys.get(key, 1) > 1]
    lengths = tuple(length for _, length in known)
    if not known or prod(lengths) != pages:
        return None
    return tuple(name for name, _ in known), lengths
