"""Chunk and block elements as columns: all of one attribute at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.dmrpp.layout import Pieces
from virtualizarr.parsers.dmrpp.xml import Row

LARGEST = 2**63 - 1
MASK_BITS = 2**32 - 1


def decode_pieces(rows: Sequence[Row], rank: int) -> Pieces:
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

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        first = rows[0][::2] if rows else []
        alike = all(row[::2] == first for row in rows)
        self._order = [name.rpartition(":")[2] for name in first] if alike else None

    def optional(self, name: str) -> list[str | None] | None:
        """Return the attribute of every element, None for those without; None if all are."""
        if self._order is not None:
            if name not in self._order:
                return None
            at = 2 * self._order.index(name) + 1
            return [row[at] for row in self._rows]
        found = [_attribute(row, name) for row in self._rows]
        return found if any(each is not None for each in found) else None

    def required(self, name: str) -> list[str]:
        """Return the attribute of every element; CorruptFileError if one lacks it."""
        found = self.optional(name)
        texts = [each for each in found if each is not None] if found is not None else []
        if len(texts) != len(self._rows):
            raise CorruptFileError(f"a chunk or block has no attribute {name!r}")
        return texts


def _attribute(row: Row, name: str) -> str | None:
    for key, value in zip(row[::2], row[1::2], strict=True):
        if key.rpartition(":")[2] == name:
            return value
    return None


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
    if not all(each.startswith("[") and each.endswith("]") for each in given):
        given = [f"[{','.join(each.strip(' []').replace(',', ' ').split())}]" for each in given]
    commas = {each.count(",") for each in given}
    columns = commas.pop() + 1
    if commas or columns not in (max(rank, 1), rank + 1):
        raise CorruptFileError(f"a chunk's position does not have {rank} numbers")
    joined = "".join(given).replace(" ", "")
    inner = joined[1:-1].replace("][", ",")
    found = naturals(inner.split(",") if inner else ["0"] * len(given), "chunkPositionInArray")
    if len(found) != len(given) * columns:
        raise CorruptFileError("the positions of chunks are malformed")
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
