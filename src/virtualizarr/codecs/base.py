"""What our codecs share: a decoder written once, and how it reports broken input.

A `ForeignCodec` undoes one encoding found in the files we read. It knows nothing of Zarr; the twins
in `zarr_base` (Zarr v3) and `numcodecs_base` (Zarr v2) wrap it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import (
    CorruptFileError,
    MissingDependencyError,
    UnsupportedFeatureError,
)

type Octets = npt.NDArray[np.uint8]  # 1-D and contiguous


@dataclass(frozen=True)
class ForeignCodec:
    """One encoding with its parameters: the fields are the codec's `configuration`.

    A subclass gives `name`, its fields (JSON values; sequences as tuples), `decode`, `encode` where
    that is easy and lossless, and checks its fields in `__post_init__` with `self.require`.
    """

    name: ClassVar[str]

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Self:
        """Return the codec of a metadata `configuration`; `CorruptFileError` if it is not one."""
        known = {field.name for field in fields(cls)}
        values = {key: _frozen(value) for key, value in configuration.items()}
        if unknown := sorted(values.keys() - known):
            raise CorruptFileError(f"codec {cls.name}: unknown configuration {unknown}")
        try:
            return cls(**values)
        except TypeError as error:
            raise CorruptFileError(f"codec {cls.name}: {error}") from error

    def configuration(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {field.name: _thawed(getattr(self, field.name)) for field in fields(self)}

    def decode(self, data: Octets, nbytes: int | None) -> Octets:
        """Return the bytes that `data` encodes.

        `nbytes` is the size of the whole decoded chunk, None where it is not known; the result may
        be a little larger (see `capacity`) where another codec of the chain made it so. Raises
        `CorruptFileError` for data that the encoding does not allow.
        """
        raise NotImplementedError

    def encode(self, data: Octets) -> Octets:
        """Return `data` encoded; `UnsupportedFeatureError` unless the subclass can."""
        raise UnsupportedFeatureError(
            f"codec {self.name} reads but does not write ({data.size} bytes were to be encoded)"
        )

    def require(self, holds: object, reason: str) -> None:
        """Raise `CorruptFileError` about this codec unless `holds`."""
        if not holds:
            raise self.corrupt(reason)

    def corrupt(self, reason: str) -> CorruptFileError:
        """Return the error that says what is wrong with a chunk or with the parameters."""
        return CorruptFileError(f"codec {self.name}: {reason}")

    def require_integers(self, **bounds: tuple[int, int]) -> None:
        """Raise `CorruptFileError` unless each named field is an int within its closed bounds."""
        for field, (low, high) in bounds.items():
            value = getattr(self, field)
            known = isinstance(value, int) and not isinstance(value, bool)
            self.require(known and low <= value <= high, f"{field} is {value!r}")

    def require_words(self, field: str, low: int, high: int) -> None:
        """Raise `CorruptFileError` unless the named field is a tuple of ints within the bounds."""
        words = getattr(self, field)
        known = isinstance(words, tuple) and all(isinstance(word, int) for word in words)
        self.require(known and all(low <= word <= high for word in words), f"{field} is {words!r}")

    def known_size(self, nbytes: int | None) -> int:
        """Return `nbytes`, for an encoding that cannot be decoded without it."""
        if nbytes is None:
            raise self.corrupt("the size of a decoded chunk, `nbytes`, is not in the configuration")
        return nbytes

    def imagecodecs(self, function: str, *args: Any, **options: Any) -> Any:
        """Return what a function of imagecodecs returns; its errors become `CorruptFileError`."""
        call = imagecodecs_function(function, self.name)
        try:
            return call(*args, **options)
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            raise self.corrupt(f"cannot decode the chunk: {error}") from error


def imagecodecs_function(function: str, codec: str) -> Any:
    """Return a function of imagecodecs, for `codec`; `MissingDependencyError` without it."""
    try:
        return getattr(importlib.import_module("imagecodecs"), function)
    except ImportError as error:
        raise MissingDependencyError(
            f'codec {codec} needs imagecodecs: pip install "virtualizarr[codecs]"'
        ) from error
    except AttributeError as error:
        raise UnsupportedFeatureError(
            f"codec {codec}: the imagecodecs installed here has no {function}"
        ) from error


def capacity(nbytes: int) -> int:
    """Return how many bytes any step of decoding a chunk of `nbytes` bytes may produce.

    More than `nbytes`, because a codec that was applied earlier may have made the chunk larger: a
    checksum adds 4 bytes, a compressor that cannot compress a header and 1 byte in 255 or so.
    """
    return nbytes + nbytes // 64 + 4096


def output_limit(nbytes: int | None, encoded: int, ratio: int) -> int:
    """Return the largest output to accept from `encoded` bytes.

    `ratio` is the most that the encoding can expand; it decides where `nbytes` is not known.
    """
    most = encoded * ratio
    return most if nbytes is None else min(capacity(nbytes), most)


def octets(data: Any) -> Octets:
    """Return any contiguous buffer as 1-D uint8 array, without a copy."""
    if isinstance(data, np.ndarray):
        return np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    return np.frombuffer(data, np.uint8)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def _thawed(value: Any) -> Any:
    return [_thawed(item) for item in value] if isinstance(value, tuple) else value
