"""Parsers, one module or package per format; none imports another.

The classes are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virtualizarr.parsers.dmrpp import DMRPPParser
    from virtualizarr.parsers.fits import FITSParser
    from virtualizarr.parsers.grib import GRIBParser
    from virtualizarr.parsers.hdf4 import HDF4Parser
    from virtualizarr.parsers.hdf5 import HDFParser
    from virtualizarr.parsers.icechunk import IcechunkParser
    from virtualizarr.parsers.jpeg2000 import JPEG2000Parser
    from virtualizarr.parsers.kerchunk import KerchunkJSONParser, KerchunkParquetParser
    from virtualizarr.parsers.netcdf3 import NetCDF3Parser
    from virtualizarr.parsers.nifti import NIfTIParser
    from virtualizarr.parsers.npy import NPYParser
    from virtualizarr.parsers.raw.ehdr import EHdrParser
    from virtualizarr.parsers.raw.envi import ENVIParser
    from virtualizarr.parsers.raw.isis3 import ISIS3Parser
    from virtualizarr.parsers.raw.pds3 import PDS3Parser
    from virtualizarr.parsers.raw.pds4 import PDS4Parser
    from virtualizarr.parsers.raw.roipac import ROIPACParser
    from virtualizarr.parsers.raw.vicar import VICARParser
    from virtualizarr.parsers.safe import SAFEParser
    from virtualizarr.parsers.tiff import TIFFParser
    from virtualizarr.parsers.zarr import ZarrParser, ZippedZarrParser

__all__ = [
    "DMRPPParser",
    "EHdrParser",
    "ENVIParser",
    "FITSParser",
    "GRIBParser",
    "HDF4Parser",
    "HDFParser",
    "ISIS3Parser",
    "IcechunkParser",
    "JPEG2000Parser",
    "KerchunkJSONParser",
    "KerchunkParquetParser",
    "NIfTIParser",
    "NPYParser",
    "NetCDF3Parser",
    "PDS3Parser",
    "PDS4Parser",
    "ROIPACParser",
    "SAFEParser",
    "TIFFParser",
    "VICARParser",
    "ZarrParser",
    "ZippedZarrParser",
]

_MODULES = {
    "EHdrParser": "virtualizarr.parsers.raw.ehdr",
    "ENVIParser": "virtualizarr.parsers.raw.envi",
    "DMRPPParser": "virtualizarr.parsers.dmrpp",
    "FITSParser": "virtualizarr.parsers.fits",
    "GRIBParser": "virtualizarr.parsers.grib",
    "HDF4Parser": "virtualizarr.parsers.hdf4",
    "HDFParser": "virtualizarr.parsers.hdf5",
    "ISIS3Parser": "virtualizarr.parsers.raw.isis3",
    "IcechunkParser": "virtualizarr.parsers.icechunk",
    "JPEG2000Parser": "virtualizarr.parsers.jpeg2000",
    "KerchunkJSONParser": "virtualizarr.parsers.kerchunk",
    "KerchunkParquetParser": "virtualizarr.parsers.kerchunk",
    "NIfTIParser": "virtualizarr.parsers.nifti",
    "NPYParser": "virtualizarr.parsers.npy",
    "NetCDF3Parser": "virtualizarr.parsers.netcdf3",
    "PDS3Parser": "virtualizarr.parsers.raw.pds3",
    "PDS4Parser": "virtualizarr.parsers.raw.pds4",
    "ROIPACParser": "virtualizarr.parsers.raw.roipac",
    "SAFEParser": "virtualizarr.parsers.safe",
    "TIFFParser": "virtualizarr.parsers.tiff",
    "VICARParser": "virtualizarr.parsers.raw.vicar",
    "ZarrParser": "virtualizarr.parsers.zarr",
    "ZippedZarrParser": "virtualizarr.parsers.zarr",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
