"""What a row is made of: cases, what they are compared with, and what they must reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

type Work = Callable[[], Any]
type Side = Callable[[Path, str], Work]
"""Prepares one side of a case, from the folder of the data and the name of the case.

What it returns is what is measured. It imports what it needs itself: it may run where the others
are not installed.
"""

SECONDS = "seconds"
OURS = "ours"


@dataclass(frozen=True)
class Target:
    """Our figure is to be at most `limit`, or, with `peer`, `limit` times that of the peer."""

    limit: float
    peer: str | None = None
    measure: str = SECONDS


@dataclass(frozen=True)
class Case:
    """One size of one kind of work.

    - `series` and `size`: cases of one series are the same work at several sizes.
    - `quick`: it is also part of the quick run.
    - `skip`: sides that are not run, because they would take hours or cannot do it.
    - `slow`: sides that the quick run leaves to the whole one, because one turn takes too long; the
      table says so. Another case of the row, of a smaller size, is for them.
    """

    name: str
    targets: tuple[Target, ...] = ()
    series: str = ""
    size: float = 0
    quick: bool = True
    skip: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One row of the table of what is measured.

    - `make`: writes the data of a case, if it is not there; runs in the environment of the peers,
      with `made_by_ours` in ours.
    - `sides`: "ours" first; every other runs in the environment of the peers, unless it is in
      `here`.
    - `found`: what a side found, in a form that all sides share; it must be equal, but for what
      `differences` says of a side and a name.
    - `also`: further measures of a result: bytes, requests.
    - `shown`: which measures the table has a line for besides the targets.
    - `turns`: how often a process does the work. The first turn warms up and does not count, unless
      it is the only one: then the sides warm up while they prepare.
    - `wall`: by the clock on the wall, instead of CPU time.
    """

    title: str
    cases: tuple[Case, ...]
    sides: Mapping[str, Side]
    make: Callable[[Path, str], None] = lambda data, case: None
    made_by_ours: bool = False
    here: tuple[str, ...] = ()
    found: Callable[[Any, str], Any] = lambda result, side: None
    also: Callable[[Any, str], dict[str, float]] = lambda result, side: {}
    differences: Mapping[tuple[str, str], str] = field(default_factory=dict)
    shown: tuple[str, ...] = (SECONDS,)
    turns: int = 7
    wall: bool = False
