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
from virtualizarr.codecs.tiff_compression import DECOMPRESSORS
from virtualizarr.codecs.tiff_jpeg import Frame, frame_of
from virtualizarr.codecs.tiff_libtiff import (
    BY_LIBTIFF,
    LOGLUV,
    SGI_LOG,
    SUBSAMPLED,
    Chunk,
    clump_bytes,
    decode_by_libtiff,
    decode_log_luv,
)
from virtualizarr.errors import CorruptFileError

MINISBLACK, RGB, SEPARATED, YCBCR = 1, 2, 5, 6
JCS_CMYK = 4
MCU = 64
"""Pictures may be padded to whole blocks; none of the formats has larger ones."""

LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
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
    frame = _jpeg_frame(codec, stream)
    if frame.marker in LOSSLESS:
        return _lossless_jpeg(codec, stream, frame, shape)
    check_declared(codec, frame.rows, frame.columns, shape)
    colorspace: int | None = None
    wanted: int | None = None
    if shape[2] == 1:
        wanted = MINISBLACK
    elif tables.photometric == YCBCR and shape[2] == 3:
        wanted = RGB
    elif tables.photometric == RGB and shape[2] == 3:
        colorspace, wanted = (None if stream[6:10] == b"JFIF" else RGB), RGB
    elif tables.photometric == SEPARATED and shape[2] == 4:
        wanted = JCS_CMYK
    declared = (shape[0], shape[1]) if frame.rows == 0 else None
    return np.asarray(
        codec.imagecodecs(
            "jpeg8_decode",
            stream,
            tables=tables.jpeg if tables.jpeg else None,
            colorspace=colorspace,
            outcolorspace=wanted,
            shape=declared,
        )
    )


def _lossless_jpeg(
    codec: ForeignCodec, stream: bytes, frame: Frame, shape: Shape
) -> npt.NDArray[Any]:
    """Lossless JPEG, as in DNG, where neighbouring pixels may be components of one picture."""
    same = frame.rows * frame.columns * frame.components == prod(shape)
    if not same:
        check_declared(codec, frame.rows, frame.columns, shape)
    colours = {"colorspace": RGB, "outcolorspace": RGB} if frame.components == 3 else {}
    image = np.asarray(codec.imagecodecs("jpeg8_decode", stream, **colours))
    return image.reshape(shape) if same else image


def _jpeg_frame(codec: ForeignCodec, stream: bytes) -> Frame:
    try:
        frame = frame_of(stream)
    except CorruptFileError as error:
        raise codec.corrupt(str(error.reason)) from error
    if frame is None:
        raise codec.corrupt("the JPEG stream has no frame header")
    return frame


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
    """Return a decoder for formats that can be decoded into an array at hand.

    Its shape is that of a whole chunk or, where that does not fit, of the last strip.
    """

    def decode(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
        del tables
        dtype: np.dtype[Any] = codec.stored.dtype  # type: ignore[attr-defined]
        edge: tuple[int, int] = codec.edge  # type: ignore[attr-defined]
        last = (edge[0] or shape[0], *shape[1:])
        stream = data.tobytes()
        for rows, columns, samples in (shape, last):
            wanted = (rows, columns, samples) if samples > 1 else (rows, columns)
            try:
                return np.asarray(codec.imagecodecs(function, stream, out=np.empty(wanted, dtype)))
            except CorruptFileError:
                if rows == last[0]:
                    raise
        raise AssertionError("the last of the shapes returns or raises")

    return decode


def _png(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    """PNG: the size is the beginning of its IHDR chunk."""
    del tables
    codec.require(data.size >= 24, "no PNG stream")
    columns, rows = struct.unpack_from(">II", data, 16)
    check_declared(codec, rows, columns, shape)
    return np.asarray(codec.imagecodecs("png_decode", data.tobytes()))


def _lerc(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    """LERC, versions 1 and 2. Floats that its mask takes out are NaN, as libtiff reads them.

    libtiff packs what it would store without compression: in big-endian files, swapped numbers.
    """
    del tables
    blob = data.tobytes()
    declared = _lerc_pixels(blob[:64])
    codec.require(declared is not None, "no LERC blob")
    codec.require(declared is None or declared <= prod(shape[:2]), "a LERC blob too large")
    image, mask = codec.imagecodecs("lerc_decode", blob, masks=True)
    image = np.asarray(image)
    if codec.endian == "big":  # type: ignore[attr-defined]
        image = image.byteswap()
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


def _libtiff(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    del shape
    chunk: Chunk = codec  # type: ignore[assignment]  # the tiff codec is one
    is_whole = chunk.stored.dtype.kind in "ui"
    if chunk.compression == SGI_LOG and chunk.photometric == LOGLUV and is_whole:
        return decode_log_luv(chunk, data)
    if chunk.compression.startswith(SUBSAMPLED):
        inner = DECOMPRESSORS[chunk.compression.removeprefix(SUBSAMPLED)]
        data = inner(codec, data, clump_bytes(chunk, chunk.shape[0]))
    return decode_by_libtiff(chunk, data, tables.jpeg)


def _eer(codec: ForeignCodec, data: Octets, shape: Shape, tables: Tables) -> npt.NDArray[Any]:
    """Electron events (EER): each adds 1 to its pixel; what lies within a pixel is not shown."""
    del tables
    bits: tuple[int, ...] = codec.event_bits  # type: ignore[attr-defined]
    return np.asarray(codec.imagecodecs("eer_decode", data.tobytes(), shape[:2], *bits))


IMAGE_DECODERS: dict[str, Decoder] = {
    **dict.fromkeys(BY_LIBTIFF, _libtiff),
    "eer": _eer,
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
