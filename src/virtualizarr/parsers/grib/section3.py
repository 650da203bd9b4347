"""Section 3 of edition 2, octet by octet, and the shape of the earth that it tells."""

from __future__ import annotations

from struct import unpack_from

from virtualizarr.codecs.grib.bits import sign_magnitude
from virtualizarr.errors import CorruptFileError

SPHERES = {0: 6367470.0, 6: 6371229.0, 8: 6371200.0}
SPHEROIDS = {
    2: (6378160.0, 6356775.0),
    4: (6378137.0, 6356752.314140356),
    5: (6378137.0, 6356752.314245179),
    9: (6377563.396, 6356256.909),
}
"""Shapes of the earth (code table 3.2): radius; major and minor semi-axes, in metres."""


class Section:
    """Section 3, read by octet number as the Manual counts, from 1."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def unsigned(self, octet: int, size: int = 4) -> int:
        if octet - 1 + size > len(self.octets):
            raise CorruptFileError(f"section 3 of {len(self.octets)} octets is too short")
        return int.from_bytes(self.octets[octet - 1 : octet - 1 + size], "big")

    def signed(self, octet: int, size: int = 4) -> int:
        return sign_magnitude(self.unsigned(octet, size), 8 * size)

    def ieee(self, octet: int) -> float:
        self.unsigned(octet)
        return float(unpack_from(">f", self.octets, octet - 1)[0])


def earth_of(section: Section) -> tuple[float, float]:
    """Return the semi-axes of the earth in metres (octets 15 to 30)."""
    shape = section.unsigned(15, 1)
    if shape in SPHERES:
        return SPHERES[shape], SPHERES[shape]
    if shape in SPHEROIDS:
        return SPHEROIDS[shape]
    if shape == 1:
        radius = _scaled(section, 16)
        return radius, radius
    if shape in (3, 7):
        unit = 1000.0 if shape == 3 else 1.0
        return _scaled(section, 21) * unit, _scaled(section, 26) * unit
    return SPHERES[6], SPHERES[6]


def _scaled(section: Section, octet: int) -> float:
    factor, value = section.unsigned(octet, 1), section.unsigned(octet + 1)
    return value / 10 ** sign_magnitude(factor, 8) if factor != 255 else float(value)
