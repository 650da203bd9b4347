"""Codecs of an array whose axes are inserted, dropped or reordered.

Most codecs see bytes or flat elements and do not care; `transpose`, `sharding_indexed` and the crop
codec name axes. A new or dropped axis always has chunks of length 1, so no stored byte moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from virtualizarr.model.columns import dropped_at, inserted_at
from virtualizarr.model.decoding import CROP
from virtualizarr.model.json import Json

type CodecJson = Mapping[str, Json]
type Codecs = tuple[CodecJson, ...]


def insert_codec_axis(codecs: Sequence[CodecJson], axis: int) -> Codecs:
    """Return codecs for chunks with a new axis of length 1."""

    def reorder(order: tuple[int, ...]) -> tuple[int, ...]:
        return (axis, *(i + (i >= axis) for i in order))

    return _mapped(codecs, reorder, lambda shape: inserted_at(shape, axis, 1))


def drop_codec_axis(codecs: Sequence[CodecJson], axis: int) -> Codecs:
    """Return codecs for chunks without an axis of length 1."""

    def reorder(order: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(i - (i > axis) for i in order if i != axis)

    return _mapped(codecs, reorder, lambda shape: dropped_at(shape, axis))


def permute_codecs(
    codecs: Sequence[CodecJson], order: Sequence[int], movable: Sequence[bool]
) -> Codecs:
    """Return codecs for the transposed array: its axis `i` was axis `order[i]`.

    `movable` says for each old axis whether all its chunks have length 1: such axes may move
    without any stored byte moving, so that often no `transpose` codec is needed.
    """
    crop, rest = split_crop(codecs)
    place = {old: new for new, old in enumerate(order)}
    first = rest[0] if rest else None
    if first is not None and first["name"] == "transpose":
        stored, rest = _order(first), rest[1:]
    else:
        stored = tuple(range(len(order)))
    back = tuple(place[old] for old in stored)
    fixed = [new for new in back if not movable[order[new]]]
    codecs = rest if fixed == sorted(fixed) else (_transpose(back), *rest)
    return codecs if crop is None else (crop_codec([crop[old] for old in order]), *codecs)


def split_crop(codecs: Sequence[CodecJson]) -> tuple[tuple[int, ...] | None, Codecs]:
    """Return the stored chunk shape that a crop codec names (None without one), and the rest."""
    if codecs and codecs[0]["name"] == CROP:
        settings: Any = codecs[0]["configuration"]
        return tuple(int(n) for n in settings["stored_shape"]), tuple(codecs[1:])
    return None, tuple(codecs)


def crop_codec(stored_shape: Sequence[int]) -> CodecJson:
    """Return the codec that cuts a decoded chunk of `stored_shape` to the shape its grid gives."""
    return {"name": CROP, "configuration": {"stored_shape": [int(n) for n in stored_shape]}}


def _mapped(
    codecs: Sequence[CodecJson],
    reorder: Callable[[tuple[int, ...]], tuple[int, ...]],
    reshape: Callable[[tuple[int, ...]], tuple[int, ...]],
) -> Codecs:
    return tuple(_mapped_codec(codec, reorder, reshape) for codec in codecs)


def _mapped_codec(
    codec: CodecJson,
    reorder: Callable[[tuple[int, ...]], tuple[int, ...]],
    reshape: Callable[[tuple[int, ...]], tuple[int, ...]],
) -> CodecJson:
    name = codec["name"]
    if name == "transpose":
        return _transpose(reorder(_order(codec)))
    settings: Any = codec.get("configuration")
    if name == CROP:
        return crop_codec(reshape(tuple(settings["stored_shape"])))
    if name == "sharding_indexed":
        shape = list(reshape(tuple(settings["chunk_shape"])))
        inner = list(_mapped(settings["codecs"], reorder, reshape))
        return {**codec, "configuration": {**settings, "chunk_shape": shape, "codecs": inner}}
    return codec


def _order(codec: CodecJson) -> tuple[int, ...]:
    settings: Any = codec["configuration"]
    return tuple(int(i) for i in settings["order"])


def _transpose(order: tuple[int, ...]) -> CodecJson:
    return {"name": "transpose", "configuration": {"order": list(order)}}
