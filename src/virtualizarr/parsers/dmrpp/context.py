"""What converting a document needs to know at every turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.model import Location
from virtualizarr.parsers.dmrpp.layout import Pieces
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading


@dataclass(frozen=True, slots=True)
class Context:
    """`locations` are the data files by the `href` that names them, None for the document's own.

    `size` is the bytes of the document.
    """

    locations: Mapping[str | None, Location]
    size: int

    def locations_of(self, pieces: Pieces) -> tuple[Location, ...]:
        """Return the files that `pieces.href` codes."""
        return tuple(self.locations[href] for href in pieces.hrefs)

    def check_extents(self, pieces: Pieces) -> None:
        """Raise CorruptFileError if a piece ends after its file, where the file's size is known."""
        for code, location in enumerate(self.locations_of(pieces)):
            ends = (pieces.offset + pieces.length)[pieces.href == code]
            if location.size is not None and len(ends) and int(ends.max()) > location.size:
                raise CorruptFileError(
                    f"a chunk ends at byte {int(ends.max())}, the data file {location.url} has"
                    f" {location.size}"
                )


def read_pieces(
    context: Context, pieces: Pieces, rows: np.ndarray[Any, Any]
) -> Reading[list[bytes]]:
    """Return the bytes of some pieces, one request for each file, all in one round.

    Raises CorruptFileError where a file ends before its piece does, and what opening it raises.
    """
    found: list[bytes] = [b""] * len(rows)
    codes = np.unique(pieces.href[rows]).tolist()
    locations = context.locations_of(pieces)
    groups = [np.flatnonzero(pieces.href[rows] == code) for code in codes]
    asked = []
    for code, places in zip(codes, groups, strict=True):
        wanted = rows[places]
        starts, lengths = pieces.offset[wanted].tolist(), pieces.length[wanted].tolist()
        ranges = [ByteRange(at, at + size) for at, size in zip(starts, lengths, strict=True)]
        asked.append(Elsewhere(locations[code].url, _read_ranges(ranges)))
    answers = (yield asked) if asked else []
    for places, answer in zip(groups, answers, strict=True):
        if isinstance(answer, VirtualizeError):
            raise answer
        for place, data in zip(places.tolist(), answer, strict=True):
            found[place] = data
    return found


def _read_ranges(ranges: list[ByteRange]) -> Reading[list[bytes]]:
    answers = yield ranges
    for wanted, data in zip(ranges, answers, strict=True):
        if len(data) < wanted.size:
            raise CorruptFileError(
                f"{len(data)} of {wanted.size} bytes are in the file", at=wanted.start
            )
    return [bytes(data) for data in answers]
