"""Parsers, one module or package per format; none imports another.

The classes are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virtualizarr.parsers.fits import FITSParser
    from virtualizarr.parsers.hdf5 import HDFParser
    from virtualizarr.parsers.kerchunk import KerchunkJSONParser, KerchunkParquetParser
    from virtualizarr.parsers.netcdf3 import NetCDF3Parser
    from virtualizarr.parsers.tiff import TIFFParser

__all__ = [
    "FITSParser",
    "HDFParser",
    "KerchunkJSONParser",
    "KerchunkParquetParser",
    "NetCDF3Parser",
    "TIFFParser",
]

_MODULES = {
    "FITSParser": "virtualizarr.parsers.fits",
    "HDFParser": "virtualizarr.parsers.hdf5",
    "KerchunkJSONParser": "virtualizarr.parsers.kerchunk",
    "KerchunkParquetParser": "virtualizarr.parsers.kerchunk",
    "NetCDF3Parser": "virtualizarr.parsers.netcdf3",
    "TIFFParser": "virtualizarr.parsers.tiff",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
