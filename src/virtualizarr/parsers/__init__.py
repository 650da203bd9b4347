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
    from virtualizarr.parsers.kerchunk import KerchunkJSONParser, KerchunkParquetParser
    from virtualizarr.parsers.netcdf3 import NetCDF3Parser
    from virtualizarr.parsers.tiff import TIFFParser
    from virtualizarr.parsers.zarr import ZarrParser

__all__ = [
    "DMRPPParser",
    "FITSParser",
    "GRIBParser",
    "HDF4Parser",
    "HDFParser",
    "IcechunkParser",
    "KerchunkJSONParser",
    "KerchunkParquetParser",
    "NetCDF3Parser",
    "TIFFParser",
    "ZarrParser",
]

_MODULES = {
    "DMRPPParser": "virtualizarr.parsers.dmrpp",
    "FITSParser": "virtualizarr.parsers.fits",
    "GRIBParser": "virtualizarr.parsers.grib",
    "HDF4Parser": "virtualizarr.parsers.hdf4",
    "HDFParser": "virtualizarr.parsers.hdf5",
    "IcechunkParser": "virtualizarr.parsers.icechunk",
    "KerchunkJSONParser": "virtualizarr.parsers.kerchunk",
    "KerchunkParquetParser": "virtualizarr.parsers.kerchunk",
    "NetCDF3Parser": "virtualizarr.parsers.netcdf3",
    "TIFFParser": "virtualizarr.parsers.tiff",
    "ZarrParser": "virtualizarr.parsers.zarr",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
