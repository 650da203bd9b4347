"""How large blocks of bytes are cut into chunks."""

from __future__ import annotations

SPLIT_BYTES = 128 * 1024 * 1024
"""A contiguous block larger than this is cut along its first axis, so that parts can be read."""

SMALLEST_PART = 8 * 1024 * 1024


def rows_per_chunk(rows: int, row_bytes: int) -> int:
    """Return into chunks of how many rows to cut a contiguous block of `rows` rows.

    Stored chunks must all be whole, so the answer divides `rows`; a block that cannot be cut into
    parts of a sensible size stays one chunk.
    """
    if rows * row_bytes <= SPLIT_BYTES:
        return max(rows, 1)
    best = max((n for n in _divisors(rows) if n * row_bytes <= SPLIT_BYTES), default=rows)
    return best if best * row_bytes >= SMALLEST_PART else rows


def _divisors(number: int) -> set[int]:
    limit = min(int(number**0.5), 1 << 20)
    small = [n for n in range(1, limit + 1) if number % n == 0]
    return {*small, *(number // n for n in small)}
