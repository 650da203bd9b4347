"""Chunk and block elements as columns: all of one attribute at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.dmrpp.layout import Pieces
from virtualizarr.parsers.dmrpp.xml import Rows

LARGEST = 2**63 - 1
MASK_BITS = 2**32 - 1
NO_DIGITS = str.maketrans("", "", "0123456789")


def decode_pieces(rows: Rows, rank: int) -> Pieces:
    """Return the columns of `chunk` or `block` elements of a variable with `rank` axes.

    Raises CorruptFileError if one lacks its offset or length, if some have a position and others
    none, or for what is not a number.
    """
    columns = _Columns(rows)
    offset = naturals(columns.required("offset"), "offset")
    length = naturals(columns.required("nBytes"), "nBytes")
    if len(rows) and int(offset.max()) > LARGEST - int(length.max()):
        raise CorruptFileError("a chunk ends beyond what any file holds")
    masks = columns.optional("fm")
    links = columns.optional("LinkedBlockIndex")
    positions = columns.optional("chunkPositionInArray")
    hrefs, href = _hrefs(columns.optional("href"), len(rows))
    return Pieces(
        offset,
        length,
        None if positions is None else _positions(positions, rank),
        None if masks is None else _masks(masks),
        href,
        hrefs,
        None if links is None else _links(links),
    )


class _Columns:
    """The attributes of many elements, one name at a time."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        width = rows.widths[0] if len(rows) else 0
        self._names = [name.rpartition(":")[2] for name in rows.flat[:width:2]]
        alike = rows.widths.count(width) == len(rows) and all(
            rows.flat[at::width].count(rows.flat[at]) == len(rows) for at in range(0, width, 2)
        )
        self._width = width if alike else None

    def optional(self, name: str) -> Sequence[str | None] | None:
        """Return the attribute of every element, None for those without; None if all are."""
        if self._width is not None:
            if name not in self._names:
                return None
            return self._rows.flat[2 * self._names.index(name) + 1 :: self._width]
        found = [*_one_by_one(self._rows, name)]
        return found if any(each is not None for each in found) else None

    def required(self, name: str) -> list[str]:
        """Return the attribute of every element; CorruptFileError if one lacks it."""
        found = self.optional(name)
        texts = [each for each in found if each is not None] if found is not None else []
        if len(texts) != len(self._rows):
            raise CorruptFileError(f"a chunk or block has no attribute {name!r}")
        return texts


def _one_by_one(rows: Rows, name: str) -> Iterator[str | None]:
    at = 0
    for width in rows.widths:
        pairs = zip(rows.flat[at : at + width : 2], rows.flat[at + 1 : at + width : 2], strict=True)
        yield next((value for key, value in pairs if key.rpartition(":")[2] == name), None)
        at += width


def naturals(texts: Sequence[str], what: str) -> npt.NDArray[np.int64]:
    """Return non-negative decimal numbers as int64; CorruptFileError names `what` they are."""
    joined = "".join(texts)
    if not all(texts) or (texts and not (joined.isascii() and joined.isdigit())):
        wrong = next((each for each in texts if not (each.isascii() and each.isdigit())), "")
        raise CorruptFileError(f"{what} is {wrong[:40]!r}, not a number")
    try:
        return np.array([*map(int, texts)], np.int64)
    except (OverflowError, ValueError) as error:
        raise CorruptFileError(f"a number under {what} is too large") from error


def _hrefs(
    texts: Sequence[str | None] | None, count: int
) -> tuple[tuple[str | None, ...], npt.NDArray[np.int64]]:
    """Return the files named, None for the document's own, and the number of each row's."""
    if texts is None:
        return (None,), np.zeros(count, np.int64)
    codes: dict[str | None, int] = {}
    named = [each if each else None for each in texts]
    column = np.array([codes.setdefault(each, len(codes)) for each in named], np.int64)
    return tuple(codes), column


def _positions(texts: Sequence[str | None], rank: int) -> npt.NDArray[np.int64]:
    """Return the positions `[0,40]` (or `0 40`) as a table of `rank` columns."""
    given = [each for each in texts if each is not None]
    if len(given) != len(texts):
        raise CorruptFileError("some chunks have a position, others have none")
    joined = "".join(given)
    if joined.count("[") != len(given) or " " in joined:
        given = [f"[{','.join(each.strip(' []').replace(',', ' ').split())}]" for each in given]
        joined = "".join(given)
    columns = given[0].count(",") + 1
    one = f"[{',' * (columns - 1)}]"
    if columns not in (max(rank, 1), rank + 1) or joined.translate(NO_DIGITS) != one * len(given):
        raise CorruptFileError(f"a chunk's position does not have {rank} numbers")
    inner = joined[1:-1].replace("][", ",").split(",")
    found = naturals(inner if any(inner) else ["0"] * len(given), "chunkPositionInArray")
    table = found.reshape(-1, columns)
    if table[:, rank:].any():  # HDF5 counts the bytes of an element as one more axis
        raise CorruptFileError(f"a chunk's position has more than {rank} numbers")
    return table[:, :rank]


def _masks(texts: Sequence[str | None]) -> npt.NDArray[np.uint32]:
    found = naturals([each if each is not None else "0" for each in texts], "fm")
    if len(found) and int(found.max()) > MASK_BITS:
        raise CorruptFileError(f"a filter mask is {int(found.max())}")
    return found.astype(np.uint32)


def _links(texts: Sequence[str | None]) -> npt.NDArray[np.int64]:
    linked = np.full(len(texts), -1, np.int64)
    given = np.array([each is not None for each in texts], np.bool_)
    linked[given] = naturals([each for each in texts if each is not None], "LinkedBlockIndex")
    return linked
