"""Dropping what no chunk of a manifest uses: locations and inline bytes."""

from __future__ import annotations

import numpy as np

from virtualizarr.model.columns import Offsets, offsets_of, thin
from virtualizarr.model.inline import gathered
from virtualizarr.model.location import INLINE, Parts, References


def compacted_parts(references: References) -> Parts | None:
    """Return the same references with only the locations and bytes they use; None if all are."""
    locations, inline = references.locations, references.inline
    if len(locations) < 2 and not inline:
        return None
    narrow = thin(references.location)
    codes = np.unique(narrow)
    used = codes[codes < INLINE]
    if len(used) == len(locations) and not inline:
        return None
    table = np.zeros(len(locations) + 1, np.uint32)
    table[used] = np.arange(len(used), dtype=np.uint32)
    real = narrow < INLINE
    renumbered = np.where(real, table[np.where(real, narrow, 0)], narrow)
    offset, data = _compacted_inline(references)
    return Parts(
        tuple(locations[code] for code in used),
        np.broadcast_to(renumbered, references.location.shape),
        offset,
        references.length,
        data,
    )


def _compacted_inline(references: References) -> tuple[Offsets, bytes]:
    held = references.location == INLINE
    sizes = references.length[held].astype(np.int64)
    column = references.offset_column
    if int(sizes.sum()) >= len(references.inline):
        return column, references.inline
    offset = offsets_of(column).copy()
    data = gathered(references.inline, offset[held].astype(np.int64), sizes).tobytes()
    offset[held] = np.cumsum(sizes) - sizes
    return offset, data
