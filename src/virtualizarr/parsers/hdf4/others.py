"""What a file holds besides what is read: named, and not read."""

from __future__ import annotations

from collections.abc import Mapping

from virtualizarr.parsers.hdf4.layout import (
    DFTAG_CAL,
    DFTAG_DIA,
    DFTAG_DIL,
    DFTAG_FD,
    DFTAG_FID,
    DFTAG_ID,
    DFTAG_ID8,
    DFTAG_IP8,
    DFTAG_LUT,
    DFTAG_NDG,
    DFTAG_NT,
    DFTAG_RIG,
    DFTAG_SDC,
    DFTAG_SDD,
    DFTAG_SDF,
    DFTAG_SDG,
    DFTAG_SDL,
    DFTAG_SDLNK,
    DFTAG_SDM,
    DFTAG_SDS,
    DFTAG_SDU,
    DFTAG_VG,
    DFTAG_VH,
)
from virtualizarr.parsers.hdf4.read import OpenFile

METADATA_TAGS = (
    DFTAG_CAL,
    DFTAG_ID,
    DFTAG_ID8,
    DFTAG_NDG,
    DFTAG_NT,
    DFTAG_RIG,
    DFTAG_SDC,
    DFTAG_SDD,
    DFTAG_SDF,
    DFTAG_SDG,
    DFTAG_SDL,
    DFTAG_SDLNK,
    DFTAG_SDM,
    DFTAG_SDS,
    DFTAG_SDU,
    DFTAG_VG,
    DFTAG_VH,
)
COUNTED = {
    "file label": DFTAG_FID,
    "file description": DFTAG_FD,
    "label": DFTAG_DIL,
    "description": DFTAG_DIA,
    "palette": DFTAG_LUT,
    "8-bit palette": DFTAG_IP8,
}


def not_read(file: OpenFile, images: Mapping[str, str], tables: Mapping[str, str]) -> list[str]:
    """Return the name of each image and table that is not read, and how many annotations there are.

    `images` and `tables` say why, by name.
    """
    found = [f"image {name!r} ({reason})" for name, reason in images.items()]
    found += [f"table {name!r} ({reason})" for name, reason in tables.items()]
    for what, tag in COUNTED.items():
        count = len(file.descriptors.refs(tag))
        if count:
            found.append(f"{count} {what}{'s' if count > 1 else ''}")
    return found
