"""The next message of a file, of either edition."""

from __future__ import annotations

from struct import unpack_from

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.grib.layout import GRIB, Inventory
from virtualizarr.parsers.grib.message1 import LARGE, UNIT, read_message_1
from virtualizarr.parsers.grib.message2 import read_message_2
from virtualizarr.parsers.grib.window import Window
from virtualizarr.source.reading import Reading

INDICATOR = 16
_EDITION_AT = 7
EDITIONS = (1, 2)
SHORTEST_2 = INDICATOR + 4


def read_next(window: Window, start: int, inventory: Inventory, skip: bool) -> Reading[int | None]:
    """Read the next message at or after `start`; return where to go on, None at the end.

    With `skip`, a broken message is listed; else it raises.
    """
    found = yield from window.find(start)
    if found is None:
        return None
    if found + INDICATOR > window.end:
        yield from window.load(found, INDICATOR)
        if found + INDICATOR > window.end:
            _break_off(window, found, inventory, skip)
            return None
    view, at = window.view, found - window.base
    edition = view[at + _EDITION_AT]
    if edition not in EDITIONS:
        if edition == 0 and found == 0:
            raise UnsupportedFeatureError("GRIB edition 0 is not read", at=found)
        return found + len(GRIB)
    known = len(inventory)
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
        inventory.cut(known)
        inventory.skipped.append(f"message at byte {found}: {error.reason}")
        return found + len(GRIB)
    return stop


def length_told(indicator: bytes) -> int | None:
    """Return how long a message says it is in its first 16 bytes; None for what is none.

    Of edition 1 long messages tell it to within 120 bytes.
    """
    edition = indicator[_EDITION_AT] if len(indicator) == INDICATOR else 0
    if edition == 2:
        length = int.from_bytes(indicator[8:16], "big")
    elif edition == 1:
        length = int.from_bytes(indicator[4:7], "big")
        if length & LARGE:
            length = (length & ~LARGE) * UNIT
    else:
        return None
    return length if length >= SHORTEST_2 else None


def _check_length(window: Window, start: int, total: int) -> None:
    if total < SHORTEST_2:
        raise CorruptFileError(f"a message of {total} bytes", at=start)
    if window.size is not None and start + total > window.size:
        raise CorruptFileError(
            f"the file ends at byte {window.size}, inside a message of {total} bytes", at=start
        )


def _break_off(window: Window, start: int, inventory: Inventory, skip: bool) -> None:
    """Judge a `GRIB` too near to the end of the file to be read."""
    rest = window.end - start
    if rest <= _EDITION_AT or window.view[start - window.base + _EDITION_AT] in EDITIONS:
        if not skip:
            raise CorruptFileError("a message begins here and the file ends in it", at=start)
        inventory.skipped.append(f"message at byte {start}: the file ends in it")
