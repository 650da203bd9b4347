"""netCDF classic: CDF-1 (classic), CDF-2 (64-bit offset) and CDF-5 (64-bit data).

Specification: "NetCDF Classic Format Specification" in the netCDF User's Guide, and the CDF-5
extension of PnetCDF. All of both is read.

Where we differ from the netCDF C library: a file that ends before its data do is refused (the
library reads zeros), and so are the types of CDF-5 in older versions. As the library does, bytes
that only fill up four-byte words are not looked at, and `vsize` is computed, not believed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import Location, ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.netcdf3.convert import to_array
from virtualizarr.parsers.netcdf3.header import decoding_header, is_magic
from virtualizarr.parsers.netcdf3.layout import Header
from virtualizarr.parsers.netcdf3.placement import Placement, data_end, place, truncated
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, Stat

FIRST_READ = 64 * 1024
GROWTH = 32

__all__ = ["NetCDF3Parser"]


@dataclass(frozen=True)
class NetCDF3Parser(CallableParser):
    """Reads netCDF classic files.

    `drop_variables` (or `skip_variables`, its older name) are left out, and not checked.
    `chunk_bytes` is the size in bytes above which contiguous data are split into equal chunks; None
    never splits. `reader_options` is accepted for compatibility; nothing is read through it.
    """

    group: str | None = None
    skip_variables: Collection[str] | None = None
    drop_variables: Collection[str] = ()
    reader_options: Mapping[str, Any] | None = None
    chunk_bytes: int | None = 32 * 1024 * 1024

    @property
    def name(self) -> str:
        return "netcdf3"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".nc", ".nc3", ".cdf", ".mnc")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` starts with the magic number of a netCDF classic file."""
        del url
        return is_magic(head)

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the header: one round where it is at most 64 KiB, mostly two where it is longer.

        Raises CorruptFileError where the header is broken or the file ends before its data do.
        """
        if self.group is not None and self.group.strip("/"):
            raise UnsupportedFeatureError(f"netCDF classic files have no groups: {self.group!r}")
        header = yield from read_header()
        (facts,) = yield [Stat()]
        location = Location(url, facts.size, facts.etag, facts.last_modified)
        dropped = {*self.drop_variables}
        if self.skip_variables is not None:
            dropped.update(self.skip_variables)
        placements = place(header, facts.size)
        kept = [placement for name, placement in placements.items() if name not in dropped]
        yield from check_present(kept, facts.size)
        arrays = {
            placement.var.name: to_array(header, placement, location, self.chunk_bytes)
            for placement in kept
        }
        return ManifestGroup(arrays, attributes=header.gatts)


def check_present(placements: Sequence[Placement], size: int | None) -> Reading[None]:
    """Raise CorruptFileError, naming the variable, unless the file holds all data.

    Where its size is not known the last byte of each variable is asked for, in one round.
    """
    if size is not None:
        for placement in placements:
            if data_end(placement) > size:
                raise truncated(placement, size)
        return
    asked = [placement for placement in placements if 0 not in placement.shape]
    ends = [data_end(placement) for placement in asked]
    answers = yield [ByteRange(end - 1, end) for end in ends]
    for placement, answer in zip(asked, answers, strict=True):
        if not len(answer):
            raise truncated(placement, None)


def read_header(first: int = FIRST_READ) -> Reading[Header]:
    """Read and decode the header, asking for `first` bytes and, while that is short, for more.

    Raises UnknownFormatError for another format, CorruptFileError for a broken or cut header.
    """
    wanted = first
    (buffer,) = yield [ByteRange(0, wanted)]
    decoding = decoding_header(buffer)
    try:
        next(decoding)
        while True:
            if len(buffer) < wanted:
                raise CorruptFileError("the file ends inside its header", at=len(buffer))
            wanted *= GROWTH
            (buffer,) = yield [ByteRange(0, wanted)]
            decoding.send(buffer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
