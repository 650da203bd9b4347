"""The TIFF parser under the conformance suite; the oracle is tifffile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from virtualizarr.parsers.tiff import TIFFParser
from virtualizarr.testing import ParserConformance

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")

IMAGES: dict[str, dict[str, Any]] = {
    "strips.tif": {"rowsperstrip": 7},
    "tiles.tif": {"tile": (16, 16), "compression": "zlib", "predictor": True},
    "separate.tif": {"planarconfig": "separate", "compression": "lzw", "rowsperstrip": 8},
}


class TestTIFF(ParserConformance):
    parser = TIFFParser()
    max_rounds = 1

    def files(self, folder: Path) -> Sequence[Path]:
        random = np.random.default_rng(0)
        for name, options in IMAGES.items():
            planes = options.get("planarconfig") == "separate"
            data = random.integers(0, 9999, (3, 37, 45) if planes else (37, 45)).astype("u2")
            big = name == "tiles.tif"
            options = {"photometric": "minisblack", "metadata": None, **options}
            tifffile.imwrite(folder / name, data, bigtiff=big, description="test", **options)
        return [folder / name for name in IMAGES]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        data = tifffile.imread(path, key=0)
        data = data if data.ndim == 3 else data[np.newaxis]
        return {"band_data": data, "band": np.arange(1, len(data) + 1)}

    def oracle_attributes(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        with tifffile.TiffFile(path) as tiff:
            software, extra = tiff.pages[0].software, tiff.pages[0].extrasamples
        resolution = {"TIFFTAG_XRESOLUTION": 1.0, "TIFFTAG_YRESOLUTION": 1.0}
        return {
            "": {},
            "band_data": {
                "ifd": "0",
                "TIFFTAG_IMAGEDESCRIPTION": "test",
                "TIFFTAG_SOFTWARE": software,
                **resolution,
                **({"extra_samples": [int(kind) for kind in extra]} if extra else {}),
                "TIFFTAG_RESOLUTIONUNIT": 1,
                "photometric": "minIsBlack",
            },
        }
