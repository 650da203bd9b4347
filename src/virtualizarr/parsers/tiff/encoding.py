"""How the strips and tiles of an image are encoded: its tags, as our codec (TIFF 6.0, 3 to 22)."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

import numpy as np

from virtualizarr.codecs.tiff import Tiff
from virtualizarr.codecs.tiff_libtiff import INNER
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.tiff.layout import Ifd, Tag, Values

COMPRESSIONS = {
    1: "none",
    2: "ccittrle",
    3: "ccittfax3",
    4: "ccittfax4",
    5: "lzw",
    6: "jpeg",
    7: "jpeg",
    8: "deflate",
    22610: "jpegxr",
    32766: "next",
    32771: "ccittrlew",
    32773: "packbits",
    32809: "thunderscan",
    32946: "deflate",
    33003: "jpeg2000",
    33005: "jpeg2000",
    33007: "jpeg",
    34676: "sgilog",
    34677: "sgilog24",
    34712: "jpeg2000",
    34887: "lerc",
    34892: "jpeg",
    34925: "lzma",
    34926: "zstd",
    34927: "webp",
    34933: "png",
    34934: "jpegxr",
    50000: "zstd",
    50001: "webp",
    50002: "jpegxl",
    50013: "deflate",
    52546: "jpegxl",
    65000: "eer",
    65001: "eer",
    65002: "eer",
}
OTHER_COMPRESSIONS = {
    9: "JBIG (T.85)",
    10: "JBIG (T.43)",
    32908: "PixarFilm",
    32909: "PixarLog",
    34661: "JBIG",
    34713: "Nikon NEF",
    34715: "JBIG2",
    48124: "Jetraw",
}
OLD_JPEG = 6
LERC = 34887
PICTURES = frozenset(
    {
        *("eer", "jpeg", "jpeg2000", "jpegxl", "jpegxr", "next", "ojpeg", "png"),
        *("sgilog", "sgilog24", "thunderscan", "webp"),
    }
)
CCITT = frozenset({"ccittrle", "ccittrlew", "ccittfax3", "ccittfax4"})
LOG = frozenset({"sgilog", "sgilog24"})
BITS = {"eer": "uint1", "next": "uint2", "thunderscan": "uint4", **dict.fromkeys(CCITT, "uint1")}
"""The one sample that a compression can hold."""

SUBSAMPLINGS = frozenset({(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4)})
EVENT_BITS = {65000: (8, 2, 2), 65001: (7, 2, 2)}
EVENT_TAGS = ((Tag.EER_SKIP_BITS, 7), (Tag.EER_HORIZONTAL_BITS, 2), (Tag.EER_VERTICAL_BITS, 2))
LERC_ALSO = {0: "lerc", 1: "lerc_deflate", 2: "lerc_zstd"}
SAMPLE_KINDS = {1: "uint", 2: "int", 3: "float", 4: "uint", 5: "complexint", 6: "complex"}
YCBCR = 6


def codec_of(ifd: Ifd, shape: tuple[int, int, int], edge: tuple[int, int], samples: int) -> Tiff:
    """Return the codec of the strips or tiles of an image.

    `shape` is that of a whole one: rows, columns, samples; `edge` the rows and columns of the last.
    `samples` are those of the image. Raises UnsupportedFeatureError by name for what is not read.
    """
    number = ifd.number(Tag.COMPRESSION, 1)
    compression = COMPRESSIONS.get(number)
    if compression is None:
        known = OTHER_COMPRESSIONS.get(number)
        name = f"{known} ({number})" if known is not None else str(number)
        raise UnsupportedFeatureError(f"TIFF compression {name} is not read here")
    photometric = ifd.number(Tag.PHOTOMETRIC_INTERPRETATION, -1)
    colours: dict[str, Any] = {}
    if number == OLD_JPEG and Tag.JPEG_TABLES in ifd.values:
        compression = "ojpeg"
    if photometric == YCBCR and (compression == "ojpeg" or _is_subsampled(ifd, compression)):
        colours = _colours(ifd)
        compression = _by_libtiff(ifd, compression, shape, samples)
    if compression == "lerc":
        compression = _lerc(ifd)
    sample, bits = _sample(ifd, samples)
    decoded_whole = compression in PICTURES or number == LERC
    is_picture = decoded_whole or bool(colours)
    if bits and (is_picture or shape[2] != samples):
        raise UnsupportedFeatureError(f"samples of {bits} bits with compression {compression!r}")
    if sample != BITS.get(compression, sample):
        raise UnsupportedFeatureError(f"samples of {sample!r} with compression {compression!r}")
    if compression in LOG:
        _check_log(compression, photometric, sample)
    with_tables = compression in ("jpeg", "ojpeg")
    tables = ifd.values.get(Tag.JPEG_TABLES) if with_tables else None
    keeps_photometric = with_tables or bool(colours) or compression in LOG
    unpredicted = is_picture or compression in CCITT
    swapped = ifd.endian == ">" and (not is_picture or number == LERC)
    return _tiff(
        shape=shape,
        sample=sample,
        edge=edge,
        compression=compression,
        endian="big" if swapped else "little",
        predictor=1 if unpredicted else ifd.number(Tag.PREDICTOR, 1),
        fill_order=2 if ifd.number(Tag.FILL_ORDER, 1) == 2 and not decoded_whole else 1,
        band_first=shape[2] > 1,
        bits=bits,
        tables=base64.b64encode(tables.tobytes()).decode() if tables is not None else "",
        photometric=photometric if keeps_photometric else -1,
        options=ifd.number(Tag.T4_OPTIONS, 0) if compression == "ccittfax3" else 0,
        event_bits=_event_bits(ifd, number) if compression == "eer" else (),
        **colours,
    )


@lru_cache(maxsize=256)
def _tiff(**fields: Any) -> Tiff:
    """Return a codec; images that are alike share one."""
    return Tiff(**fields)


def _is_subsampled(ifd: Ifd, compression: str) -> bool:
    """Say whether the chroma of YCbCr has fewer samples than its luma, in other than pictures."""
    return compression not in PICTURES and _subsampling(ifd) != (1, 1)


def _subsampling(ifd: Ifd) -> tuple[int, ...]:
    values = ifd.values.get(Tag.YCBCR_SUB_SAMPLING)
    return (2, 2) if values is None else tuple(int(value) for value in values[:2])


def _by_libtiff(ifd: Ifd, compression: str, shape: tuple[int, int, int], samples: int) -> str:
    """Return the name under which libtiff decodes YCbCr to RGB, as GDAL shows it."""
    if compression == "ojpeg":
        return compression
    factors = _subsampling(ifd)
    bits = ifd.number(Tag.BITS_PER_SAMPLE, 1)
    known = factors in SUBSAMPLINGS and compression in INNER and bits == 8
    known = known and ifd.number(Tag.PREDICTOR, 1) == 1
    if not known or shape[2] != samples or samples != 3:
        raise UnsupportedFeatureError(
            f"YCbCr of {bits} bits with chroma subsampled by {list(factors)} and compression "
            f"{compression!r}"
        )
    return f"ycbcr_{compression}"


def _colours(ifd: Ifd) -> dict[str, Any]:
    """Return what libtiff needs to make RGB of YCbCr."""
    found: dict[str, Any] = {"subsampling": _subsampling(ifd)}
    for name, tag, count in (
        ("luma", Tag.YCBCR_COEFFICIENTS, 3),
        ("black_white", Tag.REFERENCE_BLACK_WHITE, 6),
    ):
        values = ifd.values.get(tag)
        if values is not None and len(values) >= count and np.isfinite(values[:count]).all():
            found[name] = tuple(float(value) for value in values[:count])
    return found


def _check_log(compression: str, photometric: int, sample: str) -> None:
    """Raise UnsupportedFeatureError for SGI Log in other forms than those that GDAL shows."""
    whole = sample in ("int16", "uint16")
    if sample == "float32" or (whole and compression == "sgilog"):
        return
    raise UnsupportedFeatureError(
        f"SGI Log of photometric {photometric} as {sample!r} with compression {compression!r}"
    )


def _event_bits(ifd: Ifd, number: int) -> tuple[int, ...]:
    if number in EVENT_BITS:
        return EVENT_BITS[number]
    return tuple(ifd.number(tag, default) for tag, default in EVENT_TAGS)


def _lerc(ifd: Ifd) -> str:
    parameters = ifd.values.get(Tag.LERC_PARAMETERS)
    also = int(parameters[1]) if parameters is not None and len(parameters) > 1 else 0
    if also not in LERC_ALSO:
        raise UnsupportedFeatureError(f"LERC with additional compression {also}")
    return LERC_ALSO[also]


def _sample(ifd: Ifd, samples: int) -> tuple[str, tuple[int, ...]]:
    """Return the name of how samples are stored, and their bits where they differ."""
    widths = _of_each(ifd.values.get(Tag.BITS_PER_SAMPLE), samples, 1)
    formats = _of_each(ifd.values.get(Tag.SAMPLE_FORMAT), samples, 1)
    if len(formats) > 1:
        raise UnsupportedFeatureError(f"samples of different formats: {formats}")
    kind = SAMPLE_KINDS.get(formats[0])
    if kind is None:
        raise UnsupportedFeatureError(f"TIFF sample format {formats[0]} is not known")
    if len(widths) == 1:
        return f"{kind}{widths[0]}", ()
    if kind != "uint" or sum(widths) not in (8, 16, 32) or max(widths) > 8:
        raise UnsupportedFeatureError(f"samples of different widths: {widths} bits")
    return "uint8", widths


def _of_each(values: Values | None, samples: int, default: int) -> tuple[int, ...]:
    """Return the value for each sample, or one value alone where all are equal."""
    if values is None or not len(values):
        return (default,)
    first = values[:samples]
    if (first == first[0]).all():
        return (int(first[0]),)
    return tuple(int(value) for value in first)
