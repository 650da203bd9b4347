"""Raster images as the GR interface of the HDF4 library writes and reads them (pyhdf has none)."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hdf4_files import TYPES, library

READ, CREATE = 1, 4
PIXEL, LINE, COMPONENT = 0, 1, 2
KINDS = {number: kind for kind, number in TYPES.items()} | {3: "u1", 4: "S1"}


def image_values(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return images by name, as (y, x) or (y, x, component), and the names of the unreadable."""
    lib = library()
    opened = lib.Hopen(str(path).encode(), READ, 0)
    started = lib.GRstart(opened)
    count, attributes = ctypes.c_int32(), ctypes.c_int32()
    lib.GRfileinfo(started, ctypes.byref(count), ctypes.byref(attributes))
    found: dict[str, Any] = {}
    unreadable: list[str] = []
    for index in range(count.value):
        image = lib.GRselect(started, index)
        name = ctypes.create_string_buffer(65536)
        components, kind, interlace, number = (ctypes.c_int32() for _ in range(4))
        lengths = (ctypes.c_int32 * 2)()
        references = map(ctypes.byref, (components, kind, interlace))
        lib.GRgetiminfo(image, name, *references, lengths, ctypes.byref(number))
        shown = name.value.decode("latin-1")
        data = np.zeros((lengths[1], lengths[0], components.value), KINDS[kind.value & 0xFFF])
        lib.GRreqimageil(image, PIXEL)
        start = (ctypes.c_int32 * 2)(0, 0)
        stride = (ctypes.c_int32 * 2)(1, 1)
        pointer = data.ctypes.data_as(ctypes.c_void_p)
        if lib.GRreadimage(image, start, stride, lengths, pointer) == 0:
            found[shown] = data[..., 0] if components.value == 1 else data
        else:
            unreadable.append(shown)
        lib.GRendaccess(image)
    lib.GRend(started)
    lib.Hclose(opened)
    return found, unreadable


def write_images(
    path: Path,
    images: Mapping[str, Any],
    *,
    interlace: int = PIXEL,
    chunks: Sequence[int] | None = None,
    compression: tuple[int, int] | None = None,
) -> None:
    """Write images of (y, x) or (y, x, component)."""
    lib = library()
    opened = lib.Hopen(str(path).encode(), CREATE, 0)
    started = lib.GRstart(opened)
    for name, values in images.items():
        pixels = values if values.ndim == 3 else values[..., None]
        lengths = (ctypes.c_int32 * 2)(pixels.shape[1], pixels.shape[0])
        kind = TYPES[values.dtype.str[1:]]
        image = lib.GRcreate(started, name.encode(), pixels.shape[2], kind, interlace, lengths)
        if chunks is not None:
            definition = (ctypes.c_int32 * 96)(*chunks)
            call = lib.GRsetchunk
            words = ctypes.c_int32 * 96

            class Definition(ctypes.Structure):
                _fields_ = (("words", words),)

            value = Definition(definition)
            if compression is not None:
                value.words[32], value.words[33], value.words[34] = (
                    compression[0],
                    0,
                    compression[1],
                )
            assert call(image, value, 1 if compression is None else 3) == 0
        elif compression is not None:
            info = (ctypes.c_int32 * 8)(compression[1])
            assert lib.GRsetcompress(image, compression[0], info) == 0
        order = {PIXEL: (0, 1, 2), LINE: (0, 2, 1), COMPONENT: (2, 0, 1)}[interlace]
        data = np.ascontiguousarray(pixels.transpose(order))
        start = (ctypes.c_int32 * 2)(0, 0)
        pointer = data.ctypes.data_as(ctypes.c_void_p)
        assert lib.GRwriteimage(image, start, None, lengths, pointer) == 0
        lib.GRendaccess(image)
    lib.GRend(started)
    lib.Hclose(opened)
