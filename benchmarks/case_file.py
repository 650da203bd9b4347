"""The local file of a case: made once, opened or parsed by us and by VirtualiZarr 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import references
from benchmarks.cases import Work

DATASET, TREE = "open_virtual_dataset", "open_virtual_datatree"


@dataclass(frozen=True)
class CaseFile:
    """The file of each case of a row; `template` has {} for the name of the case."""

    template: str

    def path(self, data: Path, case: str) -> Path:
        """Return where the file is, below the folder of the data."""
        return data / self.template.format(case.replace(" ", "_"))

    def opened(self, data: Path, case: str, opener: str = DATASET) -> Work:
        """Be our side that opens it to xarray and loads nothing."""
        import virtualizarr

        path = self.path(data, case)
        return partial(getattr(virtualizarr, opener), path, loadable_variables=[])

    def parsed(self, data: Path, case: str) -> Work:
        """Be our side that parses it."""
        import virtualizarr

        return partial(virtualizarr.parse, self.path(data, case))

    def opened_by_2(self, data: Path, case: str, opener: str = DATASET) -> Work:
        """Be the side of VirtualiZarr 2 that opens HDF5 to xarray and loads nothing."""
        import virtualizarr

        url, registry, parser = self._for_2(data, case, "HDFParser")
        opening: Any = partial(getattr(virtualizarr, opener), url, registry=registry)
        return partial(opening, parser=parser, loadable_variables=[])

    def parsed_by_2(self, data: Path, case: str, parser: str = "HDFParser") -> Work:
        """Be the side of VirtualiZarr 2 that parses it."""
        url, registry, parse = self._for_2(data, case, parser)
        return lambda: parse(url, registry)._group

    def _for_2(self, data: Path, case: str, parser: str) -> tuple[str, Any, Any]:
        from virtualizarr import parsers

        url = f"file://{self.path(data, case)}"
        return url, references.peer_registry(), getattr(parsers, parser)()


def made_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file unless it is there; what breaks off half-way leaves none of its name."""
    if not path.exists():
        part = path.with_name(f"part-{path.name}")
        part.unlink(missing_ok=True)
        write(part)
        part.rename(path)
