"""Messages of edition 2 that lie in memory whole, many at a time.

All messages are walked section by section, side by side: a step of the walk is some operations on
arrays with a row for each message. What is not as it should be, and what needs more than a look at
the sections' heads (bitmaps of earlier fields, very long sections), is left to `message2`.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from struct import Struct

import numpy as np
import numpy.typing as npt

from virtualizarr.parsers.grib.headers import Octets, numbered, part_2
from virtualizarr.parsers.grib.layout import END, GRIB, KIND, SAME_BITMAP, GridSection, Inventory
from virtualizarr.parsers.grib.message2 import BEFORE, BY_ROWS, HEAD, INDICATOR, LEAST
from virtualizarr.parsers.grib.varying import list_count
from virtualizarr.parsers.grib.window import Window
from virtualizarr.source.answers import windows

FEWEST, LEAST_AT_ONCE, FIRST, LARGEST = 6, 16, 1024, 4096
"""Fewer messages than the first are read one by one. Of the others: how many are at once."""

MOST_PATIENCE = 64
LONGEST = 4096
MOST_SECTIONS = 64

_INDICATOR = Struct(">4s2xBBQ").unpack_from
_HEAD = np.dtype([("length", ">u4"), ("number", "u1")])
_NUMBERS = np.array([number if number < 8 else 0 for number in range(256)], np.uint8)
"""The numbers of sections; 0, for what has none, follows nothing."""

_LEAST = np.array(LEAST, np.int64)
_LONGEST = np.array((0, *(LONGEST,) * 5, *(1 << 62,) * 2), np.int64)
_FOLLOWS = np.zeros((8, 8), np.bool_)
for _number, _earlier in enumerate(BEFORE):
    _FOLLOWS[list(_earlier), _number] = True

type Ints = npt.NDArray[np.int64]
type Columns = tuple[list[int], list[int], list[int], list[int], list[int]]
"""Kind, moment, message, offset and length of fields, as an `Inventory` has them."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Fields by the places of their sections in `octets`, a row each.

    `message` numbers the messages, `start` is where they begin. `place` and `size` have a column
    for each number of section; where there is none, both are 0. `begin` is where the chunk begins.
    """

    octets: Octets
    message: Ints
    start: Ints
    place: Ints
    size: Ints
    begin: Ints

    def take(self, rows: Ints) -> Rows:
        """Return some of the rows."""
        columns = (self.message, self.start, self.place, self.size, self.begin)
        return Rows(self.octets, *(column[rows] for column in columns))

    def heads(
        self, number: int, count: int, rows: Ints | slice = slice(None), skip: int = 0
    ) -> Octets:
        """Return the octets of a section from `skip` on, `count` for each of some rows."""
        found: Octets = windows(self.octets, count)[self.place[rows, number] + skip]
        return found


@dataclass(frozen=True, slots=True)
class Walk:
    """Messages that were walked: `bounds` are where they begin and end, `odd` says which are odd.

    The others have all their fields in `columns`, which are those of an inventory; `message` has
    the number of the message of each.
    """

    view: memoryview
    base: int
    bounds: list[int]
    odd: npt.NDArray[np.bool_]
    message: Ints
    columns: Columns

    def place(self, window: Window, start: int) -> int | None:
        """Return which message begins at `start` of a window; None if it was not walked."""
        if self.view is not window.view or self.base != window.base:
            return None
        place = bisect_left(self.bounds, start)
        return place if place < len(self.odd) and self.bounds[place] == start else None

    def next_odd(self, first: int) -> int:
        """Return the number of the first odd message from `first` on, or of messages."""
        odd = self.odd[first:]
        return first + int(odd.argmax()) if odd.any() else len(self.odd)

    def add(self, first: int, stop: int, inventory: Inventory) -> None:
        """Add the fields of some messages."""
        begin, end = np.searchsorted(self.message, (first, stop)).tolist()
        inventory.extend(*(column[begin:end] for column in self.columns))


@dataclass(slots=True)
class Many:
    """Reads many messages at a time, ever more while none is odd.

    Where it is of no use, it is tried again after two messages, four, up to `MOST_PATIENCE`.
    """

    at_once: int = FIRST
    wait: int = 0
    delay: int = 1
    walk: Walk | None = None

    def read(self, window: Window, start: int, inventory: Inventory) -> tuple[int, list[int]]:
        """Add the fields of messages that follow one another from `start` on and are held whole.

        Returns where they end, which is where a message needs a closer look, and their lengths.
        """
        lengths: list[int] = []
        while True:
            walk, first = self._walk_at(window, start, inventory)
            if walk is None:
                return start, lengths
            stop = walk.next_odd(first)
            walk.add(first, stop, inventory)
            start = walk.bounds[stop]
            lengths += np.diff(walk.bounds[first : stop + 1]).tolist()
            if stop < len(walk.odd):
                return start, lengths
            self.at_once = min(max(4 * len(walk.odd), LEAST_AT_ONCE), LARGEST)

    def _walk_at(self, window: Window, start: int, inventory: Inventory) -> tuple[Walk | None, int]:
        """Return a walk in which a message begins at `start`, and which one."""
        if self.walk is not None:
            place = self.walk.place(window, start)
            if place is not None:
                return self.walk, place
            self.walk = None
        self.wait -= 1
        if self.wait >= 0:
            return None, 0
        bounds = _messages(window, start, self.at_once)
        walk = _walked(window, bounds, inventory) if len(bounds) > FEWEST else None
        if walk is None or walk.odd[0]:
            self.delay = min(2 * self.delay, MOST_PATIENCE)
            self.wait = self.delay
        else:
            self.delay, self.wait = 1, 0
        self.walk = walk
        return walk, 0


def _messages(window: Window, start: int, most: int) -> list[int]:
    """Return where messages begin that follow one another from `start` on, and where they end."""
    view, base, last = window.view, window.base, len(window.view)
    at = start - base
    bounds = [start]
    if at < 0:
        return bounds
    for _ in range(most):
        if at + INDICATOR > last:
            break
        magic, _, edition, total = _INDICATOR(view, at)
        at += total
        if magic != GRIB or edition != 2 or total < INDICATOR + len(END) or at > last:
            break
        bounds.append(base + at)
    return bounds


def _walked(window: Window, bounds: list[int], inventory: Inventory) -> Walk:
    """Walk the messages between `bounds`; what their fields are is numbered by the inventory."""
    octets = np.frombuffer(window.view, np.uint8)
    edges = np.array(bounds, np.int64) - window.base
    rows, odd = _walk(octets, edges[:-1] + INDICATOR, edges[1:] - len(END))
    ends = windows(octets, len(END))[edges[1:] - len(END)]
    odd |= (ends != np.frombuffer(END, np.uint8)).any(axis=1)
    rows = rows.take(np.flatnonzero(~odd[rows.message]))
    columns = _columns(rows, window.base, inventory)
    return Walk(window.view, window.base, bounds, odd, rows.message, columns)


def _walk(octets: Octets, first: Ints, end: Ints) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Walk the sections of messages from `first` to `end`; say which messages are odd.

    While walking only the order of sections is looked at; what else may be wrong with them, when
    all are known.
    """
    count = len(first)
    at, last, furthest = first.copy(), np.zeros(count, np.uint8), len(octets) - HEAD
    place, size = np.zeros((count, 8), np.int64), np.zeros((count, 8), np.int64)
    odd = np.zeros(count, np.bool_)
    found: list[tuple[Ints, Ints, Ints]] = []
    live = np.arange(count)
    for _ in range(MOST_SECTIONS):
        here = at[live]
        heads = windows(octets, HEAD)[np.minimum(here, furthest)].view(_HEAD)[:, 0]
        length, number = heads["length"].astype(np.int64), _NUMBERS[heads["number"]]
        good = _FOLLOWS[last[live], number]
        if not good.all():
            odd[live[~good]] = True
            live, here, length, number = live[good], here[good], length[good], number[good]
        if len(live) and (number == number[0]).all():  # a column is filled faster than cells are
            rows: Ints | slice = slice(None) if len(live) == count else live
            column = int(number[0])
            place[rows, column], size[rows, column] = here, length
            done = live if column == 7 else live[:0]
        else:
            place[live, number], size[live, number] = here, length
            done = live[number == 7]
        last[live], at[live] = number, here + length
        if len(done):
            found.append((done, place[done], size[done]))
            live = live[at[live] < end[live]]
        if not len(live):
            break
    odd |= (at != end) | (last != 7)
    if not found:
        none = np.zeros((0, 8), np.int64)
        return Rows(octets, none[:, 0], none[:, 0], none, none, none[:, 0]), odd
    message, place, size = (np.concatenate(parts) for parts in zip(*found, strict=True))
    sound = ((size >= _LEAST) & (size <= _LONGEST) | (place == 0)).all(axis=1)
    odd[message[~sound]] = True
    kept = np.flatnonzero(~odd[message])
    kept = kept[np.argsort(message[kept], kind="stable")]
    message, place, size = message[kept], place[kept], size[kept]
    odd[message[octets[place[:, 6] + HEAD] == SAME_BITMAP]] = True
    by_rows = _u2(octets, place[:, 5] + 9) == BY_ROWS
    begin = np.where(by_rows, place[:, 3], place[:, 5])
    return Rows(octets, message, first[message] - INDICATOR, place, size, begin), odd


def _u2(octets: Octets, at: Ints) -> npt.NDArray[np.uint16]:
    found: npt.NDArray[np.uint16] = windows(octets, 2)[at].view(">u2")[:, 0]
    return found


def _columns(rows: Rows, base: int, inventory: Inventory) -> Columns:
    """Return the columns of fields; headers that are as long and of one template go together."""
    template = _u2(rows.octets, rows.place[:, 4] + 7)
    form = (rows.size[:, 4] << 16) | template
    for number in np.unique(template).tolist():
        count = list_count(number)
        if count is not None:
            some = np.flatnonzero(template == number)
            form[some] |= rows.octets[rows.place[some, 4] + count].astype(np.int64) << 48
    grids = _grids(rows, inventory)
    codes = np.zeros((2, len(form)), np.int64)
    for each in np.unique(form):
        some = np.flatnonzero(form == each)
        codes[:, some] = _headers(rows.take(some), grids[some], inventory)
    stop = rows.place[:, 7] + rows.size[:, 7]
    kind, moment = codes.tolist()
    places = (rows.start + base).tolist()
    begin, size = (rows.begin + base).tolist(), (stop - rows.begin).tolist()
    return kind, moment, places, begin, size


def _grids(rows: Rows, inventory: Inventory) -> Ints:
    """Return the number of each field's grid."""
    found = np.zeros(len(rows.message), np.int64)
    sizes = rows.size[:, 3]
    for size in np.unique(sizes).tolist():
        some = np.flatnonzero(sizes == size)
        texts: dict[bytes, int] = {}
        codes = numbered(rows.heads(3, size, some), texts)
        numbers = [inventory.grid_number(GridSection(2, text)) for text in texts]
        found[some] = np.array(numbers)[codes]
    return found


def _headers(rows: Rows, grids: Ints, inventory: Inventory) -> tuple[list[int], list[int]]:
    """Return the numbers of kind and moment of fields whose sections 4 are built alike."""
    count = len(rows.message)
    mars = np.zeros((count, 3), np.uint8)
    told = np.flatnonzero(rows.size[:, 2] >= 9)
    if len(told):
        mars[told] = rows.heads(2, 3, told, 6)
        mars[told, 0] = 1
    disciplines = rows.octets[rows.start + 6][:, np.newaxis]
    sections_4 = rows.heads(4, int(rows.size[0, 4]))
    headers, moments = part_2(disciplines, rows.heads(1, 21), mars, sections_4)
    begin = np.empty((count, KIND.size), np.uint8)
    begin[:, 0], begin[:, 1:5] = 2, grids.astype(">u4").view(np.uint8).reshape(count, 4)
    told_5 = rows.heads(5, 6, skip=5)
    begin[:, 5:7], begin[:, 7:11] = told_5[:, 4:], told_5[:, :4]
    kinds = np.concatenate((begin, headers), axis=1)
    return numbered(kinds, inventory.kinds), numbered(moments, inventory.moments)
