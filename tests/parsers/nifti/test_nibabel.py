"""NIfTI images, against nibabel."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("nibabel")

import nibabel

import virtualizarr
from virtualizarr.errors import CorruptFileError, UnknownFormatError, UnsupportedFeatureError
from virtualizarr.parsers import NIfTIParser
from virtualizarr.testing import read_values

KINDS = {
    "one.nii": (nibabel.Nifti1Image, nibabel.Nifti1Header),
    "two.nii": (nibabel.Nifti2Image, nibabel.Nifti2Header),
    "pair.img": (nibabel.Nifti1Pair, nibabel.nifti1.Nifti1PairHeader),
    "pair2.img": (nibabel.Nifti2Pair, nibabel.nifti2.Nifti2PairHeader),
    "one.nii.gz": (nibabel.Nifti1Image, nibabel.Nifti1Header),
    "pair.img.gz": (nibabel.Nifti1Pair, nibabel.nifti1.Nifti1PairHeader),
}


def write(path: Path, dtype: str = "<i2", shape: tuple[int, ...] = (5, 4, 3, 2)) -> Path:
    kind, header_kind = KINDS[path.name]
    random = np.random.default_rng(0)
    affine = np.vstack([random.random((3, 4)), [0, 0, 0, 1]])
    header = header_kind(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(dtype)
    header.set_xyzt_units("mm", "sec")
    image = kind((random.random(shape) * 100).astype(dtype), affine, header)
    image.header["descrip"] = b"a test"
    nibabel.save(image, path)
    return path


def check(path: Path, chunk_bytes: int | None = None) -> Any:
    group = virtualizarr.parse(path, parser=NIfTIParser(chunk_bytes=chunk_bytes))
    image = nibabel.load(path)
    found, expected = read_values(group)["data"], image.dataobj.get_unscaled()
    assert found.dtype == expected.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, expected)
    attributes = group.arrays["data"].metadata.attributes
    np.testing.assert_allclose(attributes["affine"], image.affine, rtol=1e-6)
    return group.arrays["data"]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("dtype", ["u1", ">i2", "<f4", ">f8", "<c8", ">u2", "<i8"])
def test_images(tmp_path: Path, name: str, dtype: str) -> None:
    path = write(tmp_path / name, dtype)
    array = check(path)
    check(path, 30)
    assert array.metadata.dimension_names == ("x", "y", "z", "t")
    assert array.metadata.attributes["descrip"] == "a test"
    assert array.metadata.attributes["spatial_units"] == "mm"
    assert virtualizarr.parse(path).arrays["data"].metadata == array.metadata


@pytest.mark.parametrize("name", ["pair.img", "pair2.img", "pair.img.gz"])
def test_pairs_by_their_header(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    header = path.with_name(name.replace(".img", ".hdr"))
    assert virtualizarr.parse(header) == virtualizarr.parse(path)


@pytest.mark.parametrize("shape", [(7,), (7, 3), (2, 3, 4), (2, 1, 1, 3), (2, 2, 2, 2, 2, 2, 2)])
def test_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    check(write(tmp_path / "one.nii", shape=shape))


def test_scaling_is_an_attribute(tmp_path: Path) -> None:
    path = write(tmp_path / "one.nii")
    image = nibabel.load(path)
    image.header.set_slope_inter(0.5, 3)
    scaled = nibabel.Nifti1Image(np.asarray(image.dataobj.get_unscaled()), None, image.header)
    with path.open("r+b") as file:
        file.seek(112)
        file.write(np.array([0.5, 3], "<f4").tobytes())
    attributes = check(path).metadata.attributes
    assert (attributes["scale_factor"], attributes["add_offset"]) == (0.5, 3.0)
    opened = virtualizarr.open_virtual_dataset(path, loadable_variables=[]).virtualize.open()
    np.testing.assert_allclose(opened["data"].values, np.asarray(nibabel.load(path).dataobj))
    assert scaled.shape == opened["data"].shape


@pytest.mark.parametrize("code", [(0, 0), (0, 1), (1, 0), (2, 3)])
def test_affines(tmp_path: Path, code: tuple[int, int]) -> None:
    sform, qform = code
    path = tmp_path / "one.nii"
    angle = np.cos(0.3), np.sin(0.3)
    affine = np.diag([2.0, -3.0, 4.0, 1.0])
    affine[:2, :2] = affine[:2, :2] @ np.array([[angle[0], -angle[1]], [angle[1], angle[0]]])
    affine[:3, 3] = 5, 6, 7
    affine[:3, :3] = np.linalg.qr(affine[:3, :3])[0] * [2, 3, 4]
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), "i2"), affine)
    image.header.set_sform(affine, sform)
    image.header.set_qform(affine, qform)
    image.to_filename(path)
    with path.open("r+b") as file:
        file.seek(252)
        file.write(np.array([qform, sform], "<i2").tobytes())
    check(path)


def test_colours(tmp_path: Path) -> None:
    rgb = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    values = np.zeros((4, 3, 2), rgb)
    values["R"], values["B"] = np.arange(24).reshape(4, 3, 2), 9
    path = tmp_path / "one.nii"
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    found = read_values(virtualizarr.parse(path))["data"]
    assert found.tolist() == values.tolist()


def patched(path: Path, at: int, raw: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(raw)
    return path


@pytest.mark.parametrize(
    "at, raw, error, said",
    [
        (70, b"\x01\0", UnsupportedFeatureError, r"binary \(1\)"),
        (70, b"\0\x06", UnsupportedFeatureError, r"float128 \(1536\)"),
        (70, b"\x03\0", CorruptFileError, "datatype is 3"),
        (40, b"\x09\0", CorruptFileError, r"dim\[0\] is 9"),
        (42, b"\xff\xff", CorruptFileError, "dim is"),
        (108, np.array([1e30], "<f4").tobytes(), CorruptFileError, "vox_offset is"),
        (108, np.array([200], "<f4").tobytes(), CorruptFileError, "within the header"),
        (42, b"\xff\x7f", CorruptFileError, "truncated"),
        (344, b"xxxx", UnknownFormatError, "no NIfTI header in or beside"),
    ],
)
def test_refusals(tmp_path: Path, at: int, raw: bytes, error: type[Exception], said: str) -> None:
    path = patched(write(tmp_path / "one.nii"), at, raw)
    with pytest.raises(error, match=said):
        virtualizarr.parse(path)


def test_a_gzipped_image_that_is_cut_short_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "one.nii.gz", "<f8", (30, 40, 20))
    cut = tmp_path / "cut.nii.gz"
    shutil.copy(path, cut)
    with cut.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(CorruptFileError):
        read_values(virtualizarr.parse(cut))
