"""Every FITS file at hand: each value equals astropy's, or the file is refused by name."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import fits_oracle
from shared_data import SHARED_DATA
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.fits import FITSParser
from virtualizarr.testing import parse_file, read_values

FOLDER = SHARED_DATA / "fits"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file()) if FOLDER.is_dir() else []
RIGHT_AT_LEAST = {"files": 30, "arrays": 540}


@pytest.mark.skipif(not FILES, reason="the shared files are not here")
def test_values_of_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[tuple[str, str]] = []
    right = {"files": 0, "arrays": 0}
    wrong: list[str] = []
    refused: list[Path] = []
    for path in FILES:
        try:
            group = parse_file(FITSParser(), path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = read_values(group)
        except UnsupportedFeatureError as error:
            refused.append(path)
            rows.append((path.name, f"refused: {error.reason[:60]}"))
            continue
        different = fits_oracle.differences(group, found, path)
        wrong += [f"{path.name}: {name}" for name in different]
        right["files"] += not different
        right["arrays"] += len(found) - len(different)
        rows.append((path.name, f"{len(found)} arrays, {len(different)} wrong"))
    with capsys.disabled():
        print()
        for name, outcome in rows:
            print(f"{name:55} {outcome}")
        print(right, f"refused {len(refused)}, wrong {len(wrong)}")
    assert wrong == []
    assert refused == []
    assert all(right[what] >= least for what, least in RIGHT_AT_LEAST.items())
