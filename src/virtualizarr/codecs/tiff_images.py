"""The image codecs inside TIFF strips and tiles: each chunk is a small picture of its own.

The size that a picture declares is looked up before it is decoded, so that no chunk grows beyond
what its array declares.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import ForeignCodec, Octets, octets

MINISBLACK, RGB, CMYK, YCBCR = 1, 2, 5, 6
MCU = 64
"""Pictures may be padded to whole blocks; none of the formats has larger ones."""

SOF_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
SOC = b"\xff\x4f\xff\x51"


class Tables(NamedTuple):
    """What a JPEG strip needs from the tags: JPEGTables, and PhotometricInterpretation or -1."""

    jpeg: bytes
    photometric: int


type Shape = tuple[int, int, int]
type Decoder = Callable[[ForeignCodec, Octets, Shape, Tables], npt.NDArray[Any]]


def check_declared(codec: ForeignCodec, rows: int, columns: int, shape: Shape) -> None:
    """Raise CorruptFileError if a picture is larger than its chunk, blocks filled up."""
    fits = rows <= shape[0] + MCU and columns <= shape[1] + MCU
    codec.require(fits, f"a picture of {rows} x {columns} in a chunk of {shape}")


def _jpeg(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    """JPEG (Technical Note 2). Colours come out as RGB, CMYK or as they are, not as YCbCr."""
    stream = data.tobytes()
    rows, columns, precision, kind = _jpeg_frame(codec, stream)
    check_declared(codec, rows, columns, shape)
    if precision not in (8, 12) or kind == 0xC3:
        return np.asarray(codec.imagecodecs("ljpeg_decode", stream))
    colorspace: int | None = None
    wanted: int | None = None
    if shape[2] == 1:
        wanted = MINISBLACK
    elif tables.photometric == YCBCR:
        wanted = RGB
    elif tables.photometric == RGB and shape[2] == 3:
        colorspace, wanted = (None if stream[6:10] == b"JFIF" else RGB), RGB
    elif tables.photometric == CMYK:
        wanted = CMYK
    declared = (shape[0], shape[1]) if rows == 0 else None
    return np.asarray(
        codec.imagecodecs(
            "jpeg_decode",
            stream,
            tables=tables.jpeg if tables.jpeg else None,
            colorspace=colorspace,
            outcolorspace=wanted,
            shape=declared,
        )
    )


def _jpeg_frame(codec: ForeignCodec, stream: bytes) -> tuple[int, int, int, int]:
    """Return rows, columns, precision and marker of the frame header (ISO 10918-1, B.2.2)."""
    at = 2
    codec.require(stream[:2] == b"\xff\xd8", "no JPEG stream")
    while at + 4 <= len(stream):
        codec.require(stream[at] == 0xFF, f"no JPEG marker at byte {at}")
        marker = stream[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in SOF_MARKERS and at + 9 <= len(stream):
            precision, rows, columns = struct.unpack_from(">BHH", stream, at + 4)
            return rows, columns, precision, marker
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        at += 2 + max(int.from_bytes(stream[at + 2 : at + 4], "big"), 2)
    raise codec.corrupt("the JPEG stream has no frame header")


def _jpeg2k(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    """JPEG 2000, a codestream or a JP2 file; its SIZ marker tells the size (15444-1, A.5.1)."""
    del tables
    stream = data.tobytes()
    at = stream.find(SOC)
    codec.require(at >= 0 and len(stream) >= at + 24, "no JPEG 2000 codestream")
    right, bottom, left, top = struct.unpack_from(">IIII", stream, at + 8)
    codec.require(right >= left and bottom >= top, "a JPEG 2000 image without area")
    check_declared(codec, bottom - top, right - left, shape)
    return np.asarray(codec.imagecodecs("jpeg2k_decode", stream))


def _webp(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    """WebP decodes into an array of the chunk's own size; larger pictures are refused."""
    del tables
    codec.require(data.size >= 30, "no WebP stream")
    check_declared(codec, *_webp_size(codec, data.tobytes()[:30]), shape)
    return np.asarray(codec.imagecodecs("webp_decode", data.tobytes(), hasalpha=shape[2] == 4))


def _webp_size(codec: ForeignCodec, head: bytes) -> tuple[int, int]:
    """Return rows and columns (RFC 9649, sections 2.5 to 2.7)."""
    kind = head[12:16]
    if kind == b"VP8X":
        columns = int.from_bytes(head[24:27], "little") + 1
        return int.from_bytes(head[27:30], "little") + 1, columns
    if kind == b"VP8L":
        packed = int.from_bytes(head[21:25], "little")
        return (packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1
    codec.require(kind == b"VP8 ", f"WebP chunk {kind!r}")
    columns, rows = struct.unpack_from("<HH", head, 26)
    return rows & 0x3FFF, columns & 0x3FFF


def _into_whole_chunk(function: str) -> Decoder:
    """Return a decoder for formats that can be decoded into an array at hand."""

    def decode(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
        del tables
        dtype: np.dtype[Any] = codec.stored.dtype  # type: ignore[attr-defined]
        wanted = shape if shape[2] > 1 else shape[:2]
        out = np.empty(wanted, dtype)
        return np.asarray(codec.imagecodecs(function, data.tobytes(), out=out))

    return decode


def _png(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    """PNG: the size is the beginning of its IHDR chunk."""
    del tables
    codec.require(data.size >= 24, "no PNG stream")
    columns, rows = struct.unpack_from(">II", data, 16)
    check_declared(codec, rows, columns, shape)
    return np.asarray(codec.imagecodecs("png_decode", data.tobytes()))


def _lerc(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    """LERC, versions 1 and 2. Floats that its mask takes out are NaN, as libtiff reads them."""
    del tables
    blob = data.tobytes()
    declared = _lerc_pixels(blob[:64])
    codec.require(declared is not None, "no LERC blob")
    codec.require(declared is None or declared <= prod(shape[:2]), "a LERC blob too large")
    image, mask = codec.imagecodecs("lerc_decode", blob, masks=True)
    image = np.asarray(image)
    if mask is None or image.dtype.kind != "f":
        return image
    valid = np.asarray(mask, np.bool_)
    if valid.ndim < image.ndim:
        valid = valid[..., np.newaxis]
    return np.where(valid, image, image.dtype.type(np.nan))


def _lerc_pixels(head: bytes) -> int | None:
    """Return rows times columns of a blob."""
    if head[:6] == b"Lerc2 " and len(head) >= 22:
        version = int.from_bytes(head[6:10], "little")
        rows, columns = struct.unpack_from("<ii", head, 14 if version >= 3 else 10)
    elif head[:10] == b"CntZImage " and len(head) >= 26:
        rows, columns = struct.unpack_from("<ii", head, 18)
    else:
        return None
    return int(rows) * int(columns) if rows > 0 and columns > 0 else None


def _lerc_in(compression: str) -> Decoder:
    """Return a decoder of LERC blobs that are compressed once more (LercParameters)."""

    def decode(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
        most = prod(shape) * 16 + 65536
        blob = octets(codec.imagecodecs(f"{compression}_decode", data, out=most))
        return _lerc(codec, blob, shape, tables)

    return decode


IMAGE_DECODERS: dict[str, Decoder] = {
    "jpeg": _jpeg,
    "jpeg2000": _jpeg2k,
    "jpegxl": _into_whole_chunk("jpegxl_decode"),
    "jpegxr": _into_whole_chunk("jpegxr_decode"),
    "lerc": _lerc,
    "lerc_deflate": _lerc_in("zlib"),
    "lerc_zstd": _lerc_in("zstd"),
    "png": _png,
    "webp": _webp,
}
