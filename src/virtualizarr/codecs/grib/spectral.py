"""Coefficients of spherical harmonics: templates 5.50 and 5.51; edition 1, section 4.

For each order m from 0 to J, for each degree n from m to J: the real and the imaginary part.
Complex packing keeps the largest scales (n up to JS) as floating point numbers, and packs the
others multiplied by (n (n + 1))^P.
"""

from __future__ import annotations

from math import isqrt
from struct import unpack_from

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import Octets
from virtualizarr.codecs.grib.bits import sign_magnitude
from virtualizarr.codecs.grib.chunk import Chunk
from virtualizarr.codecs.grib.simple import Scale, Values, ibm_float, scaled
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

COMPLEX_1 = 4
"""Flag of section 4 of edition 1."""

END_OF_MESSAGE = np.frombuffer(b"7", np.uint8)

HEAD_1 = 7
PRECISIONS = {1: ">f4", 2: ">f8"}


def spectral_simple(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.50: the first real part stands in the template, the rest are packed."""
    if template.size < 24:
        raise CorruptFileError(f"section 5 of {template.size} octets")
    (first,) = unpack_from(">f", template, 20)
    return _after(first, Scale.of_template(template), data, count)


def spectral_complex(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.51."""
    if template.size < 35:
        raise CorruptFileError(f"section 5 of {template.size} octets")
    scale = Scale.of_template(template)
    operator, *subset = unpack_from(">IHHH4xB", template, 20)
    precision = subset.pop()
    if precision not in PRECISIONS:
        raise UnsupportedFeatureError(f"an unpacked subset of precision {precision}")
    power = sign_magnitude(operator, 32) / 1_000_000
    size = _subset_size(subset, count)
    kind = np.dtype(PRECISIONS[precision])
    if data.size < size * kind.itemsize:
        raise CorruptFileError(f"{data.size} bytes cannot hold the unpacked subset")
    with np.errstate(invalid="ignore"):
        unpacked = np.frombuffer(data, kind, size).astype(np.float64)
    return _joined(unpacked, scale, data[size * kind.itemsize :], subset[0], power, count)


def spectral_1(chunk: Chunk, count: int) -> Values:
    """Return the coefficients of a field of edition 1.

    The last degree of the subset is scaled as the others are, and should not be: GRIBEX did so.
    """
    scale = Scale.of_edition_1(chunk.template, chunk.decimal)
    data = chunk.data
    if not int(chunk.template[3]) >> 4 & COMPLEX_1:
        if data.size < 4:
            raise CorruptFileError(f"{data.size} bytes of coefficients")
        return _after(ibm_float(int(unpack_from(">I", data)[0])), scale, data[4:], count)
    if data.size < HEAD_1:
        raise CorruptFileError(f"{data.size} bytes of coefficients")
    word, *subset = unpack_from(">HBBB", data, 2)
    power = sign_magnitude(word, 16) / 1000
    size = _subset_size(subset, count)
    if data.size < HEAD_1 + 4 * size:
        raise CorruptFileError(f"{data.size} bytes cannot hold the unpacked subset")
    unpacked = _ibm_floats(np.frombuffer(data, ">u4", size, HEAD_1))
    values = _joined(unpacked, scale, data[HEAD_1 + 4 * size :], subset[0], power, count)
    degree = np.repeat(_degrees(truncation(count))[1], 2)
    last = degree == subset[0]
    values[last] *= _factors(power, truncation(count))[degree[last]]
    return values


def truncation(count: int) -> int:
    """Return J of the triangular truncation that has `count` = (J + 1) (J + 2) numbers."""
    found = (isqrt(4 * count + 1) - 3) // 2
    if count < 2 or (found + 1) * (found + 2) != count:
        raise CorruptFileError(f"{count} numbers are no triangular truncation")
    return found


def _subset_size(subset: list[int], count: int) -> int:
    """Return how many numbers of the subset J, K, M are not packed."""
    j, k, m = subset
    if not j == k == m:
        raise UnsupportedFeatureError(f"a subset of coefficients of J, K, M = {j}, {k}, {m}")
    if j >= truncation(count):
        raise UnsupportedFeatureError(f"coefficients of which all, up to {j}, are unpacked")
    return (j + 1) * (j + 2)


def _after(first: float, scale: Scale, data: Octets, count: int) -> Values:
    if not count:
        return np.empty(0, np.float64)
    return np.concatenate((np.array([first]), scaled(scale, data, count - 1)))


def _joined(
    unpacked: Values, scale: Scale, data: Octets, subset: int, power: float, count: int
) -> Values:
    """Return all numbers, of which those up to a degree are `unpacked`."""
    highest = truncation(count)
    order, degree = _degrees(highest)
    free = np.repeat(degree <= subset, 2)
    factors = np.repeat(_factors(power, highest)[degree], 2)
    values = np.empty(count, np.float64)
    values[free] = unpacked
    rest = count - unpacked.size
    packed = scaled(scale, _with_last_byte(data, rest * scale.bits), rest) * factors[~free]
    values[~free] = packed
    imaginary = np.zeros(count, np.bool_)
    imaginary[1::2] = order == 0
    values[imaginary & ~free] = 0.0
    return values


def _with_last_byte(data: Octets, bits: int) -> Octets:
    """Return packed numbers with the byte that they lack if ecCodes wrote them.

    It leaves out the last byte unless it is full, and reads in its place what is behind it.
    """
    return np.append(data, END_OF_MESSAGE) if 0 < bits - 8 * data.size < 8 else data


def _degrees(highest: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return m and n of each coefficient in the order of the values."""
    order, degree = np.triu_indices(highest + 1)
    return order.astype(np.int64), degree.astype(np.int64)


def _factors(power: float, highest: int) -> Values:
    """Return what packed numbers of each degree are to be multiplied by."""
    degree = np.arange(highest + 1, dtype=np.float64)
    factors = np.zeros(highest + 1)
    with np.errstate(over="ignore", divide="ignore", under="ignore"):
        factors[1:] = (degree[1:] * (degree[1:] + 1)) ** -power
    return factors


def _ibm_floats(words: npt.NDArray[np.uint32]) -> Values:
    exponent = ((words >> 24) & 0x7F).astype(np.int64) - 70
    values: Values = (words & 0xFFFFFF).astype(np.float64) * 16.0**exponent
    return np.where(words >> 31 == 1, -values, values)
