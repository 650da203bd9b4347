"""Every HDF5 file of the shared corpora, value for value and attribute for attribute with h5py.

`python tests/parsers/hdf5/corpus.py --notes FILE_OR_FOLDER...` prints the table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from parsers.hdf5.corpus import Verdict, compare_files, table

SHARED = Path(__file__).parents[4] / "shared/data"
FOLDERS = ("hdf5", "hdf5-corpus", "mat73")
WRONG = ("wrong", "crash", "attribute missing")

LEAST_RIGHT = 1400
"""Datasets that were right when this was written: 1404."""


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    files = [p for name in FOLDERS for p in sorted((SHARED / name).rglob("*")) if p.is_file()]
    if not files:
        pytest.skip("shared data are not here")
    return compare_files(files)


def test_nothing_is_wrong_and_nothing_crashes(verdicts: list[Verdict]) -> None:
    wrong = [note for each in verdicts for note in each.notes if note.startswith(WRONG)]
    assert not wrong, table(verdicts)
    assert not any(verdict.counts[kind] for verdict in verdicts for kind in WRONG)


def test_most_is_right(verdicts: list[Verdict]) -> None:
    assert sum(verdict.counts["right"] for verdict in verdicts) >= LEAST_RIGHT, table(verdicts)


def test_attributes_differ_only_where_h5py_has_no_path_for_a_reference(
    verdicts: list[Verdict],
) -> None:
    notes = [n for each in verdicts for n in each.notes if n.startswith("attribute differs")]
    assert all("REF" in note for note in notes), notes
