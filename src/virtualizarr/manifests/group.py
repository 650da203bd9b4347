"""`ManifestGroup` under its import path of VirtualiZarr 2.x."""

from virtualizarr.model import ManifestGroup

__all__ = ["ManifestGroup"]
