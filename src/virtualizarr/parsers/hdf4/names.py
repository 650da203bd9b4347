"""Names of HDF4 objects as names of Zarr nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from virtualizarr.model import ManifestArray
from virtualizarr.parsers.naming import addressable


def node_names(names: Sequence[str]) -> list[str]:
    """Return a name for each variable: its own, with a number behind it if it was there before.

    Slashes and backslashes become underscores; a variable without a name is called "unnamed".
    """
    seen: set[str] = set()
    found: list[str] = []
    for name in names:
        safe = addressable(name.strip())
        safe = f"_{safe.lstrip('_.')}" if safe.startswith("__") or not safe.strip(".") else safe
        safe = safe if safe != "_" else "unnamed"
        chosen, number = safe, 1
        while chosen in seen:
            number += 1
            chosen = f"{safe}_{number}"
        seen.add(chosen)
        found.append(chosen)
    return found


def unique_dims(
    arrays: Mapping[str, ManifestArray], above: Mapping[str, int] | None = None
) -> dict[str, ManifestArray]:
    """Return the arrays with each dimension's name standing for one length.

    `above` are the lengths of the dimensions of the groups above. An axis of another length than
    the first of its name, or a second one of that name in the same array, gets the variable's name
    or a number behind it.
    """
    lengths = dict(above) if above is not None else {}
    found = {}
    for name, array in arrays.items():
        dims: list[str] = []
        for dim, length in zip(array.metadata.dimension_names or (), array.shape, strict=True):
            own = str(dim)
            if lengths.get(own, length) != length:
                own = f"{own}_{name}"
            base, number = own, 1
            while own in dims or lengths.get(own, length) != length:
                number += 1
                own = f"{base}_{number}"
            lengths[own] = length
            dims.append(own)
        changed = array.metadata.replace(dimension_names=tuple(dims))
        found[name] = array.rebuilt(changed, array.manifest)
    return found


def lengths_of(arrays: Mapping[str, ManifestArray]) -> dict[str, int]:
    """Return the length of each dimension of arrays whose dimensions are unique."""
    return {
        str(dim): length
        for array in arrays.values()
        for dim, length in zip(array.metadata.dimension_names or (), array.shape, strict=True)
    }
