"""The parsers of raw rasters under the conformance suite; the oracle is GDAL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("rasterio")

import gdal_files
from raw_headers import counting
from virtualizarr.errors import CorruptFileError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers import (
    EHdrParser,
    ENVIParser,
    ISIS3Parser,
    PDS3Parser,
    PDS4Parser,
    ROIPACParser,
    VICARParser,
)
from virtualizarr.testing import ParserConformance, parse_file, parse_within_memory


class RawConformance(ParserConformance):
    """A raster of 3 bands of int16 without a place; headers are what is sniffed and damaged."""

    max_rounds = 1
    driver: ClassVar[str]
    options: ClassVar[Sequence[Mapping[str, str]]] = ({},)
    ending: ClassVar[str]
    header: ClassVar[str | None] = None
    bands: ClassVar[int] = 3

    def files(self, folder: Path) -> Sequence[Path]:
        paths = []
        for i, options in enumerate(self.options):
            values = gdal_files.numbers((self.bands, 11, 13), "i2", seed=i)
            path = folder / f"{self.driver.lower()}{i}{self.ending}"
            gdal_files.written(path, self.driver, values, **options)
            paths.append(path.with_name(path.stem + self.header) if self.header else path)
        return paths

    def data_file(self, path: Path) -> Path:
        return path.with_name(path.stem + self.ending) if self.header else path

    def oracle(self, path: Path) -> Mapping[str, Any]:
        values = gdal_files.read(self.data_file(path))
        return {"band_data": values, "band": np.arange(1, len(values) + 1)}


class HeaderConformance(RawConformance):
    """Text headers have no end, so that one which is cut short is not always noticed.

    What is defaulted then, the specifications let be defaulted. Data that are cut short are.
    """

    def test_truncation_anywhere_is_noticed(self, samples: Sequence[Path]) -> None:
        for path in samples:
            data = self.data_file(path)
            whole = data.read_bytes()
            for cut in (0, 1, len(whole) // 2, len(whole) - 1):
                data.write_bytes(whole[:cut])
                with pytest.raises(CorruptFileError, match="truncated"):
                    parse_file(self.parser, path)
            data.write_bytes(whole)
            header = path.read_bytes()
            for cut in range(0, len(header), 7):
                outcome = parse_within_memory(self.parser, path.as_uri(), header[:cut])
                assert isinstance(outcome, ManifestGroup | VirtualizeError)


class TestENVI(RawConformance):
    parser = ENVIParser()
    driver, ending, header = "ENVI", ".img", ".hdr"
    options = ({}, {"INTERLEAVE": "bil"}, {"INTERLEAVE": "bip"})


class TestEHdr(HeaderConformance):
    parser = EHdrParser()
    driver, ending, header = "EHdr", ".bil", ".hdr"


class TestROIPAC(HeaderConformance):
    parser = ROIPACParser()
    driver, ending, header, bands = "ROI_PAC", ".dem", ".dem.rsc", 1

    def data_file(self, path: Path) -> Path:
        return path.with_suffix("")


class TestVICAR(RawConformance):
    parser = VICARParser()
    driver, ending, bands = "VICAR", ".vic", 1
    options = ({}, {"COMPRESS": "BASIC"}, {"COMPRESS": "BASIC2"})


class TestISIS3(RawConformance):
    parser = ISIS3Parser()
    driver, ending = "ISIS3", ".cub"
    options = ({}, {"TILED": "YES", "BLOCKXSIZE": "8", "BLOCKYSIZE": "4"})


class TestPDS4(RawConformance):
    parser = PDS4Parser()
    driver, ending = "PDS4", ".xml"
    options = ({}, {"INTERLEAVE": "BIP"})


class TestPDS3(RawConformance):
    parser = PDS3Parser()
    driver, ending = "PDS", ".img"

    def files(self, folder: Path) -> Sequence[Path]:
        label = (
            "PDS_VERSION_ID = PDS3\r\nRECORD_TYPE = FIXED_LENGTH\r\nRECORD_BYTES = 26\r\n"
            "^IMAGE = 21\r\nOBJECT = IMAGE\r\n LINES = 11\r\n LINE_SAMPLES = 13\r\n BANDS = 3\r\n"
            " SAMPLE_TYPE = MSB_INTEGER\r\n SAMPLE_BITS = 16\r\n"
            " BAND_STORAGE_TYPE = BAND_SEQUENTIAL\r\nEND_OBJECT = IMAGE\r\nEND\r\n"
        )
        path = folder / "pds3.img"
        path.write_bytes(label.encode().ljust(520) + counting(3 * 11 * 13 * 2).tobytes())
        return [path]
