"""What the makers of random files share: choices by a generator, and files made in a process.

`cd tests; python -m parsers.FORMAT.any_file FOLDER FIRST COUNT` writes files to look at: one for
each seed from FIRST on, but those that their writer refuses.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

type Rng = np.random.Generator

TESTS = Path(__file__).parent


def pick[T](rng: Rng, options: Sequence[T]) -> T:
    """Return one of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def often(rng: Rng, probability: float) -> bool:
    """Return True with this probability."""
    return bool(rng.random() < probability)


def write_by_seeds(write: Callable[[Path, int], Any], suffix: str) -> None:
    """Write the files that the command line asks for: a folder, the first seed, how many."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for seed in range(first, first + count):
        write(folder / f"any_{seed:06}{suffix}", seed)


def write_apart(maker: str, folder: Path, first: int, count: int) -> list[Path]:
    """Run a maker in a process of its own, for its libraries may crash or clash; return the files.

    `maker` is a module of the tests that calls `write_by_seeds` when it is run.
    """
    command = [sys.executable, "-W", "ignore", "-m", maker, str(folder), str(first), str(count)]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    subprocess.run(command, check=True, env=environment)
    return sorted(folder.iterdir())
