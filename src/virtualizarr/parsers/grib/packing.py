"""Which packings the codec decodes, told before anything is referred to it."""

from __future__ import annotations

from virtualizarr.codecs.grib import SPECTRAL, TEMPLATES
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.grib.layout import Field

NAMES = {
    1: "matrices of values",
    50: "spectral coefficients",
    51: "spectral coefficients",
    53: "bi-Fourier coefficients",
    50001: "second-order packing",
    50002: "second-order packing",
}


def check_packing(field: Field) -> None:
    """Raise UnsupportedFeatureError, by name, for a field that the codec does not decode."""
    if field.edition == 1:
        if field.packing & SPECTRAL:
            raise UnsupportedFeatureError("spherical harmonics")
    elif field.packing not in TEMPLATES:
        name = NAMES.get(field.packing, "unknown packing")
        raise UnsupportedFeatureError(f"{name} (data representation template 5.{field.packing})")
