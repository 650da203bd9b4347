"""What the netCDF C library finds in files, asked in another process: it may crash on broken ones.

Run as a program it reads paths from standard input and writes one pickle for each.
"""

from __future__ import annotations

import io
import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MEMORY = 1024**3

type Found = tuple[dict[str, Any], dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]]


def found_in(path: Path | str) -> Found:
    """Return global attributes, and dimensions, undecoded values and attributes by variable."""
    import netCDF4
    import numpy as np

    with netCDF4.Dataset(path) as dataset:
        dataset.set_auto_maskandscale(False)
        dataset.set_auto_chartostring(False)
        variables = {
            name: (variable.dimensions, np.asarray(variable[...]), _attributes(variable))
            for name, variable in dataset.variables.items()
        }
        return _attributes(dataset), variables


def found_elsewhere(paths: Sequence[Path]) -> dict[Path, Found | None]:
    """Return what is found in each file; None where the library fails or crashes."""
    found: dict[Path, Found | None] = {}
    rest = list(paths)
    while rest:
        text = "\n".join(map(os.fspath, rest)).encode()
        done = subprocess.run([sys.executable, __file__], input=text, capture_output=True)
        answers = io.BytesIO(done.stdout)
        count = 0
        while answers.tell() < len(done.stdout):
            found[rest[count]] = pickle.load(answers)
            count += 1
        if count < len(rest):
            found[rest[count]] = None
        rest = rest[count + 1 :]
    return found


def _attributes(thing: Any) -> dict[str, Any]:
    return {name: thing.getncattr(name) for name in thing.ncattrs()}


def _answer_all() -> None:
    """Answer for each path; with little memory, for the library allocates what a file declares."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for path in sys.stdin.read().splitlines():
        try:
            answer: Found | None = found_in(path)
        except (OSError, ValueError, RuntimeError, MemoryError):
            answer = None
        sys.stdout.buffer.write(pickle.dumps(answer))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _answer_all()
