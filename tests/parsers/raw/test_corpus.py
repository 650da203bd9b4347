"""Every raw raster, NIfTI image and SAFE product of the shared corpus, value for value."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rasterio")
pytest.importorskip("nibabel")

HERE = Path(__file__).parent
CORPUS = Path(__file__).parents[4] / "shared/data"
HEADERS = (".hdr", ".sta", ".rsc", ".lbl", ".xml", ".safe")

LEAST_RIGHT = {
    "raw-envi": 6,
    "raw-ehdr": 2,
    "raw-isis3": 2,
    "raw-pds": 2,
    "raw-pds4": 2,
    "raw-roipac": 1,
    "raw-vicar": 11,
    "nifti": 3,
    "safe": 1,
}
"""The one that is refused is cut off: an EHdr raster whose last byte is missing."""


def files() -> list[tuple[str, Path]]:
    """Return formats and files: of header and data the one that GDAL takes."""
    found: list[tuple[str, Path]] = []
    for kind in LEAST_RIGHT:
        if kind == "safe":
            found += [(kind, each) for each in (CORPUS / kind).rglob("*.SAFE")]
            continue
        for path in sorted((CORPUS / kind).rglob("*")):
            labelled = kind in ("raw-pds", "raw-pds4", "raw-isis3")
            is_label = path.suffix.lower() in (".lbl", ".xml")
            beside = path.with_suffix(".lbl").exists() or path.with_suffix(".xml").exists()
            skip = (beside and not is_label) if labelled else path.suffix.lower() in HEADERS
            if path.is_file() and not skip:
                found.append((kind, path))
    return found


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    asked = files()
    if not asked:
        pytest.skip("shared data are not here")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(HERE / "corpus_worker.py")],
        input="\n".join(f"{kind}\t{path}" for kind, path in asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(asked)
    return found


def test_nothing_is_wrong_and_nothing_crashes(results: list[dict[str, Any]]) -> None:
    bad = [result for result in results if result["outcome"] in ("wrong", "crash")]
    assert not bad


def test_all_that_is_whole_is_right(results: list[dict[str, Any]]) -> None:
    counts = Counter((result["format"], result["outcome"]) for result in results)
    print(f"right / refused by name / wrong: {counts}")
    assert {kind: counts[kind, "right"] for kind in LEAST_RIGHT} == LEAST_RIGHT
    refused = [result["reason"] for result in results if result["outcome"] == "refused"]
    assert len(refused) == 1, refused
    assert "truncated" in refused[0]


def test_headers_lead_to_the_same_arrays(results: list[dict[str, Any]]) -> None:
    import virtualizarr

    compared = 0
    for result in results:
        path = Path(result["path"])
        names = (path.with_suffix(".hdr"), path.with_name(f"{path.name}.rsc"))
        for header in (name for name in names if result["outcome"] == "right"):
            if header.exists() and header != path:
                assert virtualizarr.parse(header) == virtualizarr.parse(path)
                compared += 1
    assert compared == 9
