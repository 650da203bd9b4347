"""Bombs for every parser and every codec: an error of ours, in little memory and little time.

What is installed is enumerated: a parser or codec without a bomb here fails a test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import pytest

from bombs.codec_bombs import CONFIGURATIONS, ZARR_ONLY, codec_names
from bombs.parser_bombs import BOMBS
from fuzzing.seed import TESTS

pytestmark = [
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="needs /proc and limits of memory"
    ),
    pytest.mark.timeout(600),
]
PARSERS = sorted(point.name for point in entry_points(group="virtualizarr.parsers"))
CODECS = sorted(codec_names("zarr.codecs") | codec_names("numcodecs.codecs"))


def run(*arguments: str) -> dict[str, dict[str, Any]]:
    kept = {name: value for name, value in os.environ.items() if name != "HDF5_PLUGIN_PATH"}
    environment = {**kept, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-W", "ignore", "-m", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return run("bombs.parser_bombs", str(tmp_path_factory.mktemp("bombs")))


@pytest.fixture(scope="module")
def decoded() -> dict[str, dict[str, Any]]:
    return run("bombs.codec_bombs")


@pytest.mark.parametrize("name", PARSERS)
def test_metadata_that_declare_enormous_things(
    name: str, parsed: dict[str, dict[str, Any]]
) -> None:
    assert name in BOMBS, f"the parser {name!r} has no bombs in tests/bombs/parser_bombs.py"
    of_name = {key: each for key, each in parsed.items() if key.split(" ")[0] == name}
    assert of_name
    for key, event in of_name.items():
        assert not event["bad"], f"{key}: {event['outcome']} {event['text']}\n{event['trace']}"


@pytest.mark.parametrize("name", CODECS)
def test_streams_that_hold_more_than_a_chunk(name: str, decoded: dict[str, dict[str, Any]]) -> None:
    if name in ZARR_ONLY:
        path, _, test = ZARR_ONLY[name].partition("::")
        assert f"def {test}(" in (TESTS.parent / path).read_text()
        return
    assert name in CONFIGURATIONS, f"the codec {name!r} has no bombs in tests/bombs/codec_bombs.py"
    of_name = {key: each for key, each in decoded.items() if key.split(" ")[0] == name}
    assert of_name
    for key, result in of_name.items():
        assert not result["bad"], f"{key}: {result['bad']}"
        assert result["largest"] <= result["allowed"], key


def test_the_bombs_are_not_duds(decoded: dict[str, dict[str, Any]]) -> None:
    """Codecs whose streams can hold anything refuse some of them."""
    for name in ("bounded", "bitshuffle", "blosc2", "imagecodecs", "lzf", "lz4", "tiff"):
        outcomes = [each["outcomes"] for key, each in decoded.items() if key.startswith(name)]
        assert any(found.get("CorruptFileError", 0) > 0 for found in outcomes), name
