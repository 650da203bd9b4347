"""Raster images as the interfaces DFR8 and DF24 of the HDF4 library write and read them."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from hdf4_files import library

PIXEL, LINE, COMPONENT = 0, 1, 2
ORDERS = {PIXEL: (0, 1, 2), LINE: (0, 2, 1), COMPONENT: (2, 0, 1)}
RLE, IMCOMP, JPEG = 11, 12, 2


class JpegQuality(ctypes.Structure):
    """The jpeg member of comp_info, with room for the others."""

    _fields_ = (
        ("quality", ctypes.c_int32),
        ("force", ctypes.c_int32),
        ("rest", ctypes.c_int32 * 8),
    )


def write_8(path: Path, values: Any, compression: int = 0) -> None:
    """Append an image of (y, x) bytes."""
    lib = library()
    pixels = np.ascontiguousarray(values, "u1")
    palette = np.arange(768, dtype="u1")  # which IMCOMP needs
    lib.DFR8setpalette(palette.ctypes.data_as(ctypes.c_void_p))
    lib.DFR8setcompress(compression, ctypes.byref(JpegQuality(90, 1)))
    call = lib.DFR8addimage
    rows, columns = pixels.shape
    data = pixels.ctypes.data_as(ctypes.c_void_p)
    assert call(str(path).encode(), data, columns, rows, compression) == 0


def write_24(path: Path, values: Any, interlace: int = PIXEL, quality: int | None = None) -> None:
    """Append an image of (y, x, 3) bytes, as JPEG if a quality is given."""
    lib = library()
    lib.DF24setil(interlace)
    if quality is not None:
        assert lib.DF24setcompress(JPEG, ctypes.byref(JpegQuality(quality, 1))) == 0
    stored = np.ascontiguousarray(values.transpose(ORDERS[interlace]), "u1")
    rows, columns = values.shape[:2]
    data = stored.ctypes.data_as(ctypes.c_void_p)
    assert lib.DF24addimage(str(path).encode(), data, columns, rows) == 0


def images_24(path: Path) -> list[Any]:
    """Return the images of DF24 as (y, x, 3), in the order of the file."""
    lib = library()
    lib.DF24restart()
    width, height = ctypes.c_int32(), ctypes.c_int32()
    interlace = ctypes.c_int()
    found = []
    name = str(path).encode()
    sizes = tuple(map(ctypes.byref, (width, height, interlace)))
    while lib.DF24getdims(name, *sizes) == 0:
        lib.DF24reqil(PIXEL)
        image = np.zeros((height.value, width.value, 3), "u1")
        data = image.ctypes.data_as(ctypes.c_void_p)
        assert lib.DF24getimage(name, data, width.value, height.value) == 0
        found.append(image)
    return found
