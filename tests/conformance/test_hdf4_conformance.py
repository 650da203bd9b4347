"""The HDF4 parser under the conformance suite; the oracle is the HDF4 library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hdf4_files
from hdf4_files import COMPRESSED, DEFLATE, RLE, SDC, create, numbers, open_new, set_chunks
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
