"""FITS: images, cubes, tables, random groups and tile-compressed images.

Specification: "Definition of the Flexible Image Transport System (FITS)", version 4.0. Values are
those that astropy gives; where it scales numbers, CF attributes say how (`scale_factor`,
`add_offset`, `_FillValue`).

Of files compressed as a whole (`.fits.gz`) the values are kept inline. Not supported, and refused
by name: such files of more than 16 MiB, extensions that are neither images nor tables, columns of
arrays of varying length that are large and not in the order of the rows. The comments of header
cards are left out; of a keyword given twice the first counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from virtualizarr.model import Location, ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.fits.convert import read_tree
from virtualizarr.parsers.fits.gzipped import read_gzipped
from virtualizarr.parsers.fits.read import GZIP_MAGIC, MAGIC, GzippedFileError, read_hdus
from virtualizarr.parsers.fits.tables import Conversion
from virtualizarr.source.reading import Reading

__all__ = ["FITSParser"]

GZIP_SUFFIXES = (".fits.gz", ".fit.gz", ".fts.gz")


@dataclass(frozen=True)
class FITSParser(CallableParser):
    """Parser of FITS files.

    `group` is the name of a table to read instead of the whole file. `drop_variables` (or
    `skip_variables`, its older name) are names of HDUs or of columns, or both as "HDU/column", that
    are left out and not checked. `chunk_bytes` is the size in bytes above which images and tables
    are split into chunks; None never splits. With `inline_tiles`, compressed images whose tiles
    have parameters of their own (floating point images, mostly) are kept inline, up to 4 MiB each:
    then such images of several files can be joined. `reader_options` is accepted for VirtualiZarr
    2.x's sake and ignored.
    """

    group: str | None = None
    skip_variables: Collection[str] | None = None
    reader_options: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    drop_variables: Collection[str] = ()
    chunk_bytes: int | None = 32 * 1024 * 1024
    inline_tiles: bool = False

    @property
    def name(self) -> str:
        return "fits"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".fits", ".fit", ".fts", ".fits.fz", ".fz", ".uvfits")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` starts with the first card of a FITS file.

        Also true for a gzip file with a FITS name.
        """
        gzipped = bytes(head[: len(GZIP_MAGIC)]) == GZIP_MAGIC
        if gzipped and url.partition("?")[0].lower().endswith(GZIP_SUFFIXES):
            return True
        return bytes(head[: len(MAGIC)]) == MAGIC

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the headers: one round each for those that lie far from the last one.

        One more round reads the tables of compressed images and of columns of varying length.
        Raises CorruptFileError where the file is broken or ends before its data do.
        """
        try:
            return (yield from self._read(url))
        except GzippedFileError:
            return (yield from read_gzipped(self._read(url)))

    def _read(self, url: str) -> Reading[ManifestGroup]:
        hdus, facts = yield from read_hdus()
        location = Location(url, facts.size, facts.etag, facts.last_modified)
        dropped = {*_names(self.drop_variables), *_names(self.skip_variables)}
        conversion = Conversion(location, dropped, self.chunk_bytes, self.inline_tiles)
        group = self.group.strip("/") if self.group is not None else ""
        return (yield from read_tree(hdus, conversion, group if group else None))


def _names(names: Collection[str] | None) -> Collection[str]:
    return () if names is None else [names] if isinstance(names, str) else names
