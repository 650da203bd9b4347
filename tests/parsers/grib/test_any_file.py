"""GRIB files of random make, value for value with ecCodes."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

import grib_oracle
from parsers.grib.any_file import write_any
from parsers.grib.test_corpus import check

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")


@pytest.mark.parametrize(
    ("first", "count"), [(0, 20), pytest.param(10_000, 700, marks=pytest.mark.long)]
)
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")
def test_all_that_was_written_reads_right(tmp_path: Path, first: int, count: int) -> None:
    table: Counter[str] = Counter()
    path = tmp_path / "any.grib"
    written = 0
    for seed in range(first, first + count):
        messages = write_any(path, seed)
        if messages:
            try:
                check(path, tmp_path, table)
            except subprocess.CalledProcessError:  # ecCodes dies of what it wrote itself
                continue
        written += messages
    assert written > count
    assert table.total() == table["right"] > 0.99 * written  # of few ecCodes finds no values
