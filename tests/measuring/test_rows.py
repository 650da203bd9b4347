"""The rows of the benchmarks are well formed, and a worker measures them apart from one another."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from benchmarks import peers, run
from benchmarks.case_file import made_whole
from benchmarks.cases import OURS, Row

ROWS = Path(run.HERE) / "rows"


def row_named(name: str) -> Row:
    row: Row = importlib.import_module(f"benchmarks.rows.{name}").ROW
    return row


def test_every_module_is_run() -> None:
    modules = {path.stem for path in ROWS.glob("*.py")} - {"__init__"}
    assert modules == set(run.ROWS)


@pytest.mark.parametrize("name", run.ROWS)
def test_targets_and_sides_fit_together(name: str) -> None:
    row = row_named(name)
    assert next(iter(row.sides)) == OURS
    assert len({case.name for case in row.cases}) == len(row.cases)
    assert any(case.targets for case in row.cases)
    for case in row.cases:
        named = {*case.skip, *case.slow, *row.here, *(t.peer for t in case.targets if t.peer)}
        assert named <= row.sides.keys()
        assert OURS not in named


@pytest.mark.parametrize("name", run.ROWS)
def test_the_quick_run_has_every_peer_of_every_row(name: str) -> None:
    row = row_named(name)
    quick = [case for case in row.cases if case.quick]
    for side in row.sides:
        assert any(side not in (*case.skip, *case.slow) for case in quick), side


def test_a_worker_goes_on_after_an_error() -> None:
    with peers.Worker(sys.executable, ()) as worker:
        for _ in range(2):
            answer = worker.measure("no_such_row", "case", OURS, 1)
            assert "ModuleNotFoundError" in answer["error"]


def test_a_worker_that_cannot_begin_says_why() -> None:
    with peers.Worker(sys.executable, ("not_installed", "benchmarks.missing")) as worker:
        assert "benchmarks.missing" in worker.measure("tiff", "case", OURS, 1)["error"]


def test_a_file_half_written_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"

    def breaks_off(part: Path) -> None:
        part.write_bytes(b"half")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        made_whole(path, breaks_off)
    assert not path.exists()
    made_whole(path, lambda part: part.write_bytes(b"whole"))
    assert path.read_bytes() == b"whole"
    made_whole(path, breaks_off)
    assert path.read_bytes() == b"whole"
