"""The FITS parser under the conformance suite; the oracle is astropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

import fits_oracle
from virtualizarr.parsers.fits import FITSParser
from virtualizarr.testing import ParserConformance


def image(path: Path) -> Path:
    """Write an image of unsigned integers, whose data fill their blocks."""
    values = np.random.default_rng(0).integers(0, 2**16, (90, 128), dtype="u2")
    hdu = fits.PrimaryHDU(values)
    hdu.header["OBJECT"] = ("M 31", "what was seen")
    hdu.header["EXPTIME"] = 1.5
    hdu.header["HIERARCH ESO DET ID"] = 7
    hdu.header["LONG"] = "many words " * 12
    hdu.header["HISTORY"] = "made"
    hdu.header["HISTORY"] = "for a test"
    hdu.writeto(path)
    return path


def table(path: Path) -> Path:
    """Write a table with fixed and varying columns."""
    random = np.random.default_rng(0)
    varying = np.empty(60, object)
    varying[:] = [random.random(3) for _ in range(60)]
    columns = [
        fits.Column("time", "D", unit="s", array=random.random(60)),
        fits.Column("counts", "3I", array=random.integers(0, 99, (60, 3))),
        fits.Column("good", "L", array=random.random(60) > 0.5),
        fits.Column("name", "5A", array=[f"s{i}" for i in range(60)]),
        fits.Column("events", "PD()", array=varying),
    ]
    fits.BinTableHDU.from_columns(columns, name="EVENTS").writeto(path)
    return path


def compressed(path: Path) -> Path:
    """Write a compressed floating point image."""
    values = np.random.default_rng(0).normal(10, 3, (40, 50)).astype("f4")
    options = {"compression_type": "RICE_1", "tile_shape": (9, 20), "quantize_method": 2}
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values, **options)]).writeto(path)
    return path


class TestFITS(ParserConformance):
    parser = FITSParser()
    max_rounds = 1

    def files(self, folder: Path) -> Sequence[Path]:
        return [
            image(folder / "image.fits"),
            table(folder / "table.fits"),
            compressed(folder / "compressed.fits"),
        ]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        return fits_oracle.values_of(path)

    def oracle_attributes(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        if path.name != "image.fits":
            return {}
        with fits.open(path) as hdus:
            header = hdus[0].header
            cards = {key: header[key] for key in dict.fromkeys(header) if key != "HISTORY"}
        cards["HISTORY"] = "made\nfor a test"
        return {"": cards, "PRIMARY": cards}

    def _damaged_file_gives_values_or_an_error(
        self, path: Path, content: bytes, expected: Mapping[str, Any] | None
    ) -> None:
        """A file cut between two HDUs is a whole one: FITS does not say how many there are."""
        with fits.open(path) as hdus:
            ends = {hdu.fileinfo()["hdrLoc"] for hdu in hdus}
        given = None if len(content) in ends else expected
        super()._damaged_file_gives_values_or_an_error(path, content, given)
