"""Decimal numbers in text, read as columns by arithmetic on their characters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ZERO, NINE = ord("0"), ord("9")

type Letters = npt.NDArray[np.uint8]
type Int64s = npt.NDArray[np.int64]


def not_digits(letters: Letters) -> Int64s:
    """Return the positions of all characters but digits."""
    return np.flatnonzero((letters - np.uint8(ZERO)) > NINE - ZERO)


def whole_numbers(
    letters: Letters, starts: Int64s, stops: Int64s, max_digits: int
) -> Int64s | None:
    """Return the numbers in runs of digits; None if one is empty, too long, or has a leading zero.

    `max_digits` is at most 18, so that every number fits.
    """
    if not len(starts):
        return np.zeros(0, np.int64)
    digits = stops - starts
    longest = int(digits.max())
    if digits.min() < 1 or longest > max_digits:
        return None
    if ((digits > 1) & (letters[starts] == ZERO)).any():
        return None
    values = letters[stops - 1].astype(np.int64) - ZERO
    for place in range(1, longest):
        has = np.flatnonzero(digits > place)
        values[has] += (letters[stops[has] - 1 - place].astype(np.int64) - ZERO) * 10**place
    return values
