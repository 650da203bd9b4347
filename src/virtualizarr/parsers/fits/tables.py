"""Tables and random groups as groups of arrays, one for each column."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from virtualizarr.model import Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.fits.columns import (
    HeapColumn,
    ascii_columns,
    binary_columns,
    group_columns,
)
from virtualizarr.parsers.fits.declared import COLUMN_KEYWORD, declared_columns
from virtualizarr.parsers.fits.heap import heap_arrays
from virtualizarr.parsers.fits.layout import HDU
from virtualizarr.parsers.fits.names import unique_names
from virtualizarr.parsers.fits.rows import Column, Rows, column_array
from virtualizarr.source.reading import Reading, together


@dataclass(frozen=True, slots=True)
class Conversion:
    """One file: where it is, what to leave out, how to cut.

    `lengths` are the dimensions of the images found so far.
    """

    location: Location
    dropped: Collection[str]
    chunk_bytes: int | None
    inline_tiles: bool
    lengths: dict[str, int] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        """Say whether none of the names is to be left out."""
        return not any(name in self.dropped for name in names)


def binary_table(name: str, hdu: HDU, conversion: Conversion) -> Reading[ManifestGroup]:
    """Return a binary table; no round without columns of varying length, else at most two."""
    rows = _rows(hdu, conversion, hdu.axes[1], hdu.axes[0])
    columns = [
        column
        for column in binary_columns(hdu, declared_columns(hdu))
        if conversion.has(column.name, f"{name}/{column.name}")
    ]
    varying = [column for column in columns if isinstance(column, HeapColumn)]
    found = yield from together([heap_arrays(hdu, rows, column) for column in varying])
    from_heap = dict(zip([column.name for column in varying], found, strict=True))
    parts = [
        from_heap[column.name]
        if isinstance(column, HeapColumn)
        else {column.name: column_array(rows, column)}
        for column in columns
    ]
    return _group(hdu, parts)


def ascii_table(name: str, hdu: HDU, conversion: Conversion) -> ManifestGroup:
    """Return an ASCII table."""
    columns = ascii_columns(hdu, declared_columns(hdu))
    return _fixed(name, hdu, columns, conversion, hdu.axes[1], hdu.axes[0])


def random_groups(name: str, hdu: HDU, conversion: Conversion) -> ManifestGroup:
    """Return random groups: the parameters, and DATA of (row, ...)."""
    columns = group_columns(hdu)
    row_bytes = sum(column.width for column in columns)
    return _fixed(name, hdu, columns, conversion, hdu.gcount, row_bytes)


def _fixed(
    name: str,
    hdu: HDU,
    columns: Sequence[Column],
    conversion: Conversion,
    count: int,
    row_bytes: int,
) -> ManifestGroup:
    rows = _rows(hdu, conversion, count, row_bytes)
    parts = [
        {column.name: column_array(rows, column)}
        for column in columns
        if conversion.has(column.name, f"{name}/{column.name}")
    ]
    return _group(hdu, parts)


def _rows(hdu: HDU, conversion: Conversion, count: int, row_bytes: int) -> Rows:
    return Rows(conversion.location, hdu.data_at, count, row_bytes, conversion.chunk_bytes)


def _group(hdu: HDU, parts: Sequence[Mapping[str, ManifestArray]]) -> ManifestGroup:
    """Join the arrays; the header's keywords are attributes, those of a column with the column."""
    pairs = [pair for part in parts for pair in part.items()]
    names = unique_names([name for name, _ in pairs], map(str, range(len(pairs))))
    arrays = {name: array for name, (_, array) in zip(names, pairs, strict=True)}
    attributes = {
        key: value for key, value in hdu.cards.items() if not COLUMN_KEYWORD.fullmatch(key)
    }
    return ManifestGroup(arrays, attributes=attributes)
