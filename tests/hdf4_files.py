"""HDF4 files for tests, written and read by the HDF4 library: pyhdf, and what pyhdf lacks of it."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyhdf")

from pyhdf import _hdfext
from pyhdf.error import HDF4Error
from pyhdf.SD import SD, SDC

LITTLE_ENDIAN = 0x4000
MAX_RANK = 32
CHUNKED, COMPRESSED, NBIT = 1, 3, 5
RLE, SKPHUFF, DEFLATE = SDC.COMP_RLE, SDC.COMP_SKPHUFF, SDC.COMP_DEFLATE
TYPES = {
    "f4": SDC.FLOAT32,
    "f8": SDC.FLOAT64,
    "i1": SDC.INT8,
    "u1": SDC.UINT8,
    "i2": SDC.INT16,
    "u2": SDC.UINT16,
    "i4": SDC.INT32,
    "u4": SDC.UINT32,
}


class ChunkDefinition(ctypes.Structure):
    """HDF_CHUNK_DEF: chunk lengths, then a coder and its parameters, or those of N-bit."""

    _fields_ = (("lengths", ctypes.c_int32 * MAX_RANK), ("words", ctypes.c_int32 * 64))


def library() -> ctypes.CDLL:
    return ctypes.CDLL(_hdfext.__file__)


def create(file: SD, name: str, values: Any, *, little: bool = False, shape: Any = None) -> Any:
    """Create a variable for `values`; its numbers are stored little-endian if asked."""
    kind = TYPES[values.dtype.str[1:]] | (LITTLE_ENDIAN if little else 0)
    return file.create(name, kind, values.shape if shape is None else shape)


def set_chunks(variable: Any, lengths: Sequence[int], *words: int, flags: int = CHUNKED) -> None:
    """Set chunk lengths and, in `words`, what follows in HDF_CHUNK_DEF."""
    definition = ChunkDefinition()
    definition.lengths[: len(lengths)] = list(lengths)
    definition.words[: len(words)] = list(words)
    call = library().SDsetchunk
    call.argtypes = [ctypes.c_int32, ChunkDefinition, ctypes.c_int32]
    assert call(variable._id, definition, flags) == 0


def set_nbit(variable: Any, start_bit: int, bit_len: int, sign_ext: int, fill_one: int) -> None:
    arguments = (variable._id, start_bit, bit_len, sign_ext, fill_one)
    assert library().SDsetnbitdataset(*map(ctypes.c_int32, arguments)) != -1


def put(variable: Any, values: Any, start: Sequence[int] | None = None) -> None:
    """Write through SDwritedata, which pyhdf does not do for little-endian types."""
    data = np.ascontiguousarray(values)
    vector = ctypes.c_int32 * data.ndim
    begin = vector(*(start if start is not None else [0] * data.ndim))
    pointer = data.ctypes.data_as(ctypes.c_void_p)
    edges = vector(*data.shape)
    assert library().SDwritedata(ctypes.c_int32(variable._id), begin, None, edges, pointer) == 0


def take(variable: Any) -> Any:
    """Read a whole variable; pyhdf refuses little-endian types, so SDreaddata is called."""
    _, rank, dims, kind, _ = variable.info()
    if not kind & LITTLE_ENDIAN:
        return np.asarray(variable.get())
    lengths = [dims] if rank == 1 else list(dims)
    names = {number: name for name, number in TYPES.items()}
    data = np.zeros(lengths, names[kind & ~LITTLE_ENDIAN])
    vector = ctypes.c_int32 * rank
    pointer = data.ctypes.data_as(ctypes.c_void_p)
    arguments = (vector(*[0] * rank), None, vector(*lengths), pointer)
    if library().SDreaddata(ctypes.c_int32(variable._id), *arguments) != 0:
        raise HDF4Error("SDreaddata failure")
    return data


def values_of(path: Path) -> tuple[list[tuple[str, Any]], int]:
    """Return name and values of every SDS the library can read, and the number of the others.

    Names that were there before get a number, as in our trees.
    """
    found: list[tuple[str, Any]] = []
    unreadable = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = SD(str(path))
        count, _ = file.info()
        often: dict[str, int] = {}
        for index in range(count):
            variable = file.select(index)
            name = variable.info()[0].replace("/", "_")
            often[name] = often.get(name, 0) + 1
            shown = name if often[name] == 1 else f"{name}_{often[name]}"
            try:
                found.append((shown, take(variable)))
            except (HDF4Error, ValueError):
                unreadable += 1
            variable.endaccess()
        file.end()
    return found, unreadable


def attributes_of(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return attributes as pyhdf reads them, by variable; those of the file under ""."""
    file = SD(str(path))
    count, _ = file.info()
    found = {"": dict(file.attributes())}
    for index in range(count):
        variable = file.select(index)
        found[variable.info()[0]] = dict(variable.attributes())
        variable.endaccess()
    file.end()
    return found


def open_new(path: Path) -> SD:
    return SD(str(path), SDC.WRITE | SDC.CREATE | SDC.TRUNC)


def numbers(shape: tuple[int, ...], kind: str) -> Any:
    """Return values with runs and few changes."""
    count = int(np.prod(shape))
    return (np.arange(count) // 7 % 100 + (np.arange(count) % 11 == 0)).reshape(shape).astype(kind)
