"""TIFF, BigTIFF, GeoTIFF, cloud optimised GeoTIFF and OME-TIFF.

Specifications: TIFF revision 6.0 with its supplements and technical notes, BigTIFF, OGC GeoTIFF
1.1, OME-TIFF. Georeference, nodata, scale and offset are as GDAL and rioxarray show them.

Not read, and refused by name: JBIG, PixarLog, Jetraw and unknown compressions, samples of different
formats, compressed tiles of several slices. Tags that are not listed in `layout.Tag` are not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import Location, ManifestGroup
from virtualizarr.parsers.tiff.decode import is_tiff
from virtualizarr.parsers.tiff.hidden_planes import with_hidden_planes
from virtualizarr.parsers.tiff.image import Image, images_of
from virtualizarr.parsers.tiff.old_jpeg import with_old_jpeg
from virtualizarr.parsers.tiff.quirks import corrected
from virtualizarr.parsers.tiff.read import read_ifds
from virtualizarr.parsers.tiff.tree import Builder, Overviews, Pages, refuse_empty
from virtualizarr.source.reading import Reading

SKIPPED = "skipped"

__all__ = ["TIFFParser"]


@dataclass(frozen=True)
class TIFFParser:
    """Reads TIFF files.

    `overviews`: "tree" puts them into groups below the image, "1", "2" ..., with dimensions of
    their own (`y_1`, `x_1`); "levels" makes every resolution a group, "0" the full one; "skip"
    leaves them out. `pages`: "auto" stacks images that are alike along a dimension `page`, or t, c
    and z where OME-XML says so; "groups" makes each a group. `errors`: "skip" leaves out images
    that cannot be read, naming them in the attribute `skipped` of the root. `chunk_bytes` is how
    large chunks of uncompressed strips become, None for as large as they can be.
    """

    overviews: Overviews = "tree"
    pages: Pages = "auto"
    errors: Literal["raise", "skip"] = "raise"
    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "tiff"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".tif", ".tiff", ".btf", ".tf8", ".gtiff")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` starts with the header of a TIFF or BigTIFF file."""
        del url
        return is_tiff(head)

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the IFDs and their values; see `read_ifds` for the rounds that takes.

        Raises CorruptFileError for broken structures and chunks beyond the end of the file,
        UnsupportedFeatureError by name for what is not read.
        """
        _, facts, ifds = yield from read_ifds()
        location = Location(url, facts.size, facts.etag, facts.last_modified)
        ifds = yield from with_old_jpeg(corrected(ifds), facts)
        images: list[Image] = []
        skipped: list[str] = []
        for ifd in ifds:
            try:
                images += images_of(ifd)
            except (CorruptFileError, UnsupportedFeatureError) as error:
                if self.errors == "raise":
                    raise
                skipped.append(str(error))
        refuse_empty(images)
        images = with_hidden_planes(images, facts.size)
        group = Builder(location, self.overviews, self.pages, self.chunk_bytes).tree(images)
        if not skipped:
            return group
        attributes = {**group.attributes, SKIPPED: skipped}
        return ManifestGroup(group.arrays, group.groups, attributes)
