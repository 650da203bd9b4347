"""The compression of an element (the coders of the comp modules), as Zarr codecs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.codecs.hdf4_nbit import Hdf4Nbit
from virtualizarr.codecs.hdf4_raster import Hdf4Raster
from virtualizarr.codecs.hdf4_rle import Hdf4Rle
from virtualizarr.codecs.hdf4_skphuff import Hdf4Skphuff
from virtualizarr.codecs.hdf4_szip import Hdf4Szip
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.json import Json
from virtualizarr.parsers.hdf4.decode import Fields
from virtualizarr.parsers.hdf4.layout import (
    CODER_NAMES,
    COMP_CODE_DEFLATE,
    COMP_CODE_NBIT,
    COMP_CODE_NONE,
    COMP_CODE_RLE,
    COMP_CODE_SKPHUFF,
    COMP_CODE_SZIP,
)

type CodecJson = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Coder:
    """A coder and its parameters, as the file gives them."""

    code: int
    parameters: tuple[int, ...]

    def codecs(self, dtype: np.dtype[Any], length: int) -> list[CodecJson]:
        """Return the codecs that decode a stream of `length` bytes of `dtype`."""
        return CODECS[self.code](self, dtype, length)


@dataclass(frozen=True, slots=True)
class RasterCoder:
    """How an image is stored that is one stream, or interlaced."""

    raster: Hdf4Raster

    def codecs(self, dtype: np.dtype[Any], length: int) -> list[CodecJson]:
        """Return the codec of the whole image."""
        del dtype, length
        return [_json(self.raster)]


def decode_coder(code: int, header: Fields) -> Coder:
    """Decode a coder's parameters; UnsupportedFeatureError, by name, for one that is not read."""
    if code not in PARAMETERS:
        raise UnsupportedFeatureError(f"compression {CODER_NAMES.get(code, code)}")
    return Coder(code, header.take(PARAMETERS[code]))


def _deflate(coder: Coder, dtype: np.dtype[Any], length: int) -> list[CodecJson]:
    del dtype, length
    level = min(max(coder.parameters[0], 0), 9)
    return [{"name": "numcodecs.zlib", "configuration": {"level": level}}]


def _rle(coder: Coder, dtype: np.dtype[Any], length: int) -> list[CodecJson]:
    del coder, dtype
    return [_json(Hdf4Rle(length))]


def _nbit(coder: Coder, dtype: np.dtype[Any], length: int) -> list[CodecJson]:
    _, sign_ext, fill_one, start_bit, bit_len = coder.parameters
    return [
        _json(
            Hdf4Nbit(
                length, dtype.itemsize, start_bit, bit_len, sign_ext=bool(sign_ext), fill=fill_one
            )
        )
    ]


def _skphuff(coder: Coder, dtype: np.dtype[Any], length: int) -> list[CodecJson]:
    del dtype
    return [_json(Hdf4Skphuff(length, coder.parameters[0]))]


def _szip(coder: Coder, dtype: np.dtype[Any], length: int) -> list[CodecJson]:
    del dtype
    _, scanline, mask, bits, block = coder.parameters
    codec = Hdf4Szip(
        length=length,
        options_mask=mask & 0xFFFFFFFF,
        pixels_per_block=block,
        bits_per_pixel=bits,
        pixels_per_scanline=scanline,
    )
    return [_json(codec)]


def _none(coder: Coder, dtype: np.dtype[Any], length: int) -> list[CodecJson]:
    del coder, dtype, length
    return []


def _json(codec: Any) -> CodecJson:
    return {"name": codec.name, "configuration": codec.configuration()}


PARAMETERS = {
    COMP_CODE_NONE: "",
    COMP_CODE_RLE: "",
    COMP_CODE_NBIT: "iHHii",
    COMP_CODE_SKPHUFF: "i",
    COMP_CODE_DEFLATE: "H",
    COMP_CODE_SZIP: "iiiBB",
}
CODECS: dict[int, Callable[[Coder, np.dtype[Any], int], list[CodecJson]]] = {
    COMP_CODE_NONE: _none,
    COMP_CODE_RLE: _rle,
    COMP_CODE_NBIT: _nbit,
    COMP_CODE_SKPHUFF: _skphuff,
    COMP_CODE_DEFLATE: _deflate,
    COMP_CODE_SZIP: _szip,
}
