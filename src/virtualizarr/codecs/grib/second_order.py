"""Second-order packing: groups of values, each with its own reference and width.

Edition 1: Manual on Codes, section 4 with "complex packing" (row by row, and with a secondary
bitmap, of constant or of different widths), and ECMWF's general extended form, which adds spatial
differencing up to order three and rows that alternate in direction (boustrophedonic). Edition 2:
ECMWF's local templates 5.50001 and 5.50002, which are the extended form.

Octets are read in the order that they come in, as ecCodes does; what N1, N2 and P2 say of their
places is not looked at.
"""

from __future__ import annotations

from struct import unpack_from
from typing import NamedTuple

import numpy as np

from virtualizarr.codecs.base import Octets
from virtualizarr.codecs.grib.bits import Int64s, padded, sign_magnitude
from virtualizarr.codecs.grib.chunk import Chunk, bits_of
from virtualizarr.codecs.grib.complex import column, expanded
from virtualizarr.codecs.grib.rows import row_lengths, turned
from virtualizarr.codecs.grib.simple import Scale, Values
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

MATRIX, BITMAP, DIFFERENT_WIDTHS, EXTENDED, BOUSTROPHEDONIC = 0x40, 0x20, 0x10, 0x08, 0x04
ORDER = 0x03
"""Flags of octet 14 of section 4 (edition 1), as ecCodes and GRIBEX use them."""

FORMS = frozenset({DIFFERENT_WIDTHS, BITMAP, BITMAP | DIFFERENT_WIDTHS, EXTENDED | 0x10})
"""Combinations of flags that have a meaning, without order and boustrophedonic ordering."""

HEAD_1 = 10
LOCAL_BOUSTROPHEDONIC = 50002


class Extended(NamedTuple):
    """What describes the groups of the extended form; `at` is where they begin, in bits."""

    groups: int
    reference_bits: int
    width_bits: int
    length_bits: int
    order: int
    boundary_bits: int
    at: int


def is_known_form(flags: int) -> bool:
    """Say whether the extended flags of edition 1 are of a form that is decoded."""
    if flags & MATRIX:
        return False
    form = flags & (BITMAP | DIFFERENT_WIDTHS | EXTENDED)
    ordinary = not flags & (BOUSTROPHEDONIC | ORDER)
    if form & EXTENDED:
        return form in FORMS
    return form in FORMS and (ordinary or (form != DIFFERENT_WIDTHS and not flags & ORDER))


def second_order_1(chunk: Chunk, points: int, count: int) -> Values:
    """Return the `count` values that are there of a field of edition 1 of `points` points."""
    scale = Scale.of_edition_1(chunk.template, chunk.decimal)
    data = chunk.data
    if data.size < HEAD_1:
        raise CorruptFileError(f"{data.size} bytes of second-order packing")
    flags = int(data[2])
    if not is_known_form(flags):
        raise UnsupportedFeatureError(f"second-order packing with extended flags {flags:08b}")
    first, more = unpack_from(">H2xB", data, 5)
    groups = first + 65536 * more
    if not groups or not count:
        return scale.constant(count)
    if flags & EXTENDED:
        width_bits, length_bits = int(data[10]), int(data[11])
        order = flags & ORDER
        boundary = int(data[14]) if order and data.size > 14 else 0
        at = 8 * (15 if order else 14)
        form = Extended(groups, scale.bits, width_bits, length_bits, order, boundary, at)
        return scale.apply(_extended(form, data, count))
    if flags & BITMAP:
        return scale.apply(_by_bitmap(data, groups, scale.bits, flags, count))
    return scale.apply(_by_rows(chunk, groups, scale.bits, points, count))


def is_turned(chunk: Chunk) -> bool:
    """Say whether every second row of a field in second-order packing is stored backwards."""
    if chunk.edition == 1:
        return chunk.data.size > 2 and bool(chunk.data[2] & BOUSTROPHEDONIC)
    number = int(unpack_from(">H", chunk.template, 9)[0])
    flags_at = 31
    return (
        number == LOCAL_BOUSTROPHEDONIC
        and chunk.template.size > flags_at
        and bool(chunk.template[flags_at] & 0x80)
    )


def in_order(chunk: Chunk, values: Values) -> Values:
    """Return the values of all points with the rows that were stored backwards turned round."""
    return turned(values, row_lengths(chunk.edition, chunk.grid, values.size))


def local_second_order(template: Octets, data: Octets, count: int) -> Values:
    """Templates 5.50001 and 5.50002."""
    scale = Scale.of_template(template)
    if not scale.bits or not count:
        return scale.constant(count)
    number = int(unpack_from(">H", template, 9)[0])
    order_at = 32 if number == LOCAL_BOUSTROPHEDONIC else 31
    if template.size <= order_at or (template[order_at] and template.size <= order_at + 1):
        raise CorruptFileError(f"section 5 of {template.size} octets")
    reference_bits, groups = unpack_from(">BI", template, 20)
    width_bits, length_bits = int(template[29]), int(template[30])
    order = int(template[order_at])
    if order > 3:
        raise UnsupportedFeatureError(f"spatial differencing of order {order}")
    if not groups:
        return scale.constant(count)
    boundary = int(template[order_at + 1]) if order else 0
    form = Extended(groups, reference_bits, width_bits, length_bits, order, boundary, 0)
    differences = template[order_at + 2 :] if order else None
    return scale.apply(_extended(form, data, count, differences))


def _extended(form: Extended, data: Octets, count: int, before: Octets | None = None) -> Int64s:
    """Return the packed numbers; `before` are the bytes of the first values, if not in `data`."""
    if form.groups > count:
        raise CorruptFileError(f"{form.groups} groups for {count} values")
    octets, at = padded(data), form.at
    first: list[int] = []
    if form.order:
        if before is None:
            first, at = _boundary(octets, at, form.order, form.boundary_bits)
        else:
            first, _ = _boundary(padded(before), 0, form.order, form.boundary_bits)
    widths, at = column(octets, at, form.groups, form.width_bits)
    lengths, at = column(octets, at, form.groups, form.length_bits)
    references, at = column(octets, at, form.groups, form.reference_bits)
    numbers, _, _ = expanded(octets, at, references, widths, lengths, count - form.order)
    return _summed(numbers, first, form.order) if form.order else numbers


def _boundary(octets: Octets, at: int, order: int, bits: int) -> tuple[list[int], int]:
    """Return the first values and the bias of differences, and the bit after them."""
    numbers, at = column(octets, at, order + 1, bits)
    found = numbers.tolist()
    bias = sign_magnitude(found[order], bits) if bits else 0
    return [*found[:order], bias], at


def _summed(differences: Int64s, first: list[int], order: int) -> Int64s:
    """Undo differencing of an order: `first` are the first values and the bias."""
    known = np.array(first[:order], np.int64)
    out = differences + first[order]
    for level in reversed(range(order)):
        out = np.cumsum(np.concatenate((np.diff(known, n=level)[-1:], out)))[1:]
    return np.concatenate((known, out))


def _by_bitmap(data: Octets, groups: int, bits: int, flags: int, count: int) -> Int64s:
    """Groups that begin where a secondary bitmap has a one."""
    octets = padded(data)
    at = 8 * HEAD_1
    if flags & DIFFERENT_WIDTHS:
        widths, at = column(octets, at, groups, 8)
    else:
        width, at = column(octets, at, 1, 8)
        widths = np.broadcast_to(width, (groups,))
    begins = np.flatnonzero(bits_of(data[at // 8 :], count))
    if begins.size != groups or begins[0]:
        raise CorruptFileError(f"the secondary bitmap begins {begins.size} of {groups} groups")
    lengths = np.diff(begins, append=count)
    references, at = column(octets, at + -(-count // 8) * 8, groups, bits)
    numbers, _, _ = expanded(octets, at, references, widths, lengths, count)
    return numbers


def _by_rows(chunk: Chunk, groups: int, bits: int, points: int, count: int) -> Int64s:
    """Groups that are the rows of the grid, less what is missing."""
    lengths = row_lengths(chunk.edition, chunk.grid, points)
    if chunk.bitmap is not None:
        there = np.concatenate(([0], np.cumsum(bits_of(chunk.bitmap, points))))
        ends = np.cumsum(lengths)
        lengths = there[ends] - there[ends - lengths]
    if lengths.size != groups:
        raise CorruptFileError(f"{groups} groups for {lengths.size} rows")
    octets = padded(chunk.data)
    widths, at = column(octets, 8 * HEAD_1, groups, 8)
    references, at = column(octets, at, groups, bits)
    numbers, _, _ = expanded(octets, at, references, widths, lengths, count)
    return numbers
