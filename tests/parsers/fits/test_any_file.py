"""FITS files of random make, value for value with astropy."""

from __future__ import annotations

from pathlib import Path

import pytest

import fits_oracle
from random_files import write_apart
from virtualizarr.parsers.fits import FITSParser
from virtualizarr.testing import parse_file, read_values


@pytest.mark.parametrize(
    ("first", "count"), [(0, 120), pytest.param(10_000, 2_000, marks=pytest.mark.long)]
)
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")
def test_all_that_was_written_reads_right(tmp_path: Path, first: int, count: int) -> None:
    wrong: list[str] = []
    right = 0
    # In a process of its own: astropy's HCOMPRESS may write where it must not.
    for path in write_apart("parsers.fits.any_file", tmp_path, first, count):
        group = parse_file(FITSParser(), path)
        found = read_values(group)
        different = fits_oracle.differences(group, found, path)
        wrong += [f"{name} of {path.name}" for name in different]
        right += len(found) - len(different)
    assert not wrong
    assert right > 3 * count
