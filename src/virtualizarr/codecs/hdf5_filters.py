"""HDF5 filter pipelines as Zarr v3 codecs.

HDF5's filters work on the bytes of a chunk, one after the other, so each becomes a bytes-to-bytes
codec behind the `bytes` codec, in the same order. Filter numbers are those of the HDF5 library
(1-6) and of The HDF Group's list of registered filters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.codecs.names import CodecJSON
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

type HDF5Filter = tuple[int, int, str, Sequence[int]]
"""Identification number, flags, name and client data, as a filter pipeline message has them."""

FILTER_NAMES = {
    1: "deflate",
    2: "shuffle",
    3: "fletcher32",
    4: "szip",
    5: "nbit",
    6: "scaleoffset",
    305: "LZO",
    307: "bzip2",
    32000: "lzf",
    32001: "blosc",
    32002: "mafisc",
    32003: "snappy",
    32004: "lz4",
    32006: "apax",
    32007: "cbf",
    32008: "bitshuffle",
    32009: "spdp",
    32010: "lpc-rice",
    32011: "ccsds-123",
    32012: "jpeg-ls",
    32013: "zfp",
    32014: "fpzip",
    32015: "zstd",
    32016: "b3d",
    32017: "sz",
    32018: "fcidecomp",
    32019: "jpeg",
    32020: "vbz",
    32021: "fapec",
    32022: "bitgroom",
    32023: "granular bitround",
    32024: "sz3",
    32025: "delta-rice",
    32026: "blosc2",
    32027: "flac",
    32028: "sperr",
    32030: "ffmpeg",
}

DEFAULT_ZLIB_LEVEL = 1
BLOSC_CNAMES = ("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd")
BLOSC_SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
SIZE_KEEPING = {2, 32022, 32023}  # filters whose output is as long as their input
BITSHUFFLE_CNAMES = {0: "none", 2: "lz4", 3: "zstd"}
NBIT_PREFIX = 3  # values before the element's description
SCALEOFFSET_FILL_AT = 8


@dataclass(frozen=True, slots=True)
class FilterContext:
    """One filter's client data, with what else a codec may need."""

    client_data: tuple[int, ...]
    itemsize: int
    whole_elements: bool  # what the filter is given is the chunk's elements, not a stream of bytes

    def value(self, at: int) -> int:
        """Return client data value `at`; `CorruptFileError` if there is none."""
        if at >= len(self.client_data):
            raise CorruptFileError(
                f"a filter has {len(self.client_data)} client data values, {at + 1} are needed"
            )
        return self.client_data[at]

    def signed(self, at: int) -> int:
        """Return client data value `at` as the signed 32-bit integer it stands for."""
        return (self.value(at) ^ (1 << 31)) - (1 << 31)

    def choice(self, at: int, names: Sequence[str]) -> str:
        """Return the name that client data value `at` stands for."""
        index = self.value(at)
        if index >= len(names):
            raise CorruptFileError(f"client data value {at} is {index}")
        return names[index]


def filter_codecs(filters: Sequence[HDF5Filter], itemsize: int) -> tuple[CodecJSON, ...]:
    """Return the Zarr v3 codecs of an HDF5 filter pipeline, in encoding order.

    They follow the array-to-bytes codec. `itemsize` is the size of an element in bytes, as stored.
    Raises `UnsupportedFeatureError` naming a filter that cannot be read, `CorruptFileError` for
    client data that no filter writes.
    """
    return tuple(codec for codecs in codecs_by_filter(filters, itemsize) for codec in codecs)


def codecs_by_filter(
    filters: Sequence[HDF5Filter], itemsize: int
) -> tuple[tuple[CodecJSON, ...], ...]:
    """Return the same, filter by filter, as bit `i` of a chunk's filter mask skips filter `i`.

    A filter that changes nothing (shuffle of single bytes; rounding, for reading) has no codec.
    """
    numbers = [number for number, *_ in filters]
    whole = [set(numbers[:at]) <= SIZE_KEEPING for at in range(len(numbers))]
    return tuple(
        _converted(given, itemsize, whole_elements)
        for given, whole_elements in zip(filters, whole, strict=True)
    )


def _converted(given: HDF5Filter, itemsize: int, whole_elements: bool) -> tuple[CodecJSON, ...]:
    number, _flags, name, client_data = given
    known = FILTER_NAMES.get(number, name if name else "unnamed")
    convert = FILTERS.get(number)
    if convert is None:
        raise UnsupportedFeatureError(
            f"HDF5 filter {number} ({known}) has no Zarr codec here; rewrite the"
            " variable with another filter, or leave it out with drop_variables"
        )
    try:
        return tuple(convert(FilterContext(tuple(client_data), itemsize, whole_elements)))
    except CorruptFileError as error:
        raise CorruptFileError(f"HDF5 filter {number} ({known}): {error.reason}") from error


def _codec(name: str, **configuration: Any) -> list[CodecJSON]:
    return [{"name": name, "configuration": configuration}]


def _deflate(given: FilterContext) -> list[CodecJSON]:
    level = given.client_data[0] if given.client_data else DEFAULT_ZLIB_LEVEL
    return _codec("numcodecs.zlib", level=min(level, 9))


def _shuffle(given: FilterContext) -> list[CodecJSON]:
    size = given.client_data[0] if given.client_data else given.itemsize
    name = "numcodecs.shuffle" if given.whole_elements else "virtualizarr.shuffle"
    return [] if size <= 1 else _codec(name, elementsize=size)


def _fletcher32(_given: FilterContext) -> list[CodecJSON]:
    return _codec("numcodecs.fletcher32")


def _szip(given: FilterContext) -> list[CodecJSON]:
    fields = ("options_mask", "pixels_per_block", "bits_per_pixel", "pixels_per_scanline")
    values = {field: given.value(at) for at, field in enumerate(fields)}
    return _codec("virtualizarr.szip", **values)


def _nbit(given: FilterContext) -> list[CodecJSON]:
    need_not_compress = given.value(1)
    count = min(given.value(0), len(given.client_data))
    element = list(given.client_data[NBIT_PREFIX:count])
    return [] if need_not_compress else _codec("virtualizarr.nbit", element=element)


def _scaleoffset(given: FilterContext) -> list[CodecJSON]:
    scale_type, is_float, size = given.value(0), given.value(3), given.value(4)
    if scale_type == 1:
        raise UnsupportedFeatureError("HDF5 filter 6 (scaleoffset) with E-scaling, which is unused")
    kind = "f" if is_float else ("i" if given.value(5) else "u")
    if size not in (1, 2, 4, 8):
        raise CorruptFileError(f"elements of {size} bytes")
    fill = None
    if given.value(7):
        words = [given.value(SCALEOFFSET_FILL_AT + at) for at in range(max(size // 4, 1))]
        fill = b"".join(word.to_bytes(4, "little") for word in words)[:size].hex()
    return _codec(
        "virtualizarr.scaleoffset",
        kind=kind,
        itemsize=size,
        endian="big" if given.value(6) else "little",
        scale_factor=given.signed(1),
        fill_value=fill,
    )


def _bzip2(given: FilterContext) -> list[CodecJSON]:
    level = given.client_data[0] if given.client_data else 9
    return _codec("numcodecs.bz2", level=min(max(level, 1), 9))


def _lzf(_given: FilterContext) -> list[CodecJSON]:
    return _codec("virtualizarr.lzf")


def _blosc(given: FilterContext) -> list[CodecJSON]:
    more = len(given.client_data)
    return _codec(
        "blosc",
        typesize=max(given.value(2), 1),
        cname=given.choice(6, BLOSC_CNAMES) if more > 6 else "blosclz",
        clevel=min(given.value(4), 9) if more > 4 else 5,
        shuffle=given.choice(5, BLOSC_SHUFFLES) if more > 5 else "shuffle",
        blocksize=0,
    )


def _lz4(_given: FilterContext) -> list[CodecJSON]:
    return _codec("virtualizarr.lz4")


def _bitshuffle(given: FilterContext) -> list[CodecJSON]:
    compression = given.value(4) if len(given.client_data) > 4 else 0
    if compression not in BITSHUFFLE_CNAMES:
        raise UnsupportedFeatureError(f"HDF5 filter 32008 (bitshuffle) with codec {compression}")
    return _codec(
        "virtualizarr.bitshuffle",
        elementsize=given.value(2),
        blocksize=given.value(3) if len(given.client_data) > 3 else 0,
        cname=BITSHUFFLE_CNAMES[compression],
    )


def _zfp(given: FilterContext) -> list[CodecJSON]:
    given.value(1)
    return _codec("virtualizarr.zfp", header=list(given.client_data[1:]))


def _quantized(_given: FilterContext) -> list[CodecJSON]:
    """Rounding when values were written; what is stored are the values."""
    return []


def _fcidecomp(_given: FilterContext) -> list[CodecJSON]:
    return _codec("virtualizarr.jpegls")


def _zstd(given: FilterContext) -> list[CodecJSON]:
    level = given.signed(0) if given.client_data else 3
    return _codec("zstd", level=min(level, 22), checksum=False)


def _blosc2(_given: FilterContext) -> list[CodecJSON]:
    return _codec("virtualizarr.blosc2")


FILTERS: dict[int, Callable[[FilterContext], list[CodecJSON]]] = {
    1: _deflate,
    2: _shuffle,
    3: _fletcher32,
    4: _szip,
    5: _nbit,
    6: _scaleoffset,
    307: _bzip2,
    32000: _lzf,
    32001: _blosc,
    32004: _lz4,
    32008: _bitshuffle,
    32013: _zfp,
    32015: _zstd,
    32018: _fcidecomp,
    32022: _quantized,
    32023: _quantized,
    32026: _blosc2,
}
