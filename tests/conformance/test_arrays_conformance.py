"""NPY, NIfTI and JPEG 2000 under the conformance suite; oracles are numpy, nibabel and GDAL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("imagecodecs")
pytest.importorskip("nibabel")
pytest.importorskip("rasterio")

import nibabel

import gdal_files
from virtualizarr.parsers import JPEG2000Parser, NIfTIParser, NPYParser
from virtualizarr.testing import ParserConformance

RECORD = np.dtype([("a", ">i2"), ("b", "<f8"), ("c", "S3")])


class TestNPY(ParserConformance):
    parser = NPYParser()
    max_rounds = 1

    def files(self, folder: Path) -> Sequence[Path]:
        values = gdal_files.numbers((3, 4, 5), "f8")
        arrays = {
            "c": values,
            "fortran": np.asfortranarray(values.astype(">i4")),
            "record": np.zeros((4, 3), RECORD),
            "text": np.array(["a", "bcd", "é"]),
        }
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        return [folder / f"{name}.npy" for name in arrays]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        return {"data": np.load(path)}


class TestNIfTI(ParserConformance):
    parser = NIfTIParser()
    max_rounds = 1

    def files(self, folder: Path) -> Sequence[Path]:
        values = gdal_files.numbers((5, 4, 3, 2), "i2")
        images = {
            "one.nii": nibabel.Nifti1Image(values, np.eye(4)),
            "two.nii": nibabel.Nifti2Image(values.astype("f4"), np.eye(4)),
            "zipped.nii.gz": nibabel.Nifti1Image(values, np.eye(4)),
        }
        for name, image in images.items():
            nibabel.save(image, folder / name)
        pair = nibabel.Nifti1Pair(values, np.eye(4))
        nibabel.save(pair, folder / "pair.img")
        return [*(folder / name for name in images), folder / "pair.hdr"]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        return {"data": nibabel.load(path).dataobj.get_unscaled()}


class TestJPEG2000(ParserConformance):
    parser = JPEG2000Parser()
    max_rounds = 2

    def files(self, folder: Path) -> Sequence[Path]:
        lines, samples = np.mgrid[:70, :90]
        values = np.stack([lines * samples % 251, lines + samples]).astype("u2")
        options = {"QUALITY": "100", "REVERSIBLE": "YES"}
        tiled = {**options, "BLOCKXSIZE": "64", "BLOCKYSIZE": "32"}
        gdal_files.written(folder / "whole.jp2", "JP2OpenJPEG", values, **options)
        gdal_files.written(folder / "tiled.jp2", "JP2OpenJPEG", values, **tiled)
        bare = {**tiled, "CODEC": "J2K", "TLM": "YES"}
        gdal_files.written(folder / "bare.j2k", "JP2OpenJPEG", values, **bare)
        return [folder / name for name in ("whole.jp2", "tiled.jp2", "bare.j2k")]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        values = gdal_files.read(path)
        return {"band_data": values, "band": np.arange(1, len(values) + 1)}
