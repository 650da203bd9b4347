"""Simple packing and what builds upon it: one integer of fixed width for each value.

Manual on Codes, data representation templates 5.0, 5.4, 5.40, 5.41, 5.42, 5.61; edition 1, section
4. A value is (R + X * 2^E) * 10^-D; where X takes no bits all values are R itself, as ecCodes has
it (the formula would say R * 10^-D).
"""

from __future__ import annotations

from struct import unpack_from
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.base import Octets, imagecodecs_function
from virtualizarr.codecs.grib.bits import WIDEST, Integers, sign_magnitude, unpack
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

NAME = "virtualizarr.grib"
AEC_3BYTE, AEC_MSB = 2, 4
IEEE = {1: ">f4", 2: ">f8"}
JPEG_2000_SIZE = b"\xff\x4f\xff\x51"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

type Values = npt.NDArray[np.float64]


class Scale(NamedTuple):
    """R, E, D and the bits of a packed number."""

    reference: float
    binary: int
    decimal: int
    bits: int

    @classmethod
    def of_template(cls, template: Octets) -> Scale:
        """Read octets 12 to 20 of section 5 (edition 2)."""
        if template.size < 20:
            raise CorruptFileError(f"section 5 of {template.size} octets")
        reference, binary, decimal, bits = unpack_from(">fHHB", template, 11)
        scale = cls(reference, sign_magnitude(binary, 16), sign_magnitude(decimal, 16), bits)
        scale.check()
        return scale

    @classmethod
    def of_edition_1(cls, head: Octets, decimal: int) -> Scale:
        """Read octets 5 to 11 of section 4 (edition 1)."""
        binary, word, bits = unpack_from(">HIB", head, 4)
        scale = cls(ibm_float(word), sign_magnitude(binary, 16), decimal, bits)
        scale.check()
        return scale

    def check(self) -> None:
        if self.bits > WIDEST:
            raise UnsupportedFeatureError(f"packed numbers of {self.bits} bits")

    def apply(self, numbers: Any) -> Values:
        """Return the values that packed numbers stand for."""
        with np.errstate(over="ignore", invalid="ignore"):
            values: Values = np.multiply(numbers, np.ldexp(1.0, self.binary), dtype=np.float64)
            values += self.reference
            if self.decimal:
                values *= np.float64(10.0) ** -self.decimal
        return values

    def constant(self, count: int) -> Values:
        """Return the values of a field whose packed numbers take no bits; not to be written to."""
        return np.broadcast_to(np.float64(self.reference), (count,))


def ibm_float(word: int) -> float:
    """Return the value of a 32-bit hexadecimal floating point number (IBM System/360)."""
    value = float(word & 0xFFFFFF) * 16.0 ** (((word >> 24) & 0x7F) - 70)
    return -value if word >> 31 else value


def simple(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.0."""
    return scaled(Scale.of_template(template), data, count)


def scaled(scale: Scale, data: Octets, count: int) -> Values:
    """Return simply packed values; CorruptFileError where data do not hold them all."""
    if scale.bits == 0:
        return scale.constant(count)
    if data.size * 8 < count * scale.bits:
        raise CorruptFileError(f"{data.size} bytes cannot hold {count} x {scale.bits} bits")
    return scale.apply(unpack(data, scale.bits, count))


def logarithmic(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.61: the logarithm of the value plus B is packed."""
    if template.size < 24:
        raise CorruptFileError(f"section 5 of {template.size} octets")
    values = simple(template, data, count)
    (offset,) = unpack_from(">f", template, 20)
    with np.errstate(over="ignore"):
        exponentials: Values = np.exp(values)
    return exponentials - float(offset)


def ieee(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.4."""
    return _ieee(int(template[11]) if template.size > 11 else 0, data, count)


def ieee_1(data: Octets, count: int) -> Values:
    """Return the values of edition 1 behind the octet that tells their precision."""
    return _ieee(int(data[0]) if data.size else 0, data[1:], count)


def _ieee(precision: int, data: Octets, count: int) -> Values:
    if precision not in IEEE:
        raise UnsupportedFeatureError(f"IEEE values of precision {precision}")
    if data.size < count * np.dtype(IEEE[precision]).itemsize:
        raise CorruptFileError(f"{data.size} bytes cannot hold {count} values {IEEE[precision]}")
    with np.errstate(invalid="ignore"):
        return np.frombuffer(data, IEEE[precision], count).astype(np.float64)


def jpeg_2000(template: Octets, data: Octets, count: int) -> Values:
    """Templates 5.40 and 5.40000."""
    scale = Scale.of_template(template)
    if scale.bits == 0 or count == 0:
        return scale.constant(count)
    start = data[:512].tobytes().find(JPEG_2000_SIZE)
    if start < 0 or data.size < start + 42:
        raise CorruptFileError("the data are no JPEG 2000 codestream")
    _, _, width, height, left, top = unpack_from(">HHIIII", data, start + 4)
    (components,) = unpack_from(">H", data, start + 40)
    if (width - left) * (height - top) != count or components != 1:
        raise CorruptFileError(f"an image of {width - left} x {height - top} for {count} values")
    return scale.apply(_image("jpeg2k_decode", data, count))


def png(template: Octets, data: Octets, count: int) -> Values:
    """Templates 5.41 and 5.40010: numbers wider than 16 bits are spread over the colours."""
    scale = Scale.of_template(template)
    if scale.bits == 0 or count == 0:
        return scale.constant(count)
    if data.size < 33 or data[:8].tobytes() != PNG_SIGNATURE:
        raise CorruptFileError("the data are no PNG image")
    width, height, depth = unpack_from(">IIB", data, 16)
    if width * height != count:
        raise CorruptFileError(f"an image of {width} x {height} for {count} values")
    image = imagecodecs_function("png_decode", NAME)
    try:
        pixels = np.asarray(image(data.tobytes()))
    except (RuntimeError, ValueError) as error:
        raise CorruptFileError(f"cannot decode the image: {error}") from error
    if depth < 8:
        pixels = _rescaled(pixels, depth)
    if pixels.ndim == 3:
        colours = pixels.astype(np.int64)
        joined = colours[..., 0]
        for colour in range(1, colours.shape[2]):
            joined = (joined << 8) | colours[..., colour]
        pixels = joined
    return scale.apply(pixels.reshape(-1))


def _rescaled(pixels: Any, depth: int) -> Any:
    """Undo the widening of pixels of 1, 2 or 4 bits to 8, where the decoder did it."""
    most = (1 << depth) - 1
    return pixels // (255 // most) if pixels.size and pixels.max() > most else pixels


def _image(function: str, data: Octets, count: int) -> Integers:
    decode = imagecodecs_function(function, NAME)
    try:
        pixels = np.asarray(decode(data.tobytes())).reshape(-1)
    except (RuntimeError, ValueError) as error:
        raise CorruptFileError(f"cannot decode the image: {error}") from error
    if pixels.size != count:
        raise CorruptFileError(f"an image of {pixels.size} pixels for {count} values")
    return pixels


def ccsds(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.42: extended Rice coding, CCSDS 121.0-B."""
    scale = Scale.of_template(template)
    if scale.bits == 0 or count == 0:
        return scale.constant(count)
    if template.size < 25 or scale.bits > 32:
        raise CorruptFileError(f"section 5 of {template.size} octets, {scale.bits} bits")
    flags, block, interval = unpack_from(">BBH", template, 21)
    if block not in (8, 16, 32, 64) or not interval:
        raise CorruptFileError(f"blocks of {block} values, {interval} to a reference")
    itemsize = 1 if scale.bits <= 8 else 2 if scale.bits <= 16 else 4
    decode = imagecodecs_function("aec_decode", NAME)
    try:
        decoded = decode(
            data.tobytes(),
            bitspersample=scale.bits,
            flags=flags & ~(AEC_3BYTE | AEC_MSB),
            blocksize=block,
            rsi=interval,
            out=(count + interval * block) * itemsize,
        )
    except (RuntimeError, ValueError) as error:
        raise CorruptFileError(f"cannot decode the data: {error}") from error
    if len(decoded) < count * itemsize:
        raise CorruptFileError(f"{len(decoded)} of {count * itemsize} bytes decoded")
    return scale.apply(np.frombuffer(decoded, f"<u{itemsize}", count))


def run_length(template: Octets, data: Octets, count: int) -> Values:
    """Template 5.200: run lengths of levels, of which the first means a missing value."""
    if template.size < 17:
        raise CorruptFileError(f"section 5 of {template.size} octets")
    bits, used, levels, scale = unpack_from(">BHHB", template, 11)
    base = (1 << bits) - 1 - used
    if not 0 < bits <= 16 or base <= 0 or used > levels or template.size < 17 + 2 * levels:
        raise CorruptFileError(f"{used} of {levels} levels in {bits} bits")
    numbers = unpack(data, bits, data.size * 8 // bits).astype(np.int64)
    starts = np.flatnonzero(numbers <= used)
    if not starts.size or starts[0]:
        raise CorruptFileError("the data begin with a length, not with a level")
    place = np.arange(numbers.size) - np.repeat(starts, np.diff(starts, append=numbers.size))
    digits = np.where(place == 0, 0.0, numbers - used - 1) * np.float64(base) ** (place - 1)
    runs = np.add.reduceat(digits, starts) + 1
    if not runs[: np.searchsorted(np.cumsum(runs), count) + 1].sum() == count:
        raise CorruptFileError(f"the runs are not of {count} values together")
    runs = runs[: np.searchsorted(np.cumsum(runs), count) + 1].astype(np.int64)
    table = np.frombuffer(template, ">u2", levels, 17) * 10.0 ** -sign_magnitude(scale, 8)
    known = np.concatenate(([np.nan], table))
    return np.repeat(known[numbers[starts[: runs.size]]], runs)
