"""Serialized selections and the mapping list of a virtual dataset (III.E, Appendix)."""

from __future__ import annotations

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.decode_dataset import MAX_RANK
from virtualizarr.parsers.hdf5.decode_fields import (
    bounded,
    take,
    terminated,
    u32,
    unsigned,
)
from virtualizarr.parsers.hdf5.layout import (
    AllSelection,
    IrregularHyperslab,
    NoneSelection,
    PointSelection,
    RegularHyperslab,
    Selection,
    Sizes,
    VirtualMapping,
)


@bounded
def decode_mappings(block: bytes, sizes: Sizes) -> tuple[VirtualMapping, ...]:
    """Decode a global heap block that describes a virtual dataset, versions 0 and 1."""
    version = block[0]
    if version > 1:
        raise UnsupportedFeatureError(f"virtual dataset mapping list version {version}")
    check_lookup3(block, "virtual dataset mapping list", None)
    count = unsigned(block, 1, sizes.length)
    at = 1 + sizes.length
    mappings: list[VirtualMapping] = []
    for _ in range(count):
        flags = 0
        if version == 1:
            flags = block[at]
            at += 1
        file = "."
        if flags & 0x01:
            file = _earlier(mappings, unsigned(block, at, sizes.length)).source_file
            at += sizes.length
        elif not flags & 0x04:
            file, at = terminated(block, at)
        if flags & 0x02:
            dataset = _earlier(mappings, unsigned(block, at, sizes.length)).source_dataset
            at += sizes.length
        else:
            dataset, at = terminated(block, at)
        source, at = _selection(block, at)
        virtual, at = _selection(block, at)
        mappings.append(VirtualMapping(file, dataset, source, virtual))
    return tuple(mappings)


def _earlier(mappings: list[VirtualMapping], index: int) -> VirtualMapping:
    if index >= len(mappings):
        raise CorruptFileError("a virtual dataset's mapping borrows a name from a later one")
    return mappings[index]


def _selection(block: bytes, at: int) -> tuple[Selection, int]:
    kind, version = u32(block, at)[0], u32(block, at + 4)[0]
    if kind == 0 or kind == 3:
        take(block, at, 16)
        return (NoneSelection() if kind == 0 else AllSelection()), at + 16
    if kind == 1:
        return _points(block, at, version)
    if kind == 2:
        return _hyperslab(block, at, version)
    raise CorruptFileError(f"selection type {kind}")


def _rank(block: bytes, at: int) -> int:
    rank = u32(block, at)[0]
    if not 1 <= rank <= MAX_RANK:
        raise CorruptFileError(f"a selection of {rank} dimensions")
    return rank


def _width(value: int) -> int:
    if value not in (2, 4, 8):
        raise CorruptFileError(f"a selection encoded in {value} bytes")
    return value


def _numbers(block: bytes, at: int, count: int, width: int) -> list[int]:
    take(block, at, count * width)
    return [unsigned(block, at + i * width, width) for i in range(count)]


def _points(block: bytes, at: int, version: int) -> tuple[Selection, int]:
    if version == 1:
        rank, width, at = _rank(block, at + 16), 4, at + 20
    elif version == 2:
        width, rank, at = _width(block[at + 8]), _rank(block, at + 9), at + 13
    else:
        raise UnsupportedFeatureError(f"point selection version {version}")
    count = unsigned(block, at, width)
    at += width
    flat = _numbers(block, at, count * rank, width)
    rows = tuple(tuple(flat[i : i + rank]) for i in range(0, len(flat), rank))
    return PointSelection(rows), at + count * rank * width


def _hyperslab(block: bytes, at: int, version: int) -> tuple[Selection, int]:
    if version == 1:
        return _boxes(block, at + 20, _rank(block, at + 16), 4)
    if version == 2:
        return _regular(block, at + 17, _rank(block, at + 13), 8)
    if version == 3:
        width, rank = _width(block[at + 9]), _rank(block, at + 10)
        if block[at + 8] & 1:
            return _regular(block, at + 14, rank, width)
        return _boxes(block, at + 14, rank, width)
    raise UnsupportedFeatureError(f"hyperslab selection version {version}")


def _regular(block: bytes, at: int, rank: int, width: int) -> tuple[Selection, int]:
    flat = _numbers(block, at, 4 * rank, width)
    unlimited = (1 << (8 * width)) - 1
    slab = RegularHyperslab(
        tuple(flat[0::4]),
        tuple(flat[1::4]),
        tuple(None if each == unlimited else each for each in flat[2::4]),
        tuple(None if each == unlimited else each for each in flat[3::4]),
    )
    return slab, at + 4 * rank * width


def _boxes(block: bytes, at: int, rank: int, width: int) -> tuple[Selection, int]:
    count = unsigned(block, at, width)
    at += width
    flat = _numbers(block, at, 2 * count * rank, width)
    boxes = tuple(
        (tuple(flat[i : i + rank]), tuple(flat[i + rank : i + 2 * rank]))
        for i in range(0, len(flat), 2 * rank)
    )
    at += 2 * count * rank * width
    if len(boxes) != 1:
        return IrregularHyperslab(boxes), at
    first, last = boxes[0]
    size = tuple(stop - start + 1 for start, stop in zip(first, last, strict=True))
    if min(size) < 1:
        raise CorruptFileError(f"a selection from {first} to {last}")
    ones = (1,) * rank
    return RegularHyperslab(first, ones, ones, size), at
