"""Quantised numbers back to floating point, with the dither of FITS (standard 4.0, section 10.2).

The random sequence is that of Park and Miller, as the standard's appendix I gives it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

N_RANDOM = 10_000
MULTIPLIER, MODULUS = 16807, 2147483647
DITHER_RANGE = 500
ZERO_VALUE = -2147483646

NO_DITHER, DITHER_1, DITHER_2 = "NO_DITHER", "SUBTRACTIVE_DITHER_1", "SUBTRACTIVE_DITHER_2"
METHODS = (NO_DITHER, DITHER_1, DITHER_2)


@lru_cache(maxsize=1)
def random_numbers() -> npt.NDArray[np.float32]:
    """Return the 10,000 numbers of the standard, in [0, 1)."""
    values = np.empty(N_RANDOM, np.float32)
    seed = 1
    for i in range(N_RANDOM):
        seed = seed * MULTIPLIER % MODULUS
        values[i] = np.float32(seed / MODULUS)
    return values


def dither(start: int, count: int) -> npt.NDArray[np.float32]:
    """Return the random numbers of a tile's pixels; `start` (0 to 9,999) is the tile's place.

    Each run begins where the number at its place says, and ends with the sequence; the next run
    takes the next place.
    """
    numbers = random_numbers()
    parts: list[npt.NDArray[np.float32]] = []
    while count > 0:
        first = int(numbers[start] * DITHER_RANGE)
        parts.append(numbers[first : first + count])
        count -= len(parts[-1])
        start = (start + 1) % N_RANDOM
    return np.concatenate(parts) if parts else numbers[:0]


def unquantized(
    stored: npt.NDArray[np.int32], scale: float, zero: float, method: str, start: int
) -> npt.NDArray[np.float64]:
    """Return the values of a tile's quantised pixels, 1-D, in double precision."""
    with np.errstate(over="ignore", invalid="ignore"):
        if method == NO_DITHER:
            return stored * np.float64(scale) + np.float64(zero)
        shifted = stored.astype(np.float64) - dither(start, stored.size) + 0.5
        values: npt.NDArray[np.float64] = shifted * np.float64(scale) + np.float64(zero)
    if method == DITHER_2:
        values[stored == ZERO_VALUE] = 0.0
    return values
