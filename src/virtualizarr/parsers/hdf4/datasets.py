"""Variables of files that the older DFSD interface wrote: numeric data groups (NDG, SDG).

They have no names; those given here, and those of their dimensions, are the SD interface's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.hdf4.decode import (
    decode_dimensions,
    decode_group,
    decode_number_type,
    decode_text,
)
from virtualizarr.parsers.hdf4.layout import (
    DFTAG_CAL,
    DFTAG_NDG,
    DFTAG_SDC,
    DFTAG_SDD,
    DFTAG_SDF,
    DFTAG_SDG,
    DFTAG_SDL,
    DFTAG_SDLNK,
    DFTAG_SDM,
    DFTAG_SDS,
    DFTAG_SDU,
    Key,
    Variable,
)
from virtualizarr.parsers.hdf4.read import OpenFile, fetch
from virtualizarr.parsers.hdf4.variables import Scientific, data_key
from virtualizarr.source.reading import Reading

TEXTS = {DFTAG_SDL: "long_name", DFTAG_SDU: "units", DFTAG_SDF: "format"}
CALIBRATION = ("scale_factor", "scale_factor_err", "add_offset", "add_offset_err")


def read_datasets(file: OpenFile) -> Reading[Scientific]:
    """Return the variables of all data groups; no round if their parts are held."""
    groups: list[tuple[int, dict[int, int]]] = []
    seen: set[int] = set()
    for tag in (DFTAG_NDG, DFTAG_SDG):
        refs = file.descriptors.refs_in_file_order(tag)
        contents = yield from fetch(file, [(tag, ref) for ref in refs])
        for ref, content in zip(refs, contents, strict=True):
            own = decode_group(content, ref)
            if tag == DFTAG_NDG and DFTAG_SDLNK in own:
                (link,) = yield from fetch(file, [(DFTAG_SDLNK, own[DFTAG_SDLNK])])
                seen.add(int.from_bytes(bytes(link[6:8]), "big"))
            if tag == DFTAG_NDG or ref not in seen:
                groups.append((ref, own))
    variables: list[Variable] = []
    dims = 0
    for ref, own in groups:
        if DFTAG_SDD not in own:
            continue
        found = yield from _dataset(file, ref, own, dims)
        dims += len(found[-1].dims)
        variables += found
    return Scientific(tuple(variables), {})


def _dataset(
    file: OpenFile, ref: int, own: Mapping[int, int], first: int
) -> Reading[list[Variable]]:
    """Return a data set behind its scales; its dimensions are numbered from `first` on."""
    (record,) = yield from fetch(file, [(DFTAG_SDD, own[DFTAG_SDD])])
    shape, number, scale_types = decode_dimensions(record, own[DFTAG_SDD])
    dims = tuple(f"fakeDim{first + axis}" for axis in range(len(shape)))
    types = yield from fetch(file, [number, *scale_types])
    dtype, *kinds = [
        decode_number_type(content, key[1])
        for content, key in zip(types, (number, *scale_types), strict=True)
    ]
    attributes = yield from _attributes(file, own, dtype)
    texts: dict[str, list[str]] = {}
    for tag, name in TEXTS.items():
        if tag in own:
            (content,) = yield from fetch(file, [(tag, own[tag])])
            texts[name] = [decode_text(part) for part in bytes(content).split(b"\0")]
    scales = yield from _scales(file, own, shape, kinds)
    variables = []
    for axis, dim in enumerate(dims):
        said = {
            name: found[axis + 1]
            for name, found in texts.items()
            if axis + 1 < len(found) and found[axis + 1]
        }
        if axis in scales:
            key, skip = scales[axis]
            kind = kinds[axis]
            variables.append(Variable(dim, (dim,), (shape[axis],), kind, said, key, skip=skip))
        else:
            attributes |= {f"{dim}_{name}": text for name, text in said.items()}
    attributes |= {name: found[0] for name, found in texts.items() if found[0]}
    name = f"Data-Set-{ref}"
    keys = ((DFTAG_NDG, ref), (DFTAG_SDG, ref))
    whole = Variable(name, dims, shape, dtype, attributes, data_key(file, own), keys=keys)
    return [*variables, whole]


def _scales(
    file: OpenFile, own: Mapping[int, int], shape: tuple[int, ...], kinds: list[np.dtype[Any]]
) -> Reading[dict[int, tuple[Key, int]]]:
    """Return, for each axis that has a scale, its element and how many bytes to skip in it."""
    if DFTAG_SDS not in own:
        return {}
    key = (DFTAG_SDS, own[DFTAG_SDS])
    (content,) = yield from fetch(file, [key])
    if len(content) < len(shape):
        raise CorruptFileError(f"the scales have {len(content)} bytes")
    found = {}
    skip = len(shape)
    for axis, (length, kind) in enumerate(zip(shape, kinds, strict=True)):
        if content[axis]:
            found[axis] = (key, skip)
            skip += length * kind.itemsize
    return found


def _attributes(
    file: OpenFile, own: Mapping[int, int], dtype: np.dtype[Any]
) -> Reading[dict[str, Any]]:
    """Return coordinate system, calibration and valid range."""
    found: dict[str, Any] = {}
    if DFTAG_SDC in own:
        (content,) = yield from fetch(file, [(DFTAG_SDC, own[DFTAG_SDC])])
        if text := decode_text(bytes(content)):
            found["coordsys"] = text
    if DFTAG_CAL in own:
        (content,) = yield from fetch(file, [(DFTAG_CAL, own[DFTAG_CAL])])
        kind = np.dtype(">f8" if len(content) == 36 else ">f4")
        if len(content) < 4 * kind.itemsize:
            raise CorruptFileError(f"the calibration has {len(content)} bytes")
        found |= dict(zip(CALIBRATION, _numbers(content, kind, 4), strict=True))
    if DFTAG_SDM in own:
        (content,) = yield from fetch(file, [(DFTAG_SDM, own[DFTAG_SDM])])
        if len(content) < 2 * dtype.itemsize:
            raise CorruptFileError(f"the valid range has {len(content)} bytes")
        found["valid_max"], found["valid_min"] = _numbers(content, dtype, 2)
    return found


def _numbers(content: memoryview, kind: np.dtype[Any], count: int) -> list[Any]:
    return [*np.frombuffer(content, kind, count).astype(kind.newbyteorder("="))]
