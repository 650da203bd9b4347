"""On what machine, when and under what load something was measured."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """The machine, and the load (runnable processes, mean of a minute) before and after."""

    date: str
    cpus: int
    processor: str
    python: str
    load: tuple[float, ...]

    @classmethod
    def now(cls) -> Self:
        """Return this machine at this time."""
        return cls(
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            os.cpu_count() or 1,
            _processor(),
            platform.python_version(),
            (os.getloadavg()[0],),
        )

    def until_now(self) -> Self:
        """Return the same with the load of now besides that of before."""
        return replace(self, load=(*self.load, os.getloadavg()[0]))

    def __str__(self) -> str:
        load = " to ".join(f"{each:.1f}" for each in self.load)
        return (
            f"Measured {self.date} on {self.cpus} CPUs ({self.processor}), load {load}, "
            f"Python {self.python}"
        )


def _processor() -> str:
    """Return the name of the processor, or of its architecture."""
    try:
        found = re.search(r"model name\s*: (.*)", CPUINFO.read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()
