"""What the conversion of one dataset needs to know of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import Location
from virtualizarr.parsers.hdf5.layout import Hierarchy, Superblock

MAX_FILES = 16
"""How many files a chain of external links or virtual datasets may lead through."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenFile:
    """A file whose hierarchy has been read.

    `paths` names every object by the address of its header, by the first way to it; `trail` holds
    the (URL, path) pairs through which external links and virtual datasets led here.
    """

    location: Location
    superblock: Superblock
    hierarchy: Hierarchy
    paths: Mapping[int, str]
    trail: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        return self.location.url

    @property
    def is_first(self) -> bool:
        """Whether this is the file asked for, not one that it led to."""
        return len(self.trail) <= 1

    @property
    def size(self) -> int | None:
        """Size in bytes; None if neither the store nor the superblock says."""
        known = self.location.size
        return known if known is not None else self.superblock.sizes.end_of_file

    def check_extent(self, address: int, size: int, what: str) -> None:
        """Raise CorruptFileError unless `size` bytes at `address` lie within the file."""
        end = self.size
        if address < 0 or (end is not None and address + size > end):
            raise CorruptFileError(
                f"{what} of {size} bytes reaches past the end of the file"
                + (f" ({end} bytes); is the file truncated?" if end is not None else ""),
                at=address,
            )
