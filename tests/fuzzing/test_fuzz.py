"""Mutants of every format: only errors of our tree, soon, and in little memory.

The campaigns of `benchmarks/fuzz.py`, with fewer mutants.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from fuzzing.seed import TESTS, format_names

MUTANTS = 500
MANY_MUTANTS = 20_000

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs fork, /proc and limits of memory"
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", format_names())
def test_mutants_give_values_or_errors_of_our_tree(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fuzzed(name, MUTANTS, tmp_path_factory)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", format_names())
def test_many_mutants(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    fuzzed(name, MANY_MUTANTS, tmp_path_factory)


def fuzzed(name: str, count: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    compiled = tmp_path_factory.getbasetemp().parent / "compiled"
    command = [sys.executable, "-m", "fuzzing.campaign", name, "--count", str(count)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(TESTS),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(compiled),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["mutants"] == count
    assert not found["bad"], json.dumps(found["bad"][:3], indent=1)
    assert any(not outcome.startswith("refused") for outcome in found["outcomes"])
    assert any(outcome.startswith("refused") for outcome in found["outcomes"])
