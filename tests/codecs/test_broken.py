"""Truncated, altered and exploding streams: an error of ours, in little memory, never a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hdf5plugin")
pytest.importorskip("imagecodecs")
pytest.importorskip("resource")

PROGRAM = Path(__file__).parents[1] / "codec_abuse.py"
CHUNK = 50 * 80 * 4
MEMORY = 48 << 20


def run(*arguments: str) -> str:
    # Plugins found by the path that hdf5plugin leaves to children may bind to another libhdf5.
    kept = {name: value for name, value in os.environ.items() if name != "HDF5_PLUGIN_PATH"}
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(PROGRAM), *arguments],
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_truncated_and_altered_streams() -> None:
    results: dict[str, dict[str, Any]] = json.loads(run("mutations"))
    assert len(results) == 18
    for name, result in results.items():
        assert result["grown"] < MEMORY, name
        assert result["largest"] <= CHUNK + CHUNK // 64 + 4096, name
        if name not in {"bitshuffle", "zfp"}:
            assert result["outcomes"].get("CorruptFileError", 0) > 0, name


def test_bombs(tmp_path: Path) -> None:
    place = str(tmp_path / "bombs.json")
    run("make bombs", place)
    results: dict[str, dict[str, Any]] = json.loads(run("bombs", place))
    for name, result in results.items():
        assert result["outcomes"] == {"CorruptFileError": 1}, name
        assert result["grown"] < MEMORY, name
