"""From what was measured to lines of the table: medians, equality, targets, growth."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import log
from typing import Any

from benchmarks.cases import OURS, SECONDS, Case, Row, Target

type Rounds = Sequence[Mapping[str, Any]]
"""What the processes of one side answered, one after the other."""

GROWTH = 1.05
"""The exponent that counts as 1: measuring twice gives as much difference."""
NAMED = 3
DIFFER = "**RESULTS DIFFER**"
LEFT_OUT = "takes too long for a quick run"


@dataclass(frozen=True)
class Line:
    """One comparison: our figure, that of a peer or of a limit, and the target."""

    row: str
    case: str
    measure: str
    ours: float | None
    against: str
    theirs: float | None
    limit: float | None
    absolute: bool
    note: str

    @property
    def ratio(self) -> float | None:
        if self.ours is None or not self.theirs:
            return None
        return self.ours / self.theirs

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing to compare with."""
        if self.limit is None:
            return None
        figure = self.ours if self.absolute else self.ratio
        if figure is None:
            return False if self.ours is None else None
        return figure <= self.limit

    @property
    def verdict(self) -> str:
        words = {True: "reached", False: "**falls short**", None: ""}[self.reached]
        return "; ".join(part for part in (words, self.note) if part)

    @property
    def failed(self) -> bool:
        """Whether we have no figure, or found something else than the peer."""
        return self.ours is None or DIFFER in self.note

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "reached": self.reached}


def lines_of(name: str, row: Row, case: Case, rounds: Mapping[str, Rounds]) -> list[Line]:
    """Return the lines of one case, from what each side's processes answered.

    A side that has no rounds was left out; its lines say so.
    """
    ours = _Side(rounds[OURS])
    lines = []
    for peer in [side for side in rounds if side != OURS]:
        theirs = _Side(rounds[peer])
        note = theirs.error or ours.error or _agreement(row, peer, ours.found, theirs.found)
        if not rounds[peer]:
            note = LEFT_OUT
        measures = {t.measure for t in case.targets if t.peer == peer} | set(row.shown)
        for measure in sorted(measures, key=lambda each: (each != SECONDS, each)):
            target = _target(case, peer, measure)
            lines.append(
                Line(
                    name,
                    case.name,
                    measure,
                    ours.figure(measure),
                    peer,
                    theirs.figure(measure),
                    target.limit if target is not None else None,
                    False,
                    note if measure == SECONDS or measure == row.shown[0] else "",
                )
            )
    lines += [
        Line(
            name,
            case.name,
            target.measure,
            ours.figure(target.measure),
            "",
            None,
            target.limit,
            True,
            ours.error,
        )
        for target in case.targets
        if target.peer is None
    ]
    if not lines:
        figures = [(measure, ours.figure(measure)) for measure in row.shown]
        lines = [
            Line(name, case.name, measure, figure, "", None, None, True, ours.error)
            for measure, figure in figures
        ]
    return lines


def growth(name: str, row: Row, lines: Sequence[Line]) -> list[str]:
    """Return how our time grows with size, for each series that was run at several sizes."""
    sizes = {case.name: case for case in row.cases}
    series: dict[str, dict[float, float]] = {}
    for line in lines:
        if line.row == name and line.measure == SECONDS and line.ours and sizes[line.case].size:
            case = sizes[line.case]
            series.setdefault(case.series, {})[case.size] = line.ours
    out = []
    for label, points in series.items():
        (small, quick), (large, slow) = min(points.items()), max(points.items())
        if large > small:
            exponent = log(slow / quick) / log(large / small)
            verdict = "at most 1" if exponent <= GROWTH else "**more than 1**"
            out.append(
                f"| {name} | {label} | {small:,.0f} to {large:,.0f} | {exponent:.2f} | {verdict} |"
            )
    return out


class _Side:
    """The medians over the rounds of one side: of its time, over every turn that counted."""

    def __init__(self, rounds: Rounds) -> None:
        self.error = next((f"{each['error']}" for each in rounds if "error" in each), "")
        done = [each for each in rounds if "measures" in each]
        self.found = done[0]["found"] if done else None
        measures = [each["measures"] for each in done]
        self.figures = {
            key: statistics.median(each[key] for each in measures)
            for key in (measures[0] if measures else {})
        }
        if done:
            turns = [second for each in done for second in each["seconds"]]
            self.figures[SECONDS] = statistics.median(turns)

    def figure(self, measure: str) -> float | None:
        return self.figures.get(measure)


def _target(case: Case, peer: str, measure: str) -> Target | None:
    found = [each for each in case.targets if each.peer == peer and each.measure == measure]
    return found[0] if found else None


def _agreement(row: Row, peer: str, ours: Any, theirs: Any) -> str:
    """Return nothing if both found the same, else what differs, with the reason if it is known."""
    if ours is None or theirs is None or ours == theirs:
        return ""
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return _explained(row, peer, ["values"])
    names = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    return _explained(row, peer, names)


def _explained(row: Row, peer: str, names: list[str]) -> str:
    whole = row.differences.get((peer, "*"))
    known = [row.differences.get((peer, name), whole) for name in names]
    unknown = [name for name, reason in zip(names, known, strict=True) if reason is None]
    if unknown:
        shown = ", ".join(unknown[:NAMED])
        return f"{DIFFER} in {len(unknown)}: {shown}"
    return "; ".join(dict.fromkeys(reason for reason in known if reason is not None))
