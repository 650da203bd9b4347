"""NIfTI-1 and NIfTI-2 images: single files, pairs of header and image, and gzipped ones.

Specifications: nifti1.h and nifti2.h (NIfTI Data Format Working Group); where they are silent, as
nibabel reads them. Axes are named x, y, z, t, u, v, w and stand in this order, as in nibabel;
`scl_slope` and `scl_inter` are CF attributes. The affine is an attribute.

A gzipped file is one chunk, all of which is read for any part of it. Not read, and refused by name:
binary voxels (one bit), numbers of 16 bytes, images without the magic string (ANALYZE 7.5). Header
extensions are named by their codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import (
    FoundFile,
    both_cases,
    read_data_beside,
    read_file,
    read_header_beside,
    suffix_of,
    with_suffix,
)
from virtualizarr.parsers.nifti.decode import (
    GZIP_MAGIC,
    LARGEST_HEADER,
    data_offset,
    decode_header,
    dtype_of,
    form_of,
    plain_head,
    scaling_of,
    shape_of,
)
from virtualizarr.parsers.nifti.describe import attributes_of
from virtualizarr.parsers.nifti.layout import AXES, Header
from virtualizarr.parsers.strided import RawImage, array_of, packed_strides, read_presence
from virtualizarr.source.reading import Reading

HEAD = 16 * 1024
VARIABLE = "data"

__all__ = ["NIfTIParser"]


@dataclass(frozen=True)
class NIfTIParser(CallableParser):
    """Reads NIfTI images as an array `data`, given the single file, the header or the image.

    `chunk_bytes` is how large chunks of files that are not gzipped become, None for one chunk.
    """

    chunk_bytes: int | None = 16 * 1024 * 1024

    @property
    def name(self) -> str:
        return "nifti"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".nii", ".nii.gz")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head`, decompressed if it is gzipped, begins with a NIfTI header."""
        del url
        return form_of(plain_head(head, LARGEST_HEADER)) is not None

    def headers(self, url: str) -> tuple[str, ...]:
        """Return the URLs under which the header of the image file at `url` may be."""
        return tuple(_partners(url, ".img", ".hdr"))

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the header: one round, two for a pair.

        Raises CorruptFileError where the header is broken or the file ends before its data do.
        """
        given = yield from read_file(url)
        if _is_header(given.head):
            header = decode_header(plain_head(given.head, HEAD))
            data = given
            if not header.is_single:
                images = _partners(url, ".hdr", ".img")
                data = yield from read_data_beside(images, "NIfTI image")
        else:
            urls = self.headers(url)
            found = yield from read_header_beside(urls, "NIfTI header", _is_header)
            header, data = decode_header(plain_head(found.head, HEAD)), given
            if header.is_single:
                raise CorruptFileError("the header beside the image says that they are one file")
        image = image_of(header, data)
        image = yield from read_presence(image, url, VARIABLE)
        attributes = attributes_of(header)
        slope, inter = scaling_of(header)
        if (slope, inter) != (1.0, 0.0) and image.dtype.fields is None:
            attributes |= {"scale_factor": slope, "add_offset": inter}
        array = array_of(image, self.chunk_bytes, attributes=attributes)
        return ManifestGroup({VARIABLE: array})


def _is_header(head: bytes | memoryview) -> bool:
    return form_of(plain_head(head, LARGEST_HEADER)) is not None


def _partners(url: str, own: str, other: str) -> list[str]:
    """Return the URLs of the other file of a pair: first those compressed as this one is."""
    gzipped = suffix_of(url) == ".gz"
    plain = with_suffix(url, "") if gzipped else url
    if suffix_of(plain) != own:
        return []
    endings = [f"{other}.gz", other] if gzipped else [other, f"{other}.gz"]
    return both_cases(plain, endings)


def image_of(header: Header, data: FoundFile) -> RawImage:
    """Return where the voxels lie: x varies fastest."""
    shape, dtype = shape_of(header), dtype_of(header)
    dims = AXES[: len(shape)]
    lengths: dict[str, Any] = dict(zip(dims, shape, strict=True))
    steps = packed_strides(lengths, dims[::-1], dtype.itemsize)
    gzipped = bytes(data.head[:2]) == GZIP_MAGIC
    strides = tuple(steps[axis] for axis in dims)
    offset = data_offset(header)
    return RawImage(data.location, offset, dtype, shape, strides, dims, gzip=gzipped)
