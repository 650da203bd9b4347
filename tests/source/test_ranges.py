"""Planning of requests: every wanted range lies in its request, and gaps obey the rule."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from virtualizarr.source.ranges import ByteRange, CoalesceRule, as_columns, coalesce

ranges = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 800)), max_size=40)
rules = st.builds(CoalesceRule, max_gap=st.integers(0, 500), max_size=st.integers(1, 3000))


@given(ranges, rules)
def test_requests_hold_what_is_wanted_and_obey_the_rule(
    wanted: list[tuple[int, int]], rule: CoalesceRule
) -> None:
    starts, stops = as_columns([ByteRange(a, a + n) for a, n in wanted])
    begins, ends, holder = coalesce(starts, stops, rule)
    assert len(holder) == len(wanted)
    assert (begins[holder] <= starts).all()
    assert (stops <= ends[holder]).all()
    assert (np.diff(begins) >= 0).all()
    assert set(holder.tolist()) == set(range(len(begins)))
    for j in range(len(begins)):
        mine = sorted(zip(starts[holder == j].tolist(), stops[holder == j].tolist(), strict=True))
        assert begins[j] == mine[0][0]
        assert ends[j] == max(stop for _, stop in mine)
        reach = mine[0][1]
        for start, stop in mine[1:]:
            assert start - reach <= rule.max_gap
            reach = max(reach, stop)
        longest = max(stop - start for start, stop in mine)
        assert ends[j] - begins[j] <= max(rule.max_size, longest + mine[0][1] - mine[0][0])


@given(ranges, st.integers(0, 500))
def test_without_a_size_limit_no_two_requests_could_have_been_one(
    wanted: list[tuple[int, int]], gap: int
) -> None:
    starts, stops = as_columns([ByteRange(a, a + n) for a, n in wanted])
    begins, ends, _ = coalesce(starts, stops, CoalesceRule(max_gap=gap, max_size=10**9))
    assert (begins[1:] - ends[:-1] > gap).all()


def test_nothing_wanted_is_no_request() -> None:
    begins, ends, holder = coalesce(*as_columns([]), CoalesceRule())
    assert len(begins) == len(ends) == len(holder) == 0
