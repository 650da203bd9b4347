"""What a NIfTI header says, as attributes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.parsers.nifti.layout import SPACE_UNITS, TIME_UNITS, Header

TEXTS = ("descrip", "aux_file", "intent_name")
NUMBERS = (
    *("intent_code", "qform_code", "sform_code", "cal_min", "cal_max", "toffset", "dim_info"),
    *("slice_code", "slice_start", "slice_end", "slice_duration"),
)


def attributes_of(header: Header) -> dict[str, Any]:
    """Return the fields that say something, and the affine that places voxels in space."""
    fields = header.fields
    attributes: dict[str, Any] = {}
    for name in TEXTS:
        text = fields[name].split(b"\0")[0].decode("latin-1").strip()
        if text:
            attributes[name] = text
    for name in NUMBERS:
        value = header.number(name)
        if value and math.isfinite(value):
            attributes[name] = value
    parameters = _finite(fields["intent_p"])
    if any(parameters):
        attributes["intent_parameters"] = parameters
    ndim = int(fields["dim"][0])
    attributes["pixdim"] = _finite(fields["pixdim"][1 : 1 + ndim])
    units = int(header.number("xyzt_units"))
    if units & 0x07 in SPACE_UNITS:
        attributes["spatial_units"] = SPACE_UNITS[units & 0x07]
    if units & 0x38 in TIME_UNITS:
        attributes["temporal_units"] = TIME_UNITS[units & 0x38]
    if header.extensions:
        attributes["extension_codes"] = list(header.extensions)
    affine = affine_of(header)
    if np.isfinite(affine).all():
        attributes["affine"] = affine.tolist()
    return attributes


def _finite(values: npt.NDArray[Any]) -> list[float]:
    return [float(value) if math.isfinite(value) else 0.0 for value in values.tolist()]


def affine_of(header: Header) -> npt.NDArray[np.float64]:
    """Return the matrix (4, 4) from voxel indices to space: sform, else qform, else pixdim.

    It may hold numbers that are not finite.
    """
    with np.errstate(all="ignore"):
        return _affine(header)


def _affine(header: Header) -> npt.NDArray[np.float64]:
    affine = np.eye(4)
    if header.number("sform_code") > 0:
        affine[:3] = header.fields["srow"]
    elif header.number("qform_code") > 0:
        affine[:3, :3] = _rotation(header)
        affine[:3, 3] = header.fields["qoffset"]
    else:
        zooms = np.ones(3)
        lengths = np.ones(3)
        ndim = min(int(header.fields["dim"][0]), 3)
        zooms[:ndim] = header.fields["pixdim"][1 : 1 + ndim]
        lengths[:ndim] = header.fields["dim"][1 : 1 + ndim]
        zooms[0] = -zooms[0]
        affine[:3, :3] = np.diag(zooms)
        affine[:3, 3] = -zooms * (lengths - 1) / 2
    return affine


def _rotation(header: Header) -> npt.NDArray[np.float64]:
    """Return the rotation of the qform's quaternion, its columns times the voxels' sizes."""
    b, c, d = header.fields["quatern"].astype(np.float64)
    squared = 1.0 - float(b * b + c * c + d * d)
    a = math.sqrt(squared) if squared > 0 else 0.0
    pixdim = header.fields["pixdim"].astype(np.float64)
    handed = -1.0 if pixdim[0] < 0 else 1.0
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    return np.asarray(rotation * (pixdim[1:4] * np.array([1.0, 1.0, handed])), np.float64)
