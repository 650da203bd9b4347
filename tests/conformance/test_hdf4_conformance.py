"""The HDF4 parser under the conformance suite; the oracle is the HDF4 library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import hdf4_files
import hdf4_images
import hdf4_tables
from hdf4_files import COMPRESSED, DEFLATE, RLE, SD, SDC, create, numbers, open_new, set_chunks
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.testing import ParserConformance


def plain(path: Path) -> Path:
    """Write contiguous variables of several types, with attributes and a scale."""
    file = open_new(path)
    file.title = "conformance"
    for kind in ("f4", "i2", "u1"):
        values = numbers((12, 9), kind)
        variable = create(file, f"of_{kind}", values)
        variable.units = "K"
        for axis, name in enumerate(("y", "x")):
            variable.dim(axis).setname(name)
        variable[:] = values
        if kind == "f4":
            variable.dim(1).setscale(SDC.FLOAT64, [0.5 * i for i in range(9)])
        variable.endaccess()
    file.end()
    return path


def compressed(path: Path) -> Path:
    """Write chunked, compressed and growing variables."""
    file = open_new(path)
    values = numbers((40, 30), "i2")
    chunked = create(file, "chunked", values)
    set_chunks(chunked, (10, 15), DEFLATE, 0, 5, flags=COMPRESSED)
    runs = create(file, "runs", values)
    runs.setcompress(RLE)
    growing = create(file, "growing", values, shape=(SDC.UNLIMITED, 30))
    other = create(file, "other", values, shape=(SDC.UNLIMITED, 30))
    chunked[:] = values
    runs[:] = values
    for at in range(0, 40, 4):
        growing[at : at + 4] = values[at : at + 4]
        other[at : at + 4] = values[at : at + 4]
    for variable in (chunked, runs, growing, other):
        variable.endaccess()
    file.end()
    return path


class TestHDF4(ParserConformance):
    parser = HDF4Parser()
    max_rounds = 2

    def files(self, folder: Path) -> Sequence[Path]:
        return [plain(folder / "plain.hdf"), compressed(folder / "compressed.hdf")]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        found, unreadable = hdf4_files.values_of(path)
        assert unreadable == 0
        return dict(found)

    def oracle_attributes(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        return hdf4_files.attributes_of(path)


STRUCTURE = """GROUP=GridStructure
GROUP=GRID_1
GridName="Tile"
XDim=9
YDim=12
UpperLeftPointMtrs=(0,12000000)
LowerRightMtrs=(9000000,0)
Projection=GCTP_GEO
GROUP=DataField
OBJECT=DataField_1
DataFieldName="field"
DimList=("YDim","XDim")
END_OBJECT=DataField_1
END_GROUP=DataField
END_GROUP=GRID_1
END_GROUP=GridStructure
"""


def grouped(path: Path) -> Path:
    """Write a grid of HDF-EOS2, a table in linked blocks, and images."""
    hdf4_images.write_images(path, {"image": numbers((6, 5, 3), "u1")}, compression=(DEFLATE, 6))
    file = SD(str(path), SDC.WRITE)
    setattr(file, "StructMetadata.0", STRUCTURE)
    values = numbers((12, 9), "i2")
    variable = create(file, "field", values)
    variable[:] = values
    members = [(hdf4_tables.DFTAG_NDG, variable.ref())]
    variable.endaccess()
    file.end()
    rows = {"number": np.arange(40, dtype="i4"), "text": np.array([b"abc"] * 40, "S3")}
    table = hdf4_tables.write_table(path, "table", rows)
    hdf4_tables.write_table(path, "between", {"x": np.arange(5.0)})
    hdf4_tables.append_rows(path, table, rows)
    hdf4_tables.set_table_attribute(path, table, 0, "range", np.array([0, 39], "i2"))
    fields = hdf4_tables.write_vgroup(path, "Data Fields", members, "GRID Vgroup")
    inside = [(hdf4_tables.DFTAG_VG, fields), (hdf4_tables.DFTAG_VH, table)]
    hdf4_tables.write_vgroup(path, "Tile", inside, "GRID")
    return path


class TestHDF4Groups(ParserConformance):
    parser = HDF4Parser()
    max_rounds = 2
    mutants = 300

    def files(self, folder: Path) -> Sequence[Path]:
        return [grouped(folder / "grouped.hdf")]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        data_sets, unreadable = hdf4_files.values_of(path)
        assert unreadable == 0
        table, between = hdf4_tables.table_values(path)
        assert table is not None
        assert between is not None
        (field,) = (values for _, values in data_sets)
        return {
            "field": field,
            **hdf4_images.image_values(path)[0],
            "Tile/field": field,
            "Tile/XDim": np.arange(9) + 0.5,
            "Tile/YDim": 11.5 - np.arange(12),
            **{f"Tile/table/{name}": values for name, values in table.items()},
            **{f"between/{name}": values for name, values in between.items()},
        }
