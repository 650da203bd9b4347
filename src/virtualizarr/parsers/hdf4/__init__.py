"""HDF4: scientific data sets (SD), as the SD interface of the HDF4 library shows them.

Specification: "HDF Specification and Developer's Guide", HDF 4.1r5. Read are SDS that are
contiguous, in linked blocks, chunked, external or compressed (deflate, RLE, N-bit, skipping
Huffman, szip), those of the SD interface and those of the older DFSD; attributes, dimensions,
scales. Where nothing was written the fill value is read.

Not read: raster images (GR, RI8), tables (Vdata) and annotations. The names of images and of tables
are in the attribute `hdf4_not_read`. Refused by name: JPEG and IMCOMP, numbers in VAX or Cray
order, tables of chunks with other members than chunks, linked blocks with holes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import Location, ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.hdf4.calibration import says_cf
from virtualizarr.parsers.hdf4.convert import Conversion, to_array, unique_dims
from virtualizarr.parsers.hdf4.datasets import read_datasets
from virtualizarr.parsers.hdf4.layout import MAGIC
from virtualizarr.parsers.hdf4.names import node_names
from virtualizarr.parsers.hdf4.others import METADATA_TAGS, not_read
from virtualizarr.parsers.hdf4.read import read_descriptors, read_metadata
from virtualizarr.parsers.hdf4.variables import read_members, read_variables, root_of
from virtualizarr.source.reading import Reading, together

__all__ = ["HDF4Parser"]


@dataclass(frozen=True)
class HDF4Parser(CallableParser):
    """Parser of HDF4 files, HDF-EOS2 among them.

    `drop_variables` (or `skip_variables`, its older name) are left out, and not checked.
    `chunk_bytes` is the size in bytes above which contiguous data are split into equal chunks; None
    never splits. `group` and `reader_options` are accepted for VirtualiZarr 2.x's sake; there are
    no groups.
    """

    group: str | None = None
    skip_variables: Collection[str] | None = None
    reader_options: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    drop_variables: Collection[str] = ()
    chunk_bytes: int | None = 32 * 1024 * 1024

    @property
    def name(self) -> str:
        return "hdf4"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".hdf", ".hdf4", ".h4", ".he2", ".he4")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` starts with the magic number of HDF4."""
        del url
        return bytes(head[: len(MAGIC)]) == MAGIC

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the descriptors, then all metadata: two rounds more where they are near.

        Raises CorruptFileError where the file is broken or ends before its data do,
        UnsupportedFeatureError, naming the variable, for what cannot be read.
        """
        file = yield from read_descriptors(url)
        yield from read_metadata(file, METADATA_TAGS)
        members = yield from read_members(file)
        others = not_read(file, members)
        if self.group is not None and self.group.strip("/"):
            raise UnsupportedFeatureError(
                f"HDF4 files are read without groups, and {self.group!r} is none of the "
                f"variables; not read are {others}"
            )
        root = root_of(members)
        found = yield from (
            read_variables(file, members, root) if root is not None else read_datasets(file)
        )
        facts = file.facts
        location = Location(url, facts.size, facts.etag, facts.last_modified)
        cf = says_cf(found.attributes)
        conversion = Conversion(file, location, members, self.chunk_bytes, cf)
        dropped = {*_names(self.drop_variables), *_names(self.skip_variables)}
        names = node_names([variable.name for variable in found.variables])
        kept = {
            name: variable
            for name, variable in zip(names, found.variables, strict=True)
            if name not in dropped
        }
        arrays = yield from together([to_array(conversion, variable) for variable in kept.values()])
        listed = {"hdf4_not_read": ", ".join(others)} if others else {}
        return ManifestGroup(
            unique_dims(dict(zip(kept, arrays, strict=True))),
            attributes={**found.attributes, **listed},
        )


def _names(names: Collection[str] | None) -> Collection[str]:
    return () if names is None else [names] if isinstance(names, str) else names
