"""Raw images of any layout, against numpy's own strides."""

from __future__ import annotations

import gzip
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialize import values_of
from virtualizarr.errors import CorruptFileError
from virtualizarr.model import Location
from virtualizarr.parsers.strided import RawImage, array_of, checked
from virtualizarr.source.urls import file_url

DTYPES = ("u1", "<i2", ">i2", "<f4", ">f8", ">c8")


@st.composite
def images(draw: st.DrawFn) -> tuple[RawImage, Any]:
    """Draw an image without a file, and the bytes of one that it fits."""
    ndim = draw(st.integers(0, 4))
    shape = tuple(draw(st.integers(1, 6)) for _ in range(ndim))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    order = draw(st.permutations(range(ndim)))
    strides = [0] * ndim
    span = dtype.itemsize
    for axis in order:
        gap = draw(st.sampled_from((0, 0, 0, 1, 5)))
        strides[axis] = span + gap
        span = strides[axis] * (shape[axis] - 1) + span
    offset = draw(st.integers(0, 9))
    for axis in range(ndim):
        if draw(st.integers(0, 5)) == 0:
            offset += strides[axis] * (shape[axis] - 1)
            strides[axis] = -strides[axis]
    size = offset + span + draw(st.integers(0, 3))
    raw = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, size, np.uint8)
    dims = tuple(f"d{i}" for i in range(ndim))
    location = Location("file:///nowhere", size)
    return RawImage(location, offset, dtype, shape, tuple(strides), dims), raw


def expected(image: RawImage, raw: Any) -> Any:
    view = np.lib.stride_tricks.as_strided(
        raw[image.offset :].view(), (*image.shape, image.dtype.itemsize), (*image.strides, 1)
    )
    return np.ascontiguousarray(view).view(image.dtype)[..., 0]


def stored(image: RawImage, raw: Any, path: Path) -> RawImage:
    path.write_bytes(raw.tobytes())
    location = Location(file_url(str(path)), len(raw))
    return RawImage(location, *(getattr(image, name) for name in RawImage.__slots__[1:]))


@settings(max_examples=200, deadline=None)
@given(images(), st.sampled_from((1, 4, 16, 50, 200, None)))
def test_any_layout_reads_as_numpy_reads_it(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[RawImage, Any], chunk_bytes: int | None
) -> None:
    image, raw = drawn
    image = checked(stored(image, raw, tmp_path_factory.getbasetemp() / "raw.bin"), "raw")
    array = array_of(image, chunk_bytes, attributes={})
    np.testing.assert_array_equal(values_of(array), expected(image, raw))
    if chunk_bytes is not None:
        chunk = array.metadata.chunk_grid.chunk_shape  # type: ignore[union-attr]
        lengths = array.manifest.length
        assert prod(chunk) == 1 or int(lengths.max()) <= chunk_bytes


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("chunk_bytes", [1, 3, None])
def test_numbers_of_a_few_bits(
    tmp_path: Path, bits: int, aligned: bool, chunk_bytes: int | None
) -> None:
    rows, columns = 7, 11
    values = np.random.default_rng(bits).integers(0, 1 << bits, (rows, columns), np.uint8)
    flags = np.unpackbits(values[..., np.newaxis], axis=2)[..., 8 - bits :].reshape(rows, -1)
    row = -(-columns * bits // 8) * 8 if aligned else columns * bits
    padded = np.zeros((rows, row), np.uint8)
    padded[:, : columns * bits] = flags
    raw = np.packbits(padded.reshape(-1))
    image = RawImage(
        Location("", None), 0, np.dtype("u1"), (rows, columns), (row, bits), ("y", "x"), bits
    )
    image = checked(stored(image, raw, tmp_path / "raw.bin"), "raw")
    np.testing.assert_array_equal(values_of(array_of(image, chunk_bytes, attributes={})), values)


def test_gzipped_files_are_one_chunk(tmp_path: Path) -> None:
    values = np.arange(60, dtype=">i2").reshape(3, 4, 5)
    path = tmp_path / "raw.gz"
    path.write_bytes(gzip.compress(bytes(13) + values.tobytes() + b"more"))
    location = Location(file_url(str(path)), path.stat().st_size)
    image = RawImage(location, 13, values.dtype, (5, 3, 4), (2, 40, 10), ("a", "b", "c"), gzip=True)
    array = array_of(image, 1, attributes={})
    assert array.manifest.shape_chunk_grid == (1, 1, 1)
    np.testing.assert_array_equal(values_of(array), values.transpose(2, 0, 1))


def test_plain_chunks_need_no_codec_and_no_memory(tmp_path: Path) -> None:
    shape = (400, 10_000, 10_000)
    strides = (200_000_000, 20_000, 2)
    location = Location("file:///huge", 1 << 40)
    image = RawImage(location, 512, np.dtype(">i2"), shape, strides, ("band", "y", "x"))
    array = array_of(image, 16 * 1024 * 1024, attributes={})
    assert [codec["name"] for codec in array.metadata.codecs] == ["bytes"]
    assert array.metadata.chunk_grid.chunk_shape == (1, 625, 10_000)  # type: ignore[union-attr]
    assert array.manifest.offset_column.at((3, 2, 0)) == 512 + 3 * strides[0] + 2 * 625 * 20_000  # type: ignore[union-attr]
    assert array.manifest.nbytes < 2000


@pytest.mark.parametrize(
    "offset, shape, strides, said",
    [
        (0, (3, 4), (8, 2), "truncated"),
        (100, (2,), (2,), "truncated"),
        (0, (2, 2), (2, 2), "overlap"),
        (0, (2, 3), (4, 2), "overlap"),
        (1, (2,), (-2,), "lie from byte -1"),
        (0, (1 << 41,), (2,), "shape is"),
        (0, (1 << 30, 1 << 30), (1 << 34, 2), "would lie"),
    ],
)
def test_impossible_layouts(
    offset: int, shape: tuple[int, ...], strides: tuple[int, ...], said: str
) -> None:
    dims = tuple(f"d{i}" for i in range(len(shape)))
    image = RawImage(Location("file:///a", 20), offset, np.dtype("<i2"), shape, strides, dims)
    with pytest.raises(CorruptFileError, match=said):
        checked(image, "raw")
