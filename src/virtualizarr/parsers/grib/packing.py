"""Which packings the codec decodes, told before anything is referred to it."""

from __future__ import annotations

from virtualizarr.codecs.grib import (
    COEFFICIENTS,
    IEEE_VALUES,
    MORE_FLAGS,
    SECOND_ORDER,
    SPECTRAL,
    TEMPLATES,
)
from virtualizarr.codecs.grib.second_order import is_known_form
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.grib.grid import Grid
from virtualizarr.parsers.grib.layout import Kind

NAMES = {
    1: "matrices of values",
    53: "bi-Fourier coefficients",
}
EXTENDED_AT = 4
"""How far the extended flags of edition 1 are shifted in `Kind.packing`."""


def check_packing(kind: Kind, grid: Grid) -> None:
    """Raise UnsupportedFeatureError, by name, for fields that the codec does not decode."""
    if kind.edition == 1:
        spectral = bool(kind.packing & SPECTRAL)
        _check_1(kind.packing)
    elif kind.packing in TEMPLATES:
        spectral = kind.packing in COEFFICIENTS
    else:
        name = NAMES.get(kind.packing, "unknown packing")
        raise UnsupportedFeatureError(f"{name} (data representation template 5.{kind.packing})")
    told = kind.values if kind.edition == 1 and grid.row_lengths is not None else 0
    if told and told != grid.points:
        raise CorruptFileError(f"{told} values for rows of {grid.points} points")
    if spectral != grid.is_spectral:
        raise CorruptFileError(f"packing of coefficients and a grid of kind {grid.kind} exclude")


def _check_1(packing: int) -> None:
    flags, extended = packing & 0xF, packing >> EXTENDED_AT
    if flags & SPECTRAL:
        return
    if flags & SECOND_ORDER:
        if not is_known_form(extended):
            raise UnsupportedFeatureError(f"second-order packing of form {extended:08b}")
    elif flags & MORE_FLAGS and flags != IEEE_VALUES:
        raise UnsupportedFeatureError("a matrix of values in edition 1")
