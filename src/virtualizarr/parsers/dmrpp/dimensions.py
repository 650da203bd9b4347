"""Dimension names of a group's variables.

A shared dimension has its own name; where two of one name are used in a group (its own, and one of
a group above), the later one gets a number behind it. Axes without a shared dimension get phony
ones, as netCDF-C gives them: one for each length, and another where a variable needs two. Phony
numbers go on from group to group, so that no two dimensions of a tree collide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from virtualizarr.parsers.dmrpp.layout import Dim


@dataclass(slots=True)
class DimensionNames:
    """The names used in one group so far; `phony` numbers those of the whole tree."""

    phony: Iterator[int] = field(default_factory=count)
    _shared: dict[str, str] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)
    _phony: dict[int, list[str]] = field(default_factory=dict)

    def below(self) -> DimensionNames:
        """Return the names of another group of the tree."""
        return DimensionNames(self.phony)

    def names_of(self, dims: Sequence[Dim]) -> tuple[str, ...]:
        """Return a name for every axis of a variable."""
        names: list[str] = []
        for dim in dims:
            name = self._phony_name(dim.size, names) if dim.path is None else self._name(dim.path)
            names.append(name)
        return tuple(names)

    def _name(self, path: str) -> str:
        known = self._shared.get(path)
        if known is None:
            base = path.rpartition("/")[2]
            self._used[base] = number = self._used.get(base, 0) + 1
            known = self._shared[path] = base if number == 1 else f"{base}_{number}"
        return known

    def _phony_name(self, size: int, used: Sequence[str]) -> str:
        known = self._phony.setdefault(size, [])
        for name in known:
            if name not in used:
                return name
        known.append(f"phony_dim_{next(self.phony)}")
        return known[-1]
