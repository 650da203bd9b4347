"""What a side found, in a form that both share: per variable, how many references, and sums."""

from __future__ import annotations

from typing import Any

import numpy as np


def of_dataset(dataset: Any) -> dict[str, list[int]]:
    """Return {variable: [references, sum of offsets, sum of lengths]} of a virtual dataset."""
    return {
        str(name): of_manifest(variable.data.manifest)
        for name, variable in sorted(dataset.variables.items(), key=lambda item: str(item[0]))
        if hasattr(variable.data, "manifest")
    }


def of_manifest(manifest: Any) -> list[int]:
    """Return [references, sum of offsets, sum of lengths]."""
    if hasattr(manifest, "from_columns"):
        present = np.asarray(manifest.length) > 0
        total = int(np.count_nonzero(present))
        return [total, int(np.sum(manifest.offset)), int(np.sum(manifest.length, dtype="u8"))]
    entries = [entry for entry in manifest.dict().values() if entry["length"]]
    return [
        len(entries),
        sum(int(entry["offset"]) for entry in entries),
        sum(int(entry["length"]) for entry in entries),
    ]


def of_tree(tree: Any) -> dict[str, list[int]]:
    """Return the same for a virtual DataTree, by path."""
    return {
        f"{node.path}/{name}": found
        for node in tree.subtree
        for name, found in of_dataset(node.to_dataset(inherit=False)).items()
    }


def peer_registry() -> Any:
    """Return a registry of local files, as VirtualiZarr 2 demands one."""
    from obspec_utils.registry import ObjectStoreRegistry
    from obstore.store import LocalStore

    return ObjectStoreRegistry({"file://": LocalStore()})
