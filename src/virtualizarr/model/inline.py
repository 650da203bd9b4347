"""Ranges of a manifest's inline bytes, gathered and compared without a loop over chunks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def positions(start: npt.NDArray[np.int64], length: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return every byte position of the ranges, one range after the other."""
    total = int(length.sum())
    ends = np.cumsum(length)
    within = np.arange(total, dtype=np.int64) - np.repeat(ends - length, length)
    return np.repeat(start, length) + within


def gathered(
    data: bytes, start: npt.NDArray[np.int64], length: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """Return the bytes of the ranges, one range after the other."""
    return np.frombuffer(data, np.uint8)[positions(start, length)]


def same_bytes(
    data: bytes,
    start: npt.NDArray[np.int64],
    other: bytes,
    other_start: npt.NDArray[np.int64],
    length: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Say for each pair of ranges of equal length whether they hold the same bytes."""
    differ = gathered(data, start, length) != gathered(other, other_start, length)
    differences = np.concatenate(([0], np.cumsum(differ)))
    ends = np.cumsum(length)
    return np.asarray(differences[ends] == differences[ends - length])
