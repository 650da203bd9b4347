"""Second-order packing of edition 1 (the Manual's "complex packing" of section 4)."""

from __future__ import annotations

from virtualizarr.codecs.base import Octets
from virtualizarr.codecs.grib.simple import Scale, Values
from virtualizarr.errors import UnsupportedFeatureError


def second_order(scale: Scale, data: Octets, count: int) -> Values:
    """Return the values of a field in second-order packing."""
    del scale, data
    raise UnsupportedFeatureError(f"second-order packing of {count} values")
