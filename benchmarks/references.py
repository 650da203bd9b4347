"""What a side found, in a form that all sides share: references per variable, and sums."""

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
    present = np.asarray(manifest._paths) != ""  # the numbers of missing chunks are not set
    offsets, lengths = (np.where(present, c, 0) for c in (manifest._offsets, manifest._lengths))
    return [int(np.count_nonzero(present)), int(offsets.sum()), int(lengths.sum())]


def of_tree(tree: Any) -> dict[str, list[int]]:
    """Return the same for a virtual DataTree, by path."""
    return {
        f"{node.path.rstrip('/')}/{name}": found
        for node in tree.subtree
        for name, found in of_dataset(node.to_dataset(inherit=False)).items()
    }


def of_opened(result: Any, side: str) -> dict[str, list[int]]:
    """Return the same for whatever a side opened: a DataTree, a Dataset or a group."""
    if hasattr(result, "subtree"):
        return of_tree(result)
    return of_dataset(result) if hasattr(result, "variables") else of_group(result)


def of_group(group: Any, path: str = "") -> dict[str, list[int]]:
    """Return the same for a tree of virtual arrays."""
    found = {f"{path}/{name}": of_manifest(a.manifest) for name, a in group.arrays.items()}
    for name, child in group.groups.items():
        found |= of_group(child, f"{path}/{name}")
    return dict(sorted(found.items()))


def of_kerchunk(references: dict[str, Any]) -> dict[str, list[int]]:
    """Return the same for kerchunk references, inline ones left out."""
    found: dict[str, list[int]] = {}
    for key, reference in references["refs"].items():
        name = key.rpartition("/")[0]
        if key.rpartition("/")[2].startswith("."):
            if key.endswith("/.zarray"):
                found.setdefault(name, [0, 0, 0])
        elif isinstance(reference, list | tuple):
            _, offset, length = reference
            sums = found.setdefault(name, [0, 0, 0])
            found[name] = [sums[0] + 1, sums[1] + int(offset), sums[2] + int(length)]
    return dict(sorted(found.items()))


def peer_registry() -> Any:
    """Return a registry of local files, as VirtualiZarr 2 demands one."""
    from obspec_utils.registry import ObjectStoreRegistry
    from obstore.store import LocalStore

    return ObjectStoreRegistry({"file://": LocalStore()})
