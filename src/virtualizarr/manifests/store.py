"""`ManifestStore` under its import path of VirtualiZarr 2.x."""

from virtualizarr.store import ManifestStore

__all__ = ["ManifestStore"]
