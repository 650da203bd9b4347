"""`ManifestArray` under its import path of VirtualiZarr 2.x."""

from virtualizarr.model import ManifestArray

__all__ = ["ManifestArray"]
