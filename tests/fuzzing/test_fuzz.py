"""Mutants of every format: only errors of our tree, soon, and in little memory.

The campaigns of `benchmarks/fuzz.py`, with fewer mutants.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fuzzing.seed import TESTS, format_names

MUTANTS = 2_000
MANY_MUTANTS = 20_000

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs fork, /proc and limits of memory"
)


class Campaigns:
    """A process that has made the seeds of all formats and imported what parses them."""

    def __init__(self, count: int, folder: Path) -> None:
        folder.mkdir()
        self.log = folder / "log"
        command = [sys.executable, "-m", "fuzzing.campaign", *format_names()]
        environment = {**os.environ, "PYTHONPATH": str(TESTS), "TMPDIR": str(folder)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--count", str(count), "--asked"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run(self, name: str) -> dict[str, Any]:
        """Return what a campaign of a format found."""
        assert self.process.stdin
        assert self.process.stdout
        with suppress(BrokenPipeError):
            print(name, file=self.process.stdin, flush=True)
        told = self.process.stdout.readline()
        assert told, self.log.read_text(errors="replace")[-3000:]
        found: dict[str, Any] = json.loads(told)
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaigns]:
    campaigns = Campaigns(MUTANTS, tmp_path_factory.mktemp("fuzzing") / "some")
    yield campaigns
    campaigns.end()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaigns]:
    campaigns = Campaigns(MANY_MUTANTS, tmp_path_factory.mktemp("fuzzing") / "many")
    yield campaigns
    campaigns.end()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", format_names())
def test_mutants_give_values_or_errors_of_our_tree(name: str, some: Campaigns) -> None:
    check(some.run(name), MUTANTS)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", format_names())
def test_many_mutants(name: str, many: Campaigns) -> None:
    check(many.run(name), MANY_MUTANTS)


def check(found: dict[str, Any], count: int) -> None:
    assert found["mutants"] == count
    assert not found["bad"], json.dumps(found["bad"][:3], indent=1)
    assert any(not outcome.startswith("refused") for outcome in found["outcomes"])
    assert any(outcome.startswith("refused") for outcome in found["outcomes"])
