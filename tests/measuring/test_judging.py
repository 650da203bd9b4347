"""What the benchmarks make of measurements: medians, targets, what differs, growth."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.cases import Case, Row, Target
from benchmarks.judging import DIFFER, LEFT_OUT, Line, growth, lines_of


def answer(*seconds: float, found: Any = None, **measures: float) -> dict[str, Any]:
    return {"seconds": list(seconds), "measures": measures, "found": found}


def row_of(*cases: Case, **options: Any) -> Row:
    sides = {"ours": lambda data, case: lambda: None, "peer": lambda data, case: lambda: None}
    return Row("a row", cases, sides, **options)


def only_line(case: Case, row: Row, ours: list[Any], theirs: list[Any]) -> Line:
    (line,) = lines_of("row", row, case, {"ours": ours, "peer": theirs})
    return line


def test_the_median_is_of_all_turns_of_all_rounds() -> None:
    case = Case("c", (Target(0.5, "peer"),))
    line = only_line(case, row_of(case), [answer(1, 9), answer(2, 3, 100)], [answer(8)])
    assert (line.ours, line.theirs, line.ratio) == (3, 8, 3 / 8)
    assert line.reached is True


@pytest.mark.parametrize(("ours", "reached"), [(0.999, True), (1.0, True), (1.001, False)])
def test_a_target_is_a_share_of_the_peer(ours: float, reached: bool) -> None:
    case = Case("c", (Target(1 / 4, "peer"),))
    line = only_line(case, row_of(case), [answer(ours)], [answer(4)])
    assert line.reached is reached
    assert ("falls short" in line.verdict) is not reached


def test_a_target_of_another_measure_is_a_figure() -> None:
    case = Case("c", (Target(4, measure="rounds"),))
    row = row_of(case)
    rounds = {"ours": [answer(1, rounds=5)], "peer": [answer(2)]}
    time, rounds_line = lines_of("row", row, case, rounds)
    assert (time.measure, time.reached) == ("seconds", None)
    assert (rounds_line.ours, rounds_line.absolute, rounds_line.reached) == (5, True, False)


def test_a_peer_left_out_has_a_line_that_says_so() -> None:
    case = Case("c", (Target(1 / 4, "peer"),))
    line = only_line(case, row_of(case), [answer(1, found=[1])], [])
    assert (line.theirs, line.ratio, line.reached) == (None, None, None)
    assert line.verdict == LEFT_OUT
    assert not line.failed


def test_different_results_are_a_failure_unless_explained() -> None:
    case = Case("c")
    ours, theirs = [answer(1, found={"v": [1], "w": [2]})], [answer(2, found={"v": [1], "w": [3]})]
    line = only_line(case, row_of(case), ours, theirs)
    assert line.failed
    assert line.note == f"{DIFFER} in 1: w"
    known = row_of(case, differences={("peer", "w"): "they count from one"})
    line = only_line(case, known, ours, theirs)
    assert not line.failed
    assert line.note == "they count from one"


def test_an_error_of_ours_is_a_failure_and_falls_short() -> None:
    case = Case("c", (Target(1 / 4, "peer"),))
    line = only_line(case, row_of(case), [{"error": "ValueError: no"}], [answer(2)])
    assert line.failed
    assert line.reached is False
    assert "ValueError: no" in line.verdict


def test_an_error_of_the_peer_is_told() -> None:
    case = Case("c", (Target(1 / 4, "peer"),))
    line = only_line(case, row_of(case), [answer(1)], [{"error": "it raised"}])
    assert (line.failed, line.reached, line.verdict) == (False, None, "it raised")


@pytest.mark.parametrize(
    ("seconds", "exponent", "verdict"), [(10, "1.00", "at most 1"), (100, "2.00", "more than 1")]
)
def test_growth_is_the_exponent_between_the_ends(
    seconds: float, exponent: str, verdict: str
) -> None:
    cases = (Case("small", (), "kind", 10), Case("large", (), "kind", 100), Case("other"))
    row = row_of(*cases)
    took = {"small": 1.0, "large": seconds, "other": 7.0}
    lines = [only_line(c, row, [answer(took[c.name])], [answer(1)]) for c in cases]
    (text,) = growth("row", row, lines)
    assert exponent in text
    assert verdict in text
    assert "10 to 100" in text
