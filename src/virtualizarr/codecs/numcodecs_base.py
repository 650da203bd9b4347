"""The Zarr v2 (numcodecs) form of a `ForeignCodec`; its id is the same stable name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numcodecs.abc import Codec

from virtualizarr.codecs.base import ForeignCodec, octets
from virtualizarr.codecs.names import DECODED_SIZE_KEY
from virtualizarr.errors import CorruptFileError


class NumcodecsTwin(Codec):  # type: ignore[misc]  # numcodecs has no annotations
    """The numcodecs form of the `ForeignCodec` named by `class X(NumcodecsTwin, of=Y)`.

    Its configuration is the v3 one and, where the writer knew it, `nbytes`: the size of a decoded
    chunk in bytes, which numcodecs does not tell a codec and which bounds what it may produce.
    """

    kind: ClassVar[type[ForeignCodec]]
    codec_id: ClassVar[str]

    def __init_subclass__(cls, *, of: type[ForeignCodec], **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.kind = of
        cls.codec_id = of.name

    def __init__(self, nbytes: Any = None, **configuration: Any) -> None:
        if nbytes is not None and (not isinstance(nbytes, int) or nbytes < 0):
            raise CorruptFileError(f"codec {self.codec_id}: nbytes is {nbytes!r}")
        self.nbytes = nbytes
        self.foreign = self.kind.from_configuration(configuration)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**{key: value for key, value in config.items() if key != "id"})

    def get_config(self) -> dict[str, Any]:
        size = {} if self.nbytes is None else {DECODED_SIZE_KEY: self.nbytes}
        return {"id": self.codec_id, **self.foreign.configuration(), **size}

    def decode(self, buf: Any, out: Any = None) -> Any:
        decoded = self.foreign.decode(octets(buf), self.nbytes)
        if out is None:
            return decoded
        target = octets(out)
        if target.size != decoded.size:
            raise CorruptFileError(
                f"codec {self.codec_id}: {decoded.size} bytes decoded for {target.size}"
            )
        np.copyto(target, decoded)
        return out

    def encode(self, buf: Any) -> Any:
        return self.foreign.encode(octets(buf))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumcodecsTwin) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((self.foreign, self.nbytes))
