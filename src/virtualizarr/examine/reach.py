"""How far the references of a manifest reach into each of its files. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from virtualizarr.model import INLINE, ChunkManifest
from virtualizarr.model.columns import AffineRun, is_uniform, offsets_of

_LAST = np.uint64(2**64 - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """What the references of one manifest ask of its files.

    `ends[i]` is where the last of the bytes that are referred to in file `i` ends; 0 where none
    are. `impossible` counts the references whose end no file can have, and inline chunks that
    reach past the inline bytes.
    """

    ends: npt.NDArray[np.uint64]
    impossible: int = 0


def reach(manifest: ChunkManifest) -> Reach:
    """Return how far the references of a manifest reach; in columns, never chunk by chunk."""
    ends = np.zeros(len(manifest.locations), np.uint64)
    codes = manifest.location
    if not codes.size:
        return Reach(ends)
    run = manifest.offset_column
    repeats = is_uniform(codes) and is_uniform(manifest.length)
    if repeats and isinstance(run, AffineRun):
        places = zip(run.shape, run.steps, strict=True)
        corner = run.at([count - 1 if step > 0 else 0 for count, step in places])
        offset = np.full(1, corner, np.uint64)
    elif repeats and is_uniform(offsets_of(run)):
        offset = offsets_of(run).reshape(-1)[:1]
    else:
        repeats, offset = False, offsets_of(run).reshape(-1)
    codes, length = (
        column.flat[:1] if repeats else column.reshape(-1) for column in (codes, manifest.length)
    )
    too_far = offset > _LAST - length.astype(np.uint64)
    stop = np.where(too_far, _LAST, offset + length)
    real = codes < INLINE
    np.maximum.at(ends, codes[real & ~too_far], stop[real & ~too_far])
    outside = (codes == INLINE) & (stop > len(manifest.inline))
    return Reach(ends, int(np.count_nonzero((real & too_far) | outside)))
