"""Messages of edition 1 that follow each other and differ only in section 1 and in their data."""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

import numpy as np

from virtualizarr.parsers.grib.headers import Octets, numbered, part_1
from virtualizarr.parsers.grib.layout import END, Inventory, Kind
from virtualizarr.parsers.grib.window import Window

SECTION_1 = 8
FLAGS_AT = 15
"""Where in a message octet 8 of section 1 lies, which says what sections follow."""

BITS_AT = 10
FIRST, LARGEST = 64, 4096


class Form(NamedTuple):
    """How a message is built: its kind, its length, and where in it section 4 lies."""

    kind: Kind
    length: int
    data_at: int


def read_run(window: Window, stop: int, form: Form, inventory: Inventory) -> int:
    """Add the messages behind `stop` that are built as the one that ends there; return their end.

    As many messages are compared at a time as were found alike before, so that none costs much.
    """
    size, step = form.length, FIRST
    head = bytes(window.view[stop - size - window.base :][: SECTION_1 + 3])
    while stop + size <= window.end:
        at = stop - window.base
        if window.view[at : at + len(head)] != head:
            break
        count = min(step, (window.end - stop) // size)
        octets = np.frombuffer(window.view, np.uint8, (count + 1) * size, at - size)
        table = octets.reshape(count + 1, size)
        alike = _alike(table, SECTION_1 + len(form.kind.header), form.data_at)
        if alike:
            _add(table[1 : alike + 1], stop, form, inventory)
        stop += alike * size
        if alike < count:
            break
        step = min(step * 4, LARGEST)
    return stop


def _alike(table: Octets, grid: int, data: int) -> int:
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


def _add(rows: Octets, start: int, form: Form, inventory: Inventory) -> None:
    """Add the fields of messages that begin at `start` and are of one form, a row each."""
    count, size = rows.shape
    headers, moments = part_1(rows[:, SECTION_1 : SECTION_1 + len(form.kind.header)])
    texts: dict[bytes, int] = {}
    codes = [0] * count
    if (headers == headers[:1]).all():
        texts[headers[:1].tobytes()] = 0
    else:
        codes = numbered(headers, texts)
    numbers = [
        inventory.kinds.setdefault(form.kind._replace(header=text).packed(), len(inventory.kinds))
        for text in texts
    ]
    places = range(start, start + count * size, size)
    inventory.extend(
        map(numbers.__getitem__, codes),
        numbered(moments, inventory.moments),
        *(places, places, repeat(size, count)),
    )
