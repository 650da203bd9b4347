"""FITS files of random make, value for value with astropy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fits_oracle
from virtualizarr.parsers.fits import FITSParser
from virtualizarr.testing import parse_file, read_values

WRITER = Path(__file__).with_name("any_file.py")


@pytest.mark.parametrize(
    ("first", "count"), [(0, 120), pytest.param(10_000, 2_000, marks=pytest.mark.long)]
)
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")
def test_all_that_was_written_reads_right(tmp_path: Path, first: int, count: int) -> None:
    # In a process of its own: astropy's HCOMPRESS may write where it must not.
    subprocess.run([sys.executable, WRITER, tmp_path, str(first), str(count)], check=True)
    wrong: list[str] = []
    right = 0
    for path in sorted(tmp_path.iterdir()):
        group = parse_file(FITSParser(), path)
        found = read_values(group)
        different = fits_oracle.differences(group, found, path)
        wrong += [f"{name} of {path.name}" for name in different]
        right += len(found) - len(different)
    assert not wrong
    assert right > 3 * count
