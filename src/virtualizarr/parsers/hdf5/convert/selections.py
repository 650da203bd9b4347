"""Selections of virtual datasets, as chunk positions along each axis. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.layout import (
    AllSelection,
    IrregularHyperslab,
    RegularHyperslab,
    Selection,
)
from virtualizarr.source.ranges import Int64s

MAX_BLOCKS = 1 << 22


@dataclass(frozen=True, slots=True)
class AxisSelection:
    """`count` blocks of `block` elements along an axis, `stride` apart; neighbours are joined.

    `count` None: as many as there are elements on the other side of the mapping.
    """

    start: int
    stride: int
    count: int | None
    block: int

    @property
    def length(self) -> int:
        """Elements selected."""
        return self.known_count * self.block

    @property
    def known_count(self) -> int:
        if self.count is None:
            raise UnsupportedFeatureError("a mapping without an end on both sides")
        return self.count

    @property
    def stop(self) -> int:
        """One past the last element selected."""
        return self.start + (self.known_count - 1) * self.stride + self.block if self.count else 0

    def cut(self, elements: int) -> AxisSelection:
        """Return the selection of the first `elements` elements; they must fill whole blocks."""
        if elements % self.block and self.stride != self.block:
            raise UnsupportedFeatureError("a mapping that ends within a block")
        if self.stride == self.block:
            return AxisSelection(self.start, elements, 1 if elements else 0, max(elements, 1))
        return AxisSelection(self.start, self.stride, elements // self.block, self.block)

    def nth(self, number: int) -> AxisSelection:
        """Return the block of that number alone."""
        return AxisSelection(self.start + number * self.stride, self.block, 1, self.block)

    def chunks(self, length: int, extent: int) -> Int64s:
        """Return the positions of the chunks, `length` elements each, that the selection covers.

        The axis has `extent` elements. Raises UnsupportedFeatureError if it covers a chunk in part.
        """
        count = self.known_count
        whole_end = self.block % length == 0 or (count == 1 and self.stop == extent)
        aligned = self.start % length == 0 and (count == 1 or self.stride % length == 0)
        if not (whole_end and aligned):
            raise UnsupportedFeatureError(
                f"a virtual dataset whose mapping does not keep chunks of {length} whole"
            )
        blocks = (self.start + np.arange(count, dtype=np.int64) * self.stride) // length
        within = np.arange(-(-self.block // length), dtype=np.int64)
        return (blocks[:, None] + within).reshape(-1)


def axes_of(selection: Selection, shape: tuple[int, ...]) -> tuple[AxisSelection, ...]:
    """Return what a selection takes along each axis of an extent of `shape`.

    Raises UnsupportedFeatureError for points and for unions of boxes, CorruptFileError for a
    selection that leaves the extent.
    """
    match selection:
        case AllSelection():
            return tuple(AxisSelection(0, max(n, 1), int(n > 0), max(n, 1)) for n in shape)
        case RegularHyperslab():
            columns = (selection.start, selection.stride, selection.count, selection.block)
            axes = tuple(_axis(*each) for each in zip(*columns, strict=True))
        case IrregularHyperslab(blocks=((first, last),)):
            axes = tuple(
                AxisSelection(low, high - low + 1, 1, high - low + 1)
                for low, high in zip(first, last, strict=True)
            )
        case _:
            raise UnsupportedFeatureError("a virtual dataset that maps points or unions of boxes")
    if len(axes) != len(shape):
        raise CorruptFileError(f"a selection of {len(axes)} axes in an extent of {len(shape)}")
    return axes


def _axis(start: int, stride: int, count: int | None, block: int | None) -> AxisSelection:
    if block is None:  # one block without an end
        return AxisSelection(start, 1, None, 1)
    if block < 1 or (stride < block and count != 1) or (count is not None and count > MAX_BLOCKS):
        raise CorruptFileError(f"{count} blocks of {block} elements, {stride} apart")
    if count is not None and count > 0 and (count == 1 or stride == block):
        return AxisSelection(start, count * block, 1, count * block)
    return AxisSelection(start, stride, count, block)
