"""TIFF files of random make, value for value with tifffile, or GDAL where that cannot read them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from random_files import TESTS, write_apart

for package in ("imagecodecs", "tifffile", "rasterio"):
    pytest.importorskip(package)

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("first", "count"), [(0, 150), pytest.param(10_000, 3_000, marks=pytest.mark.long)]
)
@pytest.mark.timeout(1800)
def test_all_that_was_written_reads_right(tmp_path: Path, first: int, count: int) -> None:
    paths = write_apart("parsers.tiff.any_file", tmp_path, first, count)
    done = subprocess.run(
        [sys.executable, str(HERE / "corpus_worker.py")],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(TESTS)},
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(paths) > count // 2
    assert not [each for each in found if each["outcome"] not in ("right", "unreadable")]
    counts = Counter(each["outcome"] for each in found)
    assert counts["right"] > 0.95 * len(found), counts
