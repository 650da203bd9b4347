"""Array metadata as parsers written for VirtualiZarr 2.x make them, at the path that 2.x gave it."""

from virtualizarr.model.zarr_bridge import create_v3_array_metadata

__all__ = ["create_v3_array_metadata"]
