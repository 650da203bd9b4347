"""`ObjectStoreRegistry` under its import path of VirtualiZarr 2.x; it lives in obspec_utils."""

from obspec_utils.registry import ObjectStoreRegistry

__all__ = ["ObjectStoreRegistry"]
