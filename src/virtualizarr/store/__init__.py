"""A `ManifestGroup` seen as a read-only Zarr store.

`nodes` finds what a key means, `documents` writes the `zarr.json` files, `chunks` fetches the
bytes referred to and checks them, `manifest_store` is the store that zarr sees.
"""

from virtualizarr.store.manifest_store import ManifestStore

__all__ = ["ManifestStore"]
