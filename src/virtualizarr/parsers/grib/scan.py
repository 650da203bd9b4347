"""Walking a file from message to message: only headers are read, never data.

Rounds of requests: one for a file in memory or of at most 8 MiB, which is read whole. Of a larger
one the first mebibyte is read. Where a sidecar says where messages begin, the headers of all are
read in the round that follows; else `ahead` says how many rounds it takes. Where a round costs
nothing, a run of short messages is read whole, block by block: to walk many messages that lie in
memory takes a fraction of what it takes to read their heads one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.parsers.grib.ahead import read_ahead, read_ahead_at
from virtualizarr.parsers.grib.layout import END, GRIB, Inventory
from virtualizarr.parsers.grib.messages import INDICATOR, length_told, read_next
from virtualizarr.parsers.grib.sections2 import Many
from virtualizarr.parsers.grib.sidecar import ask, starts_in
from virtualizarr.parsers.grib.window import Window
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, Stat

HEAD = 1024 * 1024
WHOLE = 8 * 1024 * 1024
MOST_JUNK = 256
"""How much between two messages, such as a bulletin's heading, does not count as a gap."""

READ_ON = 4 * 1024 * 1024
"""How much is read at a time where messages are short: many in a round."""
SHORT = 64 * 1024
RUN = 16
"""Messages are short where this many, one after the other, have `SHORT` bytes each on average."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a large file is read.

    `sidecars` are URLs that are asked for with the first bytes, `guesses` URLs that are asked for
    only where the file goes on behind those. `probes` is in how many parts it is searched at once,
    None for as many as pay. `whole` says that short messages are read whole.
    """

    sidecars: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
    probes: int | None = None
    whole: bool = False


PLAIN = Plan(probes=0)


def read_inventory(skip: bool = False, plan: Plan = PLAIN) -> Reading[Inventory]:
    """Walk the whole file. With `skip`, broken messages are left out and listed; else they raise.

    Raises CorruptFileError where there is no message, UnsupportedFeatureError for edition 0.
    """
    window, answers = yield from _opened(plan.sidecars)
    inventory = Inventory()
    start: int | None = 0
    lengths: list[int] = []
    steps = [_by_sidecar, _by_lengths]
    many = Many()
    while start is not None:
        length = _length_ahead(window, start) if steps or plan.whole else None
        if length is not None and plan.whole and _are_short(lengths[-RUN:]):
            yield from window.load(start, INDICATOR, READ_ON)
        elif length is not None and steps:
            lengths.append(length)
            answers = yield from steps.pop(0)(window, start, lengths, plan, answers)
            continue
        begin = start
        start, more = many.read(window, start, inventory)
        lengths += more
        if more:
            continue
        start = yield from read_next(window, start, inventory, skip)
        if start is not None:
            lengths.append(start - begin)
    if not len(inventory) and not inventory.skipped:
        raise CorruptFileError("there is no GRIB message in the file", at=0)
    return inventory


def _opened(sidecars: tuple[str, ...]) -> Reading[tuple[Window, Sequence[Any]]]:
    """Read the head of the file, the rest of a small one, and the sidecars that are named."""
    head, facts, *answers = yield [ByteRange(0, HEAD), Stat(), *ask(sidecars)]
    for answer in answers:
        if isinstance(answer, VirtualizeError):
            raise answer
    size = facts.size
    if size is None and len(head) < HEAD:
        size = len(head)
    if size is not None and len(head) < size <= WHOLE:
        (head,) = yield [ByteRange(0, size)]
    return Window(head, size), answers


def _length_ahead(window: Window, start: int) -> int | None:
    """Return how far it is to the end of the next message, where that has not been read; else None.

    Where it is not known the rest of the file is taken for one message.
    """
    if window.size is None or window.end >= window.size:
        return None
    rest = max(1, window.size - start)
    held = window.held(start, INDICATOR)
    if held is None:
        return rest if start + INDICATOR <= window.size else None
    at = bytes(held[:MOST_JUNK]).find(GRIB)
    length = length_told(bytes(held[at : at + INDICATOR])) if at >= 0 else None
    if length is None or at + length > rest:
        return None
    end = start + at + length - len(END)
    return at + length if window.held(end, len(END)) is None else None


def _are_short(lengths: list[int]) -> bool:
    return len(lengths) == RUN and sum(lengths) <= RUN * SHORT


def _by_sidecar(
    window: Window, start: int, lengths: list[int], plan: Plan, answers: Sequence[Any]
) -> Reading[Sequence[Any]]:
    """Read ahead where a sidecar says that messages begin, if there is one."""
    assert window.size is not None
    del lengths
    if not answers and plan.guesses:
        answers = yield ask(plan.guesses)
    known = [place for place in starts_in(answers) if start <= place]
    if known:
        yield from read_ahead_at([start, *known], window.size, window.blocks)
    return answers


def _by_lengths(
    window: Window, start: int, lengths: list[int], plan: Plan, answers: Sequence[Any]
) -> Reading[Sequence[Any]]:
    """Read ahead where the lengths of the messages before let them be expected."""
    assert window.size is not None
    yield from read_ahead(start, lengths, window.size, window.blocks, plan.probes)
    return answers
