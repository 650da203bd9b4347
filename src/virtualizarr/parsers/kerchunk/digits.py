"""Text of ASCII letters and digits, read as columns: eight characters at a time are one word.

A decimal number is found from its end: the digits in the word before a place, and in the words
before that where all eight are digits. The characters of a word become a number with three
multiplications, each of which joins neighbours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ZERO, NINE = ord("0"), ord("9")
MAX_DIGITS = 18
"""The most digits of a number that is read; every such number fits."""

_WORD = 8
_MARGIN = 3 * _WORD
_AT_ONCE = 32_768
_LOW_BITS, _HIGH_BITS = np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x8080808080808080)
_ZEROS = np.uint64(0x3030303030303030)
_BEYOND_NINE = np.uint64(0x7676767676767676)
_JOINS = (
    (np.uint64(10 * 2**8 + 1), np.uint64(8), np.uint64(0x00FF00FF00FF00FF)),
    (np.uint64(100 * 2**16 + 1), np.uint64(16), np.uint64(0x0000FFFF0000FFFF)),
    (np.uint64(10_000 * 2**32 + 1), np.uint64(32), np.uint64(0x00000000FFFFFFFF)),
)
_SMALLEST = np.array([0, 0, *(10**n for n in range(1, MAX_DIGITS))], np.uint64)

type Int64s = npt.NDArray[np.int64]
type UInt64s = npt.NDArray[np.uint64]


class Text:
    """Bytes as characters (`letters`), and as the eight characters before each place."""

    __slots__ = ("_held", "_words", "letters")

    def __init__(self, *parts: bytes) -> None:
        """The text is that of all `parts` in a row; it is copied."""
        self._held = b"".join((bytes(_MARGIN), *parts))
        self.letters: npt.NDArray[np.uint8] = np.frombuffer(self._held, np.uint8)[_MARGIN:]
        places = len(self._held) - _WORD + 1
        self._words: UInt64s = np.ndarray((places,), "<u8", self._held, strides=(1,))

    def __len__(self) -> int:
        return len(self.letters)

    def between(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`."""
        return self._held[_MARGIN + start : _MARGIN + stop]

    def words_before(self, places: Int64s) -> UInt64s:
        """Return the eight characters before each place, the last in the highest bits.

        A place may lie up to 16 characters before the text, where there are zero bytes.
        """
        return self._words[places + (_MARGIN - _WORD)]

    def numbers_before(self, places: Int64s) -> tuple[UInt64s, Int64s]:
        """Return the decimal number that ends before each place, and how many digits it has.

        The count is 0 where there is no digit; where it is more than `MAX_DIGITS` the number is
        not to be used, and 24 stands for any more.
        """
        values, digits = _in_words(self.words_before(places))
        long = np.flatnonzero(digits == _WORD)
        for turn in (1, 2):
            if not len(long):
                break
            more, count = _in_words(self.words_before(places[long] - turn * _WORD))
            values[long] += more * np.uint64(10 ** (turn * _WORD))
            digits[long] += count
            long = long[count == _WORD]
        return values, digits

    def repeats(self, starts: Int64s, stops: Int64s) -> npt.NDArray[np.bool_]:
        """Say which pieces of the text equal the piece before them; the first does not."""
        same = np.zeros(len(starts), np.bool_)
        for at in range(0, len(starts), _AT_ONCE):
            rows = slice(max(at - 1, 0), at + _AT_ONCE)
            same[at : at + _AT_ONCE] = self._repeat(starts[rows], stops[rows])[rows.start < at :]
        return same

    def _repeat(self, starts: Int64s, stops: Int64s) -> npt.NDArray[np.bool_]:
        sizes = stops - starts
        same = np.zeros(len(starts), np.bool_)
        same[1:] = sizes[1:] == sizes[:-1]
        for size in np.flatnonzero(np.bincount(sizes[same])).tolist():
            if not size:
                continue
            places = len(self.letters) - size + 1
            pieces: npt.NDArray[np.void] = np.ndarray(
                (places,), f"V{size}", self._held, _MARGIN, strides=(1,)
            )
            rows = np.flatnonzero(same & (sizes == size))
            if len(rows) == len(starts) - 1:
                found = pieces[starts]
                same[1:] = found[1:] == found[:-1]
            else:
                same[rows] = pieces[starts[rows]] == pieces[starts[rows - 1]]
        return same

    def lines(self, starts: Int64s, stops: Int64s) -> bytes:
        """Return pieces of the text as lines; what follows each piece gives way to a line feed."""
        sizes = stops - starts + 1
        ends = np.cumsum(sizes)
        if not len(ends):
            return b""
        where = np.repeat(starts - ends + sizes, sizes)
        where += np.arange(len(where))
        found: npt.NDArray[np.uint8] = self.letters[where]
        found[ends - 1] = ord("\n")
        return found.tobytes()


def _in_words(words: UInt64s) -> tuple[UInt64s, Int64s]:
    """Return the numbers that the last characters of words are, and how many characters that is."""
    other = words ^ _ZEROS
    marks = (((other & _LOW_BITS) + _BEYOND_NINE) | other) & _HIGH_BITS
    for shift in (8, 16, 32):
        marks |= marks >> np.uint64(shift)
    digits = _WORD - np.bitwise_count(marks).astype(np.int64)
    values = other & ~((marks >> np.uint64(7)) * np.uint64(0xFF))
    for factor, down, mask in _JOINS:
        values = ((values * factor) >> down) & mask
    return values, digits


def are_plain(values: UInt64s, digits: Int64s, max_digits: int) -> bool:
    """Say whether all numbers have a digit, at most `max_digits`, and no zero before others."""
    if not len(digits):
        return True
    if digits.min() < 1 or digits.max() > max_digits:
        return False
    return bool((values >= _SMALLEST[digits]).all())


def whole_numbers(text: Text, starts: Int64s, stops: Int64s, max_digits: int) -> Int64s | None:
    """Return the numbers that are pieces of the text, digits and nothing else; else None.

    None if one is empty, too long, or has a leading zero. `max_digits` is at most `MAX_DIGITS`.
    """
    values, digits = text.numbers_before(stops)
    if (digits != stops - starts).any() or not are_plain(values, digits, max_digits):
        return None
    return values.view(np.int64)
