"""The table of the fuzzing run: what came of the mutants of all batches together."""

from __future__ import annotations

import pytest
from benchmarks.fuzz import BATCH, COLUMNS, Tally, batches


def found(outcomes: dict[str, int], *bad: str) -> dict[str, object]:
    events = [
        {"outcome": each, "where": "a.py:1 f", "text": "why", "k": k, "seed": "s", "salt": "0"}
        for k, each in enumerate(bad)
    ]
    return {
        "seeds": 3,
        "mutants": sum(outcomes.values()),
        "outcomes": outcomes,
        "slowest": 0.5,
        "grown": 2_000_000,
        "bad": events,
    }


def test_batches_are_counted_together_by_kind() -> None:
    tally = Tally("tiff")
    tally.add(found({"read": 5, "refused by CorruptFileError": 4}))
    tally.add(
        found(
            {"death": 1, "hang": 1, "stall": 1, "memory": 1, "foreign KeyError": 2, "read": 1},
            *("death", "hang", "stall", "memory", "foreign KeyError", "foreign KeyError"),
        )
    )
    row = dict(zip(COLUMNS, tally.row().split(maxsplit=len(COLUMNS) - 3), strict=False))
    assert row["mutants"] == "16"
    assert (row["parsed"], row["refused"]) == ("6", "4")
    assert (row["deaths"], row["hangs"], row["memory"]) == ("1", "2", "1")
    assert tally.row().split()[8] == "2"
    assert [line for line in tally.findings() if " x " in line][-1].startswith("    2 x foreign")


@pytest.mark.parametrize("count", [1, BATCH, BATCH + 1, 10 * BATCH])
def test_batches_have_all_mutants_and_seeds_of_their_own(count: int) -> None:
    made = list(batches("7", count))
    assert sum(size for _, size in made) == count
    assert len({salt for salt, _ in made}) == len(made)
    assert made[0] == ("7", min(count, BATCH))
