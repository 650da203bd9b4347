"""Fields that a file holds twice: archives are put together from overlapping pieces."""

from __future__ import annotations

import numpy as np

from virtualizarr.parsers.grib.layout import Inventory
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading

MOST_BYTES = 64 << 20
"""Bytes that are read to find out whether fields of one description are the same, at most."""


def without_repeats(inventory: Inventory) -> Reading[None]:
    """Leave out each field whose description and bytes are those of an earlier one.

    Takes a round only if there are fields of one description. Where these have more than
    `MOST_BYTES`, all stay.
    """
    described = np.array(inventory.kind, np.int64) * len(inventory.moments)
    described += np.array(inventory.moment, np.int64)
    _, first, which = np.unique(described, return_index=True, return_inverse=True)
    earlier = first[which]
    length = np.array(inventory.length, np.int64)
    again = earlier != np.arange(len(earlier))
    rows = np.flatnonzero(again & (length[earlier] == length))
    compared = np.union1d(rows, earlier[rows]).tolist()
    if not compared or int(length[compared].sum()) > MOST_BYTES:
        return
    starts = {row: inventory.offset[row] for row in compared}
    answers = yield [ByteRange(at, at + inventory.length[row]) for row, at in starts.items()]
    held = dict(zip(compared, map(bytes, answers), strict=True))
    inventory.leave_out(
        {
            row
            for row in rows.tolist()
            # What the file lacks is the same everywhere; it is told of elsewhere.
            if held[row] == held[int(earlier[row])] and len(held[row]) == inventory.length[row]
        }
    )
