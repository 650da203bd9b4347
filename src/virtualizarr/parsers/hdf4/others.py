"""What a file holds besides scientific data sets: named, and not read."""

from __future__ import annotations

from virtualizarr.parsers.hdf4.layout import (
    DFTAG_CAL,
    DFTAG_NDG,
    DFTAG_NT,
    DFTAG_RI8,
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
    IMAGE_CLASS,
)
from virtualizarr.parsers.hdf4.read import OpenFile
from virtualizarr.parsers.hdf4.variables import Members

METADATA_TAGS = (
    DFTAG_CAL,
    DFTAG_NDG,
    DFTAG_NT,
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
INTERNAL_CLASSES = (
    "Attr0.0",
    "DimVal0.0",
    "DimVal0.1",
    "SDSVar",
    "CoordVar",
    "RIATTR0.0N",
    "RIATTR0.0C",
    "_HDF_CHK_TBL_",
    "VGATTR0.0N",
    "VSATTR0.0N",
)


def not_read(file: OpenFile, members: Members) -> list[str]:
    """Return the kind and name of each image and table."""
    images = [
        f"image {group.name!r}" for group in members.vgroups.values() if group.vclass == IMAGE_CLASS
    ]
    if not images:
        refs = {*file.descriptors.refs(DFTAG_RIG), *file.descriptors.refs(DFTAG_RI8)}
        images = [f"image {ref}" for ref in sorted(refs)]
    tables = [
        f"table {vdata.name!r}"
        for vdata in members.vdatas.values()
        if not vdata.vclass.startswith(INTERNAL_CLASSES)
    ]
    return [*images, *tables]
