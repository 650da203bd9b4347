"""Files of random make, value for value and attribute for attribute with h5py."""

from __future__ import annotations

from pathlib import Path

import pytest

from parsers.hdf5.corpus import compare_files, table
from random_files import write_apart

RIGHT = {"right", "attribute right"}
REFUSABLE = (
    "chunks of one stored length that skipped different filters cannot be told apart",
    "are no pixel: szip lost them",
)
"""What chance brings about: what the file does not tell, and what libhdf5 did not write."""


@pytest.mark.parametrize(
    ("first", "count"), [(0, 60), pytest.param(10_000, 2_000, marks=pytest.mark.long)]
)
@pytest.mark.timeout(1800)
def test_all_that_was_written_reads_right(tmp_path: Path, first: int, count: int) -> None:
    # In a process of its own: h5py and netCDF4 may each bring a libhdf5.
    verdicts = compare_files(write_apart("parsers.hdf5.any_file", tmp_path, first, count))
    refused = [
        note for verdict in verdicts for note in verdict.notes if note.startswith("refused: ")
    ]
    assert all(any(reason in note for reason in REFUSABLE) for note in refused), refused
    assert len(refused) <= count / 500
    kinds = {kind for verdict in verdicts for kind in verdict.counts}
    assert kinds <= RIGHT | {"refused"}, table(verdicts)
    assert sum(verdict.counts["right"] for verdict in verdicts) > 8 * count
