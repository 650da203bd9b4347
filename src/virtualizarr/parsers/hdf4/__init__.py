"""HDF4: scientific data sets (SD), raster images (GR) and tables (Vdata); HDF-EOS2 among them.

Specification: "HDF Specification and Developer's Guide", HDF 4.1r5. Read are SDS and images that
are contiguous, in linked blocks, chunked, external or compressed (deflate, RLE, N-bit, skipping
Huffman, szip), those of the SD interface and those of the older DFSD; attributes, dimensions,
scales; Vdatas; Vgroups as groups. Where nothing was written the fill value is read.

Not read, and listed in the attribute `hdf4_not_read`: annotations, palettes, images that DFR8 or
DF24 compressed. Refused by name: JPEG and IMCOMP, numbers in VAX or Cray order, tables of chunks
with other members than chunks, linked blocks with holes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import Location, ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.hdf4.attributes import read_attributes
from virtualizarr.parsers.hdf4.calibration import says_cf
from virtualizarr.parsers.hdf4.convert import Conversion
from virtualizarr.parsers.hdf4.datasets import read_datasets
from virtualizarr.parsers.hdf4.images import read_images
from virtualizarr.parsers.hdf4.layout import MAGIC
from virtualizarr.parsers.hdf4.others import METADATA_TAGS
from virtualizarr.parsers.hdf4.read import read_descriptors, read_metadata
from virtualizarr.parsers.hdf4.tree import Described, Layout, read_tree
from virtualizarr.parsers.hdf4.variables import read_members, read_variables, root_of
from virtualizarr.source.reading import Reading, together

__all__ = ["HDF4Parser"]


@dataclass(frozen=True)
class HDF4Parser(CallableParser):
    """Parser of HDF4 files, HDF-EOS2 among them.

    `drop_variables` (or `skip_variables`, its older name) are left out, and not checked.
    `chunk_bytes` is the size in bytes above which contiguous data are split into equal chunks; None
    never splits. `group` is the path of a group to read as the root.

    `layout` says where data sets are that are members of Vgroups: "both", in the root, where the SD
    interface lists them, and in the groups; or "flat" or "groups", in one place only. With "flat"
    there are no groups but tables. `reader_options` is accepted for VirtualiZarr 2.x's sake.
    """

    group: str | None = None
    skip_variables: Collection[str] | None = None
    reader_options: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    drop_variables: Collection[str] = ()
    chunk_bytes: int | None = 32 * 1024 * 1024
    layout: Layout = "both"

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
        root = root_of(members)
        dropped = {*_names(self.drop_variables), *_names(self.skip_variables)}
        readings: list[Reading[Any]] = [
            read_datasets(file) if root is None else read_variables(file, members, root, dropped),
            read_images(file, members),
            read_attributes(file, members),
        ]
        scientific, images, attributes = yield from together(readings)
        facts = file.facts
        location = Location(url, facts.size, facts.etag, facts.last_modified)
        cf = says_cf(scientific.attributes)
        conversion = Conversion(file, location, members, self.chunk_bytes, cf)
        described = Described(scientific, images, attributes)
        return self._chosen((yield from read_tree(conversion, described, dropped, self.layout)))

    def _chosen(self, tree: ManifestGroup) -> ManifestGroup:
        path = self.group.strip("/") if self.group is not None else ""
        found = tree
        for name in path.split("/") if path else ():
            if name not in found.groups:
                raise UnsupportedFeatureError(
                    f"there is no group {path!r}; there are {', '.join(found.groups)}"
                )
            found = found.groups[name]
        return found


def _names(names: Collection[str] | None) -> Collection[str]:
    return () if names is None else [names] if isinstance(names, str) else names
