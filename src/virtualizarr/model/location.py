"""Locations: the files that references point into, and the codes that stand for none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CombineError
from virtualizarr.model.columns import AffineRun, Column

MISSING = np.uint32(0xFFFF_FFFF)
INLINE = np.uint32(0xFFFF_FFFE)


@dataclass(frozen=True, slots=True)
class Location:
    """A file, and what was known of it when it was parsed.

    Two locations are equal if their URLs are: the other fields are evidence, not identity. `size`
    is in bytes, `last_modified` is timezone-aware; None where the store did not say. A format that
    only holds the latest time at which the file may have been modified gives `unmodified_since`.
    `referrer` is the URL of the file that names this one, None where the reader named it himself:
    what a file of references may lead to is decided when it is read.
    """

    url: str
    size: int | None = field(default=None, compare=False)
    etag: str | None = field(default=None, compare=False)
    last_modified: datetime | None = field(default=None, compare=False)
    unmodified_since: datetime | None = field(default=None, compare=False)
    referrer: str | None = field(default=None, compare=False)

    def agreed(self, other: Location) -> Location:
        """Return what two locations of one URL know together.

        Raises CombineError where they contradict one another: the file changed between two parses.
        """
        known: dict[str, Any] = {}
        for name in EVIDENCE:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is not None and theirs is not None and mine != theirs:
                raise CombineError(
                    f"the file changed between two parses: {name} {mine}, then {theirs}; "
                    "parse it again",
                    url=self.url,
                )
            if mine is None and theirs is not None:
                known[name] = theirs
        if self.referrer is not None and other.referrer is None:
            known["referrer"] = None
        return replace(self, **known) if known else self

    def moved(self, url: str) -> Location:
        """Return the location of the same content at another URL, which its reader has named.

        A copy in a bucket or on a web server has an etag and a time of its own, so only a file that
        stays on local disks keeps them.
        """
        if self.url.startswith(_LOCAL) and url.startswith(_LOCAL):
            return replace(self, url=url, referrer=None)
        return Location(url, self.size)


_LOCAL = "file://"
EVIDENCE = ("size", "etag", "last_modified")


class References(Protocol):
    """The columns of a chunk manifest; see `ChunkManifest` for what they hold."""

    @property
    def locations(self) -> tuple[Location, ...]: ...
    @property
    def location(self) -> npt.NDArray[np.uint32]: ...
    @property
    def offset_column(self) -> npt.NDArray[np.uint64] | AffineRun: ...
    @property
    def length(self) -> Column: ...
    @property
    def inline(self) -> bytes: ...


def no_references(grid_shape: tuple[int, ...]) -> Parts:
    """Return the columns of a grid whose every chunk is missing; they cost nothing."""
    return Parts(
        (),
        np.broadcast_to(MISSING, grid_shape),
        np.broadcast_to(np.uint64(0), grid_shape),
        np.broadcast_to(np.uint32(0), grid_shape),
    )


class Parts(NamedTuple):
    """The columns of a chunk manifest in the order that `ChunkManifest.from_columns` takes them."""

    locations: tuple[Location, ...]
    location: npt.NDArray[np.uint32]
    offset: npt.NDArray[np.uint64] | AffineRun
    length: Column
    inline: bytes = b""
