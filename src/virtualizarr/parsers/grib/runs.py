"""Messages of edition 1 that follow each other and differ only in section 1 and in their data."""

from __future__ import annotations

import numpy as np

from virtualizarr.parsers.grib.layout import END, Field, Inventory
from virtualizarr.parsers.grib.window import Window

SECTION_1 = 8
FLAGS_AT = 15
"""Where in a message octet 8 of section 1 lies, which says what sections follow."""

BITS_AT = 10
FIRST, LARGEST = 16, 4096


def read_run(window: Window, stop: int, data_at: int, inventory: Inventory) -> int:
    """Add the messages behind `stop` that are built as the last field is; return where they end.

    `stop` is the end of that field's message, `data_at` the place of its section 4 in it. As many
    messages are compared at a time as were found alike before, so that none costs much.
    """
    last = inventory.fields[-1]
    size, step = last.length, FIRST
    head = bytes(window.view[stop - size - window.base :][: SECTION_1 + 3])
    while stop + size <= window.end:
        at = stop - window.base
        if window.view[at : at + len(head)] != head:
            break
        count = min(step, (window.end - stop) // size)
        octets = np.frombuffer(window.view, np.uint8, (count + 1) * size, at - size)
        table = octets.reshape(count + 1, size)
        alike = _alike(table, SECTION_1 + len(last.section_1), data_at)
        _add(table[1 : alike + 1], stop, last, inventory)
        stop += alike * size
        if alike < count:
            break
        step = min(step * 4, LARGEST)
    return stop


def _alike(table: np.ndarray[tuple[int, int], np.dtype[np.uint8]], grid: int, data: int) -> int:
    """Return how many rows behind the first are built as it is, before one that is not.

    Their indicators, flags, sections 2 and 3 and the length, flags and bits of section 4 are the
    same, and they end with 7777.
    """
    size = table.shape[1]
    heads = ((0, SECTION_1 + 3), (FLAGS_AT - 1, FLAGS_AT + 1))
    parts = (*heads, (grid, data + 4), (data + BITS_AT, data + BITS_AT + 1))
    same = np.ones(table.shape[0] - 1, np.bool_)
    for begin, end in (*parts, (size - len(END), size)):
        same &= (table[1:, begin:end] == table[0, begin:end]).all(axis=1)
    return int(same.argmin()) if not same.all() else same.size


def _add(
    rows: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    start: int,
    last: Field,
    inventory: Inventory,
) -> None:
    width, size = len(last.section_1), last.length
    sections = rows[:, SECTION_1 : SECTION_1 + width].tobytes()
    texts = [sections[at : at + width] for at in range(0, len(sections), width)]
    grid, packing, values = last.grid, last.packing, last.values
    places = range(start, start + len(rows) * size, size)
    inventory.fields += [
        Field(1, at, at, size, 0, text, b"", b"", grid, packing, values)
        for at, text in zip(places, texts, strict=True)
    ]
