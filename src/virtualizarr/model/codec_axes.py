"""Codecs of an array whose axes are inserted, dropped or reordered.

Most codecs see bytes or flat elements and do not care; `transpose`, `sharding_indexed` and the crop
codec name axes. A new or dropped axis always has chunks of length 1, so no stored byte moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model.columns import dropped_at, inserted_at
from virtualizarr.model.decoding import CROP
from virtualizarr.model.json import Json

type CodecJson = Mapping[str, Json]
type Codecs = tuple[CodecJson, ...]


@dataclass(frozen=True, slots=True)
class Crop:
    """What the crop codec says: the stored shape of every chunk, and where in it to start."""

    stored_shape: tuple[int, ...]
    offset: tuple[int, ...]

    def to_json(self) -> CodecJson:
        """Return the codec, which comes before all others."""
        offset = {"offset": list(self.offset)} if any(self.offset) else {}
        return {"name": CROP, "configuration": {"stored_shape": list(self.stored_shape), **offset}}

    @classmethod
    def from_json(cls, codec: CodecJson) -> Crop:
        """Read the codec."""
        settings: Any = codec["configuration"]
        stored = tuple(int(n) for n in settings["stored_shape"])
        return cls(stored, tuple(int(n) for n in settings.get("offset", (0,) * len(stored))))


def insert_codec_axis(codecs: Sequence[CodecJson], axis: int) -> Codecs:
    """Return codecs for chunks with a new axis of length 1."""

    def reorder(order: tuple[int, ...]) -> tuple[int, ...]:
        return (axis, *(i + (i >= axis) for i in order))

    return _mapped(codecs, reorder, lambda shape, one: inserted_at(shape, axis, one))


def drop_codec_axis(codecs: Sequence[CodecJson], axis: int) -> Codecs:
    """Return codecs for chunks without an axis of length 1."""

    def reorder(order: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(i - (i > axis) for i in order if i != axis)

    return _mapped(codecs, reorder, lambda shape, _: dropped_at(shape, axis))


def permute_codecs(
    codecs: Sequence[CodecJson], order: Sequence[int], movable: Sequence[bool]
) -> Codecs:
    """Return codecs for the transposed array: its axis `i` was axis `order[i]`.

    `movable` says for each old axis whether all its chunks have length 1: such axes may move
    without any stored byte moving, so that often no `transpose` codec is needed. Raises
    UnsupportedFeatureError for shards: zarr accepts no `transpose` before a sharding codec.
    """
    crop, rest = split_crop(codecs)
    refuse_sharded(rest, "transposed")
    place = {old: new for new, old in enumerate(order)}
    first = rest[0] if rest else None
    if first is not None and first["name"] == "transpose":
        stored, rest = _order(first), rest[1:]
    else:
        stored = tuple(range(len(order)))
    back = tuple(place[old] for old in stored)
    fixed = [new for new in back if not movable[order[new]]]
    codecs = rest if fixed == sorted(fixed) else (_transpose(back), *rest)
    if crop is None:
        return codecs
    moved = Crop(
        tuple(crop.stored_shape[old] for old in order), tuple(crop.offset[old] for old in order)
    )
    return (moved.to_json(), *codecs)


def refuse_sharded(codecs: Sequence[CodecJson], done: str) -> None:
    """Raise UnsupportedFeatureError if the chunks are shards, naming what cannot be `done`."""
    if any(codec["name"] == "sharding_indexed" for codec in codecs):
        raise UnsupportedFeatureError(
            f"shards cannot be {done} without moving the chunks in them; open the dataset "
            "(`.virtualize.open()`) instead"
        )


def split_crop(codecs: Sequence[CodecJson]) -> tuple[Crop | None, Codecs]:
    """Return what a leading crop codec says (None without one), and the other codecs."""
    if codecs and codecs[0]["name"] == CROP:
        return Crop.from_json(codecs[0]), tuple(codecs[1:])
    return None, tuple(codecs)


def _mapped(
    codecs: Sequence[CodecJson],
    reorder: Callable[[tuple[int, ...]], tuple[int, ...]],
    reshape: Callable[[tuple[int, ...], int], tuple[int, ...]],
) -> Codecs:
    return tuple(_mapped_codec(codec, reorder, reshape) for codec in codecs)


def _mapped_codec(
    codec: CodecJson,
    reorder: Callable[[tuple[int, ...]], tuple[int, ...]],
    reshape: Callable[[tuple[int, ...], int], tuple[int, ...]],
) -> CodecJson:
    name = codec["name"]
    if name == "transpose":
        return _transpose(reorder(_order(codec)))
    settings: Any = codec.get("configuration")
    if name == CROP:
        crop = Crop.from_json(codec)
        return Crop(reshape(crop.stored_shape, 1), reshape(crop.offset, 0)).to_json()
    if name == "sharding_indexed":
        shape = list(reshape(tuple(settings["chunk_shape"]), 1))
        inner = list(_mapped(settings["codecs"], reorder, reshape))
        return {**codec, "configuration": {**settings, "chunk_shape": shape, "codecs": inner}}
    return codec


def _order(codec: CodecJson) -> tuple[int, ...]:
    settings: Any = codec["configuration"]
    return tuple(int(i) for i in settings["order"])


def _transpose(order: tuple[int, ...]) -> CodecJson:
    return {"name": "transpose", "configuration": {"order": list(order)}}
