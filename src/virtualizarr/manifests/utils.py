"""Array metadata as parsers written for VirtualiZarr 2.x make them, at its path in 2.x."""

from virtualizarr.model.zarr_bridge import create_v3_array_metadata

__all__ = ["create_v3_array_metadata"]
