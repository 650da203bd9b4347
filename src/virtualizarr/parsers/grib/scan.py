"""Walking a file from message to message: only headers are read, never data.

Rounds: one for a file in memory or of at most 8 MiB, which is read whole; else one for the first
mebibyte and one for each message behind it, or, with a sidecar index, one for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack_from

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.grib.layout import GRIB, Inventory
from virtualizarr.parsers.grib.message1 import read_message_1
from virtualizarr.parsers.grib.message2 import read_message_2
from virtualizarr.parsers.grib.window import Window
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, Stat, together

HEAD = 1024 * 1024
WHOLE = 8 * 1024 * 1024
INDICATOR = 16
_EDITION_AT = 7
EDITIONS = (1, 2)
SHORTEST_2 = INDICATOR + 4


def read_inventory(skip: bool = False) -> Reading[Inventory]:
    """Walk the whole file. With `skip`, broken messages are left out and listed; else they raise.

    Raises CorruptFileError where there is no message, UnsupportedFeatureError for editions other
    than 1 and 2.
    """
    window = yield from _opened()
    inventory = Inventory()
    start: int | None = 0
    while start is not None:
        start = yield from _read_next(window, start, inventory, skip)
    if not inventory.fields and not inventory.skipped:
        raise CorruptFileError("there is no GRIB message in the file", at=0)
    return inventory


def read_messages(starts: Sequence[int], skip: bool = False) -> Reading[Inventory]:
    """Read the messages at known places, all at once: one round, two where fields share a message.

    Raises CorruptFileError where there is no message.
    """
    (facts,) = yield [Stat()]
    inventory = Inventory()
    parts = yield from together([_read_at(start, facts.size, skip) for start in starts])
    for part in parts:
        renumbered = [inventory.grid_number(grid) for grid in part.grids]
        inventory.fields += [each._replace(grid=renumbered[each.grid]) for each in part.fields]
        inventory.skipped += part.skipped
    return inventory


def _read_at(start: int, size: int | None, skip: bool) -> Reading[Inventory]:
    window, inventory = Window(memoryview(b""), size, start), Inventory()
    found = yield from window.take(start, len(GRIB))
    if bytes(found) != GRIB:
        raise CorruptFileError("the index says that a message begins here; there is none", at=start)
    yield from _read_next(window, start, inventory, skip)
    return inventory


def _opened() -> Reading[Window]:
    """Read the head of the file, and the rest of a small one."""
    head, facts = yield [ByteRange(0, HEAD), Stat()]
    size = facts.size
    if size is None and len(head) < HEAD:
        size = len(head)
    if size is not None and len(head) < size <= WHOLE:
        (head,) = yield [ByteRange(0, size)]
    return Window(head, size)


def _read_next(window: Window, start: int, inventory: Inventory, skip: bool) -> Reading[int | None]:
    """Read the next message at or after `start`; return where to go on, None at the end."""
    found = yield from window.find(start)
    if found is None:
        return None
    if found + INDICATOR > window.end:
        yield from window.load(found, INDICATOR)
        if found + INDICATOR > window.end:
            return (yield from _broken(window, found, "the file ends in it", inventory, skip))
    view, at = window.view, found - window.base
    edition = view[at + _EDITION_AT]
    if edition not in EDITIONS:
        if edition == 0 and found == 0:
            raise UnsupportedFeatureError("GRIB edition 0 is not read", at=found)
        return found + len(GRIB)
    known = len(inventory.fields)
    try:
        if edition == 2:
            (total,) = unpack_from(">Q", view, at + 8)
            _check_length(window, found, total)
            stop = yield from read_message_2(window, found, total, inventory)
        else:
            stop = yield from read_message_1(window, found, inventory)
    except VirtualizeError as error:
        if not skip:
            raise error.located(at=found) from error.__cause__
        del inventory.fields[known:]
        inventory.skipped.append(f"message at byte {found}: {error.reason}")
        return found + len(GRIB)
    return stop


def _check_length(window: Window, start: int, total: int) -> None:
    if total < SHORTEST_2:
        raise CorruptFileError(f"a message of {total} bytes", at=start)
    if window.size is not None and start + total > window.size:
        raise CorruptFileError(
            f"the file ends at byte {window.size}, inside a message of {total} bytes", at=start
        )


def _broken(
    window: Window, start: int, reason: str, inventory: Inventory, skip: bool
) -> Reading[int | None]:
    """Judge a `GRIB` too near to the end of the file to be read."""
    yield from ()
    rest = window.end - start
    if rest <= _EDITION_AT or window.view[start - window.base + _EDITION_AT] in EDITIONS:
        if not skip:
            raise CorruptFileError(f"a message begins here and {reason}", at=start)
        inventory.skipped.append(f"message at byte {start}: {reason}")
    return None
