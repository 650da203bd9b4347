"""`ChunkManifest` and its entries under their import path of VirtualiZarr 2.x."""

from __future__ import annotations

from typing import TypedDict

from virtualizarr.model import ChunkManifest

__all__ = ["ChunkEntry", "ChunkManifest"]


class ChunkEntry(TypedDict):
    """One reference in the dict form of a manifest; `offset` and `length` are in bytes."""

    path: str
    offset: int
    length: int
