"""What references take in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from virtualizarr.model.columns import held_bytes
from virtualizarr.model.location import Location, References

POINTER = 8  # bytes of a place in a tuple


def nbytes_held(manifests: Iterable[References]) -> int:
    """Return the bytes that manifests take together: columns, inline chunks and locations.

    The variables of a file share its location, which therefore counts once for all of them.
    """
    total = 0
    locations: dict[int, Location] = {}
    for manifest in manifests:
        for column in (manifest.location, manifest.offset_column, manifest.length):
            total += held_bytes(column)
        total += len(manifest.inline) + POINTER * len(manifest.locations)
        locations.update((id(location), location) for location in manifest.locations)
    return total + sum(map(_location_nbytes, locations.values()))


def _location_nbytes(location: Location) -> int:
    held = (location, location.url, location.size, location.etag, location.last_modified)
    return sum(sys.getsizeof(part) for part in held if part is not None)
