"""The walk over files in the wild, compared with h5py's own view of them.

h5py looks at them in a process of its own, for some make libhdf5 crash.
"""

from __future__ import annotations

import hashlib
import pickle
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parsers.hdf5.structures import h5py_view
from parsers.hdf5.structures.our_view import differences, opened
from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf5.layout import BrokenObject

DATA = Path(__file__).parents[5] / "shared" / "data"
FOLDERS = ["hdf5", "hdf5-corpus", "mat73"]
PATIENCE = 30  # seconds that h5py may look at one file


def files() -> list[Path]:
    """Return every file of the corpora, one of each content."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((DATA / folder).rglob("*")):
            if path.is_file():
                found.setdefault(hashlib.md5(path.read_bytes()).digest(), path)
    return list(found.values())


class Witness:
    """h5py in another process, started anew when it dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def view(self, path: Path) -> Any:
        """Return h5py's view; the error's text if it raises; None if it crashes."""
        if self._process is None:
            command = [sys.executable, h5py_view.__file__]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{path}\n".encode())
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        size = int.from_bytes(process.stdout.read(8), "little") if ready else 0
        if not size:
            self.close()
            return None
        return pickle.loads(process.stdout.read(size))

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture(scope="module")
def witness() -> Iterator[Witness]:
    witness = Witness()
    yield witness
    witness.close()


@pytest.mark.skipif(not DATA.is_dir(), reason="the corpora are not here")
@pytest.mark.parametrize("folder", FOLDERS)
def test_corpus(witness: Witness, folder: str) -> None:
    tally: Counter[str] = Counter()
    wrong = []
    for path in files():
        name = str(path.relative_to(DATA))
        if not name.startswith(folder + "/"):
            continue
        seen = witness.view(path)
        try:
            hierarchy = opened(path.read_bytes())[1]
        except VirtualizeError as error:
            tally["error of ours, h5py " + ("opens" if isinstance(seen, dict) else "fails")] += 1
            if isinstance(seen, dict):
                wrong.append((name, error))
            continue
        if isinstance(seen, dict):
            differ = differences(hierarchy, seen)
            tally["differ" if differ else "agree"] += 1
            if differ:
                wrong.append((name, differ))
        else:
            broken = any(isinstance(each, BrokenObject) for each in hierarchy.objects.values())
            opens = "opens in part" if broken else "opens"
            tally[f"{opens}, h5py {'crashes' if seen is None else 'fails'}"] += 1
    assert wrong == [], tally
    assert tally["agree"] > 0
