"""Any decoder of imagecodecs, by the name its numcodecs twin has without `imagecodecs_`.

Kerchunk references name codecs such as `imagecodecs_jpeg2k`, which imagecodecs makes for numcodecs
only; this codec gives all of them one Zarr v3 name.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from virtualizarr.codecs.base import ForeignCodec, Octets, capacity, imagecodecs_function, octets
from virtualizarr.codecs.names import IMAGECODECS_NAME, IMAGECODECS_PREFIX
from virtualizarr.codecs.numcodecs_base import NumcodecsTwin
from virtualizarr.codecs.zarr_base import ZarrTwin
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

ROOM_LIMITS = frozenset(
    {
        *("blosc", "blosc2", "brotli", "bz2", "deflate", "gzip", "lz4", "lzfse", "lzma", "lzw"),
        *("packbits", "zlib", "zstd"),
    }
)
"""The codecs of imagecodecs that write no more than fits into a buffer they are given."""

REFUSED = frozenset({"numpy"})  # a container that may hold Python objects


@dataclass(frozen=True)
class Imagecodecs(ForeignCodec):
    """`codec`: the name in imagecodecs; `options`: its numcodecs configuration without `id`.

    Images come out as their bytes in C order, in the machine's byte order.
    """

    name: ClassVar[str] = IMAGECODECS_NAME
    codec: str
    options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        self.require(str(self.codec).isidentifier(), f"codec is {self.codec!r}")
        if self.codec in REFUSED:
            raise UnsupportedFeatureError(f"codec imagecodecs_{self.codec} is not read here")

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Self:
        options = configuration.get("options", {})
        if not isinstance(options, Mapping):
            raise CorruptFileError(f"codec {cls.name}: options is {options!r}")
        pairs = sorted(options.items())
        return super().from_configuration({**configuration, "options": pairs})

    def configuration(self) -> dict[str, Any]:
        fields = super().configuration()
        return {**fields, "options": dict(fields["options"])}

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        numcodec = self._numcodec()
        try:
            decoded = numcodec.decode(data.tobytes(), out=self._room(nbytes))
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            raise self.corrupt(f"cannot decode the chunk: {error}") from error
        out = octets(np.ascontiguousarray(decoded) if hasattr(decoded, "shape") else decoded)
        fits = nbytes is None or out.size <= capacity(nbytes)
        self.require(fits, f"{out.size} bytes decoded for a chunk of {nbytes}")
        return out

    def _room(self, nbytes: int | None) -> Octets | None:
        """Return a buffer for the largest chunk there may be and one byte more, which tells."""
        if nbytes is None or self.codec not in ROOM_LIMITS:
            return None
        return np.empty(capacity(nbytes) + 1, np.uint8)

    def _numcodec(self) -> Any:
        """Return the numcodecs codec of that id; it need not be registered."""
        identifier = IMAGECODECS_PREFIX + self.codec
        imagecodecs_function("version", self.name)
        module = importlib.import_module("imagecodecs.numcodecs")
        for candidate in vars(module).values():
            if getattr(candidate, "codec_id", None) == identifier:
                try:
                    return candidate(**dict(self.options))
                except (TypeError, ValueError) as error:
                    raise self.corrupt(f"{identifier}: {error}") from error
        raise UnsupportedFeatureError(f"the imagecodecs installed here has no {identifier}")


class ImagecodecsCodec(ZarrTwin, of=Imagecodecs):
    """Zarr v3 codec `virtualizarr.imagecodecs`."""


class ImagecodecsNumcodec(NumcodecsTwin, of=Imagecodecs):
    """numcodecs codec `virtualizarr.imagecodecs`."""
