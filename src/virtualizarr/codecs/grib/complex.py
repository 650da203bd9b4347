"""Complex packing, with and without spatial differencing: templates 5.2 and 5.3.

Values lie in groups, each with its own reference and width; differencing of first or second order
goes over all values that are there.
"""

from __future__ import annotations

from struct import unpack_from
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import Octets
from virtualizarr.codecs.grib.bits import PADDING, WIDEST, Int64s, gather, padded, sign_magnitude
from virtualizarr.codecs.grib.simple import Scale, Values
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

type Flags = npt.NDArray[np.bool_]


class Groups(NamedTuple):
    """Octets 22 to 47 of section 5."""

    method: int
    missing: int
    primary: bytes
    secondary: bytes
    number: int
    width_reference: int
    width_bits: int
    length_reference: int
    length_increment: int
    last_length: int
    length_bits: int


def complex_packing(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.2."""
    return _values(template, data, count, 0, 0)


def spatial_differencing(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.3."""
    if template.size < 49:
        raise CorruptFileError(f"section 5 of {template.size} octets")
    order, octets = int(template[47]), int(template[48])
    if order not in (1, 2) or octets > 8:
        raise UnsupportedFeatureError(f"spatial differencing of order {order}, {octets} octets")
    return _values(template, data, count, order, octets)


def _values(template: Octets, data: Octets, count: int, order: int, octets: int) -> Values:
    scale = Scale.of_template(template)
    if template.size < 47:
        raise CorruptFileError(f"section 5 of {template.size} octets")
    groups = Groups(*unpack_from(">BB4s4sIBBIBIB", template, 21))
    if groups.missing > 2:
        raise UnsupportedFeatureError(f"missing value management {groups.missing}")
    if not count or not groups.number:
        return scale.constant(count)
    if groups.number > count:
        raise CorruptFileError(f"{groups.number} groups for {count} values")
    extra = [_signed(data, part, octets) for part in range(order + 1)] if order else []
    numbers, absent = _numbers(groups, scale.bits, data, len(extra) * octets, count)
    if order:
        present = numbers if absent is None else numbers[~absent]
        present = _integrated(present, extra, order)
        if absent is None:
            numbers = present
        else:
            numbers[~absent] = present
    values = scale.apply(numbers)
    if absent is not None:
        values[absent] = np.nan
    return values


def _signed(data: Octets, part: int, octets: int) -> int:
    number = data[part * octets : (part + 1) * octets]
    if number.size < octets:
        raise CorruptFileError("the data end before the first values")
    return sign_magnitude(int.from_bytes(number.tobytes(), "big"), octets * 8) if octets else 0


def _numbers(
    groups: Groups, bits: int, data: Octets, start: int, count: int
) -> tuple[Int64s, Flags | None]:
    """Return the packed numbers of all values, and which of them are missing, if any may be."""
    octets = padded(data)
    at = start * 8
    reference, at = column(octets, at, groups.number, bits)
    width, at = column(octets, at, groups.number, groups.width_bits)
    width += groups.width_reference
    length, at = column(octets, at, groups.number, groups.length_bits)
    length = length * groups.length_increment + groups.length_reference
    length[-1] = groups.last_length
    numbers, widths, references = expanded(octets, at, reference, width, length, count)
    if not groups.missing:
        return numbers, None
    return numbers, _absent(groups.missing, bits, numbers - references, widths, references)


def expanded(
    octets: Octets, at: int, reference: Int64s, width: Int64s, length: Int64s, count: int
) -> tuple[Int64s, Int64s, Int64s]:
    """Return the numbers of all values of groups, and the width and reference of each.

    Their bits begin at `at` and follow each other; `octets` are padded. Raises CorruptFileError
    where there are not `count` values, or not enough bits.
    """
    if int(length.sum()) != count or (length < 0).any() or length.max(initial=0) > count:
        raise CorruptFileError(f"the groups hold {int(length.sum())} values, there are {count}")
    if width.max(initial=0) > WIDEST:
        raise CorruptFileError(f"a group of {int(width.max())} bits a value")
    if at + int((width * length).sum()) > (octets.size - PADDING) * 8:
        raise CorruptFileError(f"{octets.size - PADDING} bytes cannot hold the groups")
    widths = np.repeat(width, length)
    references = np.repeat(reference, length)
    ends = np.cumsum(widths)
    numbers = gather(octets, ends - widths + at, widths)
    numbers += references
    return numbers, widths, references


def column(octets: Octets, at: int, count: int, bits: int) -> tuple[Int64s, int]:
    """Return `count` numbers that begin at bit `at`, and the bit after them, on a whole byte.

    `octets` are padded; CorruptFileError where they do not hold them.
    """
    stop = -(-(at + count * bits) // 8) * 8
    if bits > WIDEST or stop > (octets.size - PADDING) * 8:
        raise CorruptFileError(f"the data end before {count} groups of {bits} bits are described")
    if not bits:
        return np.zeros(count, np.int64), stop
    return gather(octets, at + np.arange(count, dtype=np.int64) * bits, bits), stop


def _absent(
    management: int, bits: int, numbers: Int64s, widths: Int64s, references: Int64s
) -> Flags:
    """Say which values are missing: all bits set (1), or that less one (2)."""
    top = (np.int64(1) << widths) - 1
    whole = (1 << bits) - 1
    constant = widths == 0
    absent: Flags = np.where(constant, references == whole if bits else False, numbers == top)
    if management == 2:
        absent |= np.where(constant, references == whole - 1 if bits else False, numbers == top - 1)
    return absent


def _integrated(differences: Int64s, extra: list[int], order: int) -> Int64s:
    """Undo spatial differencing: `extra` is the first value or two, and the overall minimum."""
    out = differences.copy()
    if out.size < order:
        out[:] = extra[: out.size]
        return out
    out[order:] += extra[order]
    if order == 1:
        out[0] = extra[0]
        return np.cumsum(out)
    out[0], out[1] = extra[0], extra[1] - extra[0]
    out[1:] = np.cumsum(out[1:])
    return np.cumsum(out)
