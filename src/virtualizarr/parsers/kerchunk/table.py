"""All references of a document as columns: keys as lines of text, byte ranges as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import batched
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.kerchunk.digits import NINE, ZERO, Int64s, Text
from virtualizarr.parsers.kerchunk.document import METADATA_NAMES

BATCH = 16_384
MAX_BYTE = 2**63 - 1
OTHER = np.uint32(0xFFFF_FFFF)
"""The code of a row that is no plain byte range: its value is in `others`."""

_LINE = ord("\n")

type Runs = list[tuple[int, int]]


class Columns(NamedTuple):
    """Some references: keys as lines, and a URL's number (or `OTHER`), offset and length each."""

    lines: bytes
    code: npt.NDArray[np.uint32]
    offset: Int64s
    length: Int64s


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceTable:
    """The keys and values of a document, one row each.

    The key of row `i` is `text` from `starts[i]` to before `stops[i]`, in UTF-8, and a line feed
    follows it. `code` is the number of its URL in `urls`, which are spelled as in the document;
    `others` holds the values that are anything but a URL with offset and length, by row.
    """

    text: Text
    starts: Int64s
    stops: Int64s
    code: npt.NDArray[np.uint32]
    offset: Int64s
    length: Int64s
    urls: tuple[str, ...]
    others: Mapping[int, Any]

    def __len__(self) -> int:
        return len(self.starts)

    def name(self, row: int) -> str:
        """Return a key."""
        return self.text.between(int(self.starts[row]), int(self.stops[row])).decode()

    def value(self, row: int) -> Any:
        """Return a value as it stands in the document."""
        if row in self.others:
            return self.others[row]
        code = int(self.code[row])
        return [self.urls[code], int(self.offset[row]), int(self.length[row])]

    def names(self, runs: Runs) -> Iterator[str]:
        """Yield the keys of some runs of rows."""
        for begin, end in runs:
            yield from map(self.name, range(begin, end))

    def metadata_rows(self) -> list[int]:
        """Return the rows of the keys whose last part names a metadata document."""
        if not len(self):
            return []
        last = self.text.letters[np.maximum(self.stops - 1, 0)]
        candidates = np.flatnonzero((last < ZERO) | (last > NINE)).tolist()
        return [i for i in candidates if self.name(i).rpartition("/")[2] in METADATA_NAMES]

    def whole_files(self) -> list[str]:
        """Return the URLs of references to whole files, each once, as in the document."""
        found = [v[0] for v in self.others.values() if type(v) is list and len(v) == 1]
        return list(dict.fromkeys(text for text in found if isinstance(text, str)))


class TableBuilder:
    """A table that is being built, some references at a time."""

    __slots__ = ("_columns", "_numbers", "_others", "_rows")

    def __init__(self) -> None:
        self._columns: list[Columns] = []
        self._numbers: dict[str, int] = {}
        self._others: dict[int, Any] = {}
        self._rows = 0

    def number(self, url: str) -> int:
        """Return the number of a URL, a new one if it was not seen before."""
        return self._numbers.setdefault(url, len(self._numbers))

    def add(self, columns: Columns) -> None:
        """Add references that are all plain byte ranges."""
        self._columns.append(columns)
        self._rows += len(columns.code)

    def add_mapping(self, refs: Mapping[str, Any]) -> None:
        """Add keys and values of every kind. Raises CorruptFileError for keys that are no text."""
        for batch in batched(refs.items(), BATCH):
            names, values = zip(*batch, strict=True)
            try:
                lines = ("\n".join(names) + "\n").encode()
            except (TypeError, UnicodeEncodeError) as error:
                raise CorruptFileError(f"a key of the references is not text: {error}") from error
            self.add(self._columns_of(lines, values))

    def _columns_of(self, lines: bytes, values: tuple[Any, ...]) -> Columns:
        found = self._all_plain(values)
        if found is not None:
            return Columns(lines, *found)
        rows = [row for row, value in enumerate(values) if _is_plain(value)]
        plain = self._all_plain(tuple(values[row] for row in rows))
        assert plain is not None
        code = np.full(len(values), OTHER, np.uint32)
        offset, length = np.zeros((2, len(values)), np.int64)
        code[rows], offset[rows], length[rows] = plain
        chosen = set(rows)
        others = ((row, value) for row, value in enumerate(values) if row not in chosen)
        self._others.update((self._rows + row, value) for row, value in others)
        return Columns(lines, code, offset, length)

    def _all_plain(
        self, values: tuple[Any, ...]
    ) -> tuple[npt.NDArray[np.uint32], Int64s, Int64s] | None:
        """Return URL numbers, offsets and lengths; None unless all values are byte ranges."""
        if not set(map(type, values)) <= {list} or not set(map(len, values)) <= {3}:
            return None
        texts, offsets, lengths = (list(map(itemgetter(i), values)) for i in range(3))
        kinds = set(map(type, texts)), set(map(type, offsets)), set(map(type, lengths))
        if not (kinds[0] <= {str} and kinds[1] <= {int} and kinds[2] <= {int}):
            return None
        try:
            offset, length = np.array(offsets, np.int64), np.array(lengths, np.int64)
        except OverflowError:
            return None
        if (offset < 0).any() or (length < 0).any() or (offset > MAX_BYTE - length).any():
            return None
        numbers = {text: self.number(text) for text in dict.fromkeys(texts)}
        code = np.fromiter(map(numbers.__getitem__, texts), np.uint32, len(texts))
        return code, offset, length

    def built(self) -> ReferenceTable:
        """Return the table. Raises CorruptFileError for a key that is not text of one line."""
        text = Text(*(columns.lines for columns in self._columns))
        stops = np.flatnonzero(text.letters == _LINE)
        if len(stops) != self._rows:
            raise CorruptFileError("a key of the references has a line break in it")
        starts = np.concatenate((np.zeros(1, np.int64), stops[:-1] + 1))[: self._rows]
        return ReferenceTable(
            text,
            starts,
            stops,
            _joined((c.code for c in self._columns), np.uint32),
            _joined((c.offset for c in self._columns), np.int64),
            _joined((c.length for c in self._columns), np.int64),
            tuple(self._numbers),
            self._others,
        )


def table_of(refs: Mapping[str, Any]) -> ReferenceTable:
    """Return the table of references in memory. Raises CorruptFileError for malformed keys."""
    builder = TableBuilder()
    builder.add_mapping(refs)
    return builder.built()


def rows_of[A: npt.NDArray[Any]](column: A, runs: Runs) -> A:
    """Return some runs of rows of a column."""
    if len(runs) == 1:
        return column[slice(*runs[0])]  # type: ignore[return-value]
    return np.concatenate([column[:0], *(column[i:j] for i, j in runs)])  # type: ignore[return-value]


def _joined(columns: Iterable[npt.NDArray[Any]], dtype: type[np.generic]) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *columns])


def _is_plain(value: Any) -> bool:
    if type(value) is not list or len(value) != 3:
        return False
    url, offset, length = value
    if type(url) is not str or type(offset) is not int or type(length) is not int:
        return False
    return offset >= 0 and length >= 0 and offset + length <= MAX_BYTE
