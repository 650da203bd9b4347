"""Integers for which numpy has no dtype: of odd sizes, or of fewer bits than their bytes hold."""

from __future__ import annotations

from virtualizarr.codecs.precision import MAX_ITEMSIZE, Precision
from virtualizarr.parsers.hdf5.layout_datatype import Bitfield, ByteOrder, FixedPoint


def unusual_integer(datatype: FixedPoint | Bitfield) -> Precision | None:
    """Return what makes ordinary integers of such elements; None for those it cannot read.

    Bitfields are unsigned integers.
    """
    if datatype.byte_order is ByteOrder.VAX or not 0 < datatype.size <= MAX_ITEMSIZE:
        return None
    return Precision(
        itemsize=datatype.size,
        endian="big" if datatype.byte_order is ByteOrder.BIG else "little",
        precision=datatype.bit_precision,
        offset=datatype.bit_offset,
        signed=isinstance(datatype, FixedPoint) and datatype.signed,
    )
