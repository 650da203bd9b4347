"""Names of HDF4 objects as names of Zarr nodes."""

from __future__ import annotations

from collections.abc import Sequence


def node_names(names: Sequence[str]) -> list[str]:
    """Return a name for each variable: its own, with a number behind it if it was there before.

    Slashes become underscores; a variable without a name is called "unnamed".
    """
    seen: set[str] = set()
    found: list[str] = []
    for name in names:
        safe = name.strip().replace("/", "_")
        safe = f"_{safe.lstrip('_.')}" if safe.startswith("__") or not safe.strip(".") else safe
        safe = safe if safe != "_" else "unnamed"
        chosen, number = safe, 1
        while chosen in seen:
            number += 1
            chosen = f"{safe}_{number}"
        seen.add(chosen)
        found.append(chosen)
    return found
