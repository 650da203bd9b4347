"""Every TIFF file of the shared corpus, value for value with tifffile, or GDAL where that cannot.

`python tests/parsers/tiff/corpus_worker.py < paths` says what each file gives.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

for package in ("imagecodecs", "tifffile", "rasterio"):
    pytest.importorskip(package)

pytestmark = pytest.mark.timeout(600)

HERE = Path(__file__).parent
CORPUS = Path(__file__).parents[4] / "shared/data/tiff"
LEAST_RIGHT = 218
MOST_REFUSED = 1
"""A file that ends inside its IFD; tifffile guesses the rest."""


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    paths = [str(path) for path in sorted(CORPUS.rglob("*")) if path.is_file()]
    if not paths:
        pytest.skip("shared data are not here")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(HERE / "corpus_worker.py")],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(HERE.parents[1])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(paths)
    return found


def test_nothing_is_wrong_and_nothing_crashes(results: list[dict[str, Any]]) -> None:
    bad = [result for result in results if result["outcome"] in ("wrong", "crash")]
    assert not bad


def test_most_is_right(results: list[dict[str, Any]]) -> None:
    counts = Counter(result["outcome"] for result in results)
    print(f"right / refused by name / wrong: {counts}")
    assert counts["right"] >= LEAST_RIGHT, counts
    assert counts["refused"] <= MOST_REFUSED, counts


CAUSES = {
    "truncated: strips, tiles or values end beyond the file": (
        *("ends beyond", "end beyond", "the file is truncated", "the file ends inside"),
        "reaches beyond",
    ),
    "corrupt streams": ("codec virtualizarr.tiff",),
    "a chain of IFDs that runs in a circle": ("circle",),
    "tables much too short": ("offsets for",),
    "what no reader knows": ("predictor 255", "chroma subsampled", "with compression 'ccittrle'"),
    "read here, and no oracle can": ("read here, no oracle",),
    "too large to compare": ("too many to compare",),
}


def test_what_is_not_right_has_a_known_cause(results: list[dict[str, Any]]) -> None:
    table: Counter[str] = Counter()
    unknown = []
    for result in results:
        reason = result["reason"]
        if result["outcome"] == "right":
            continue
        cause = next((c for c, parts in CAUSES.items() if any(p in reason for p in parts)), None)
        table[f"{result['outcome']}: {cause}"] += 1
        if cause is None:
            unknown.append(result)
    print("\n".join(f"{count:4} {cause}" for cause, count in table.most_common()))
    assert not unknown
