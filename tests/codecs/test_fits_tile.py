"""The codec of FITS tiles: broken input, bombs, fresh processes. Values: tests/parsers."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numcodecs.registry import get_codec

from virtualizarr.codecs.fits_dither import dither, random_numbers, unquantized
from virtualizarr.codecs.fits_tile import TILES, FitsTile, FitsTileNumcodec, encode_table
from virtualizarr.errors import CorruptFileError

SHAPE = (8, 12)
VALUES = np.arange(96, dtype="i4").reshape(SHAPE) % 41
BASE: dict[str, Any] = {
    "compression": "RICE_1",
    "bitpix": 32,
    "shape": SHAPE,
    "kinds": [["data", SHAPE]],
}


def stream(compression: str) -> bytes:
    encoders: dict[str, Any] = {
        "RICE_1": lambda: imagecodecs.rcomp_encode(VALUES.reshape(-1), nblock=32),
        "HCOMPRESS_1": lambda: imagecodecs.hcomp_encode(VALUES),
        "PLIO_1": lambda: np.frombuffer(imagecodecs.plio_encode(VALUES.reshape(-1)), "i2").astype(
            ">i2"
        ),
        "GZIP_1": lambda: gzip.compress(VALUES.astype(">i4").tobytes()),
        "GZIP_2": lambda: gzip.compress(VALUES.astype(">i4").reshape(-1, 1).view("u1").T.tobytes()),
        "NOCOMPRESS": lambda: VALUES.astype(">i4"),
    }
    return bytes(encoders[compression]())


def decode(data: bytes, **options: Any) -> Any:
    codec = FitsTile.from_configuration({**BASE, **options})
    found = codec.decode(np.frombuffer(data, np.uint8), None)
    return found.view(codec.dtype).reshape(codec.shape)


COMPRESSIONS = ("RICE_1", "HCOMPRESS_1", "PLIO_1", "GZIP_1", "GZIP_2", "NOCOMPRESS")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_streams_may_be_followed_by_other_bytes(compression: str) -> None:
    for extra in (b"", b"\0", b"\xff\x80\x01", bytes(range(256))):
        found = decode(stream(compression) + extra, compression=compression)
        np.testing.assert_array_equal(found, VALUES)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_cut_streams_give_errors_or_whole_chunks(compression: str) -> None:
    whole = stream(compression)
    for size in range(1, len(whole), 7):
        try:
            assert decode(whole[:size], compression=compression).shape == SHAPE
        except CorruptFileError:
            continue


@pytest.mark.parametrize("compression", ["RICE_1", "HCOMPRESS_1", "PLIO_1"])
def test_a_stream_that_ends_early_is_corrupt_wherever_it_is_cut(compression: str) -> None:
    whole = stream(compression)
    for size in range(1, len(whole)):
        try:
            found = decode(whole[:size], compression=compression)
        except CorruptFileError:
            continue
        np.testing.assert_array_equal(found, VALUES)
        assert size > len(whole) - 4  # but for padding all of it was there


@pytest.mark.parametrize("compression", ["GZIP_1", "GZIP_2"])
def test_bombs_do_not_fill_memory(compression: str) -> None:
    with pytest.raises(CorruptFileError):
        decode(gzip.compress(b"\0" * (1 << 26)), compression=compression)


def test_an_hcompress_tile_of_another_size_is_refused() -> None:
    bomb = b"\xdd\x99\x7f\xff\xff\xff\x00\x00\x10\x00" + bytes(60)
    with pytest.raises(CorruptFileError, match="HCOMPRESS"):
        decode(bomb, compression="HCOMPRESS_1")


def test_an_hcompress_tile_of_too_many_planes_is_refused() -> None:
    data = bytearray(stream("HCOMPRESS_1"))
    data[22:25] = b"\xff\xff\xff"
    with pytest.raises(CorruptFileError, match="planes"):
        decode(bytes(data), compression="HCOMPRESS_1")


@pytest.mark.parametrize("shape", [(1, 96), (96, 1)])
def test_an_hcompress_tile_of_one_row_is_refused(shape: tuple[int, int]) -> None:
    """The decoder would write the root of its empty quadrants into no memory."""
    data = bytearray(stream("HCOMPRESS_1")[:25] + b"\xff" * 200)
    data[2:10] = struct.pack(">2i", *shape)
    data[22:25] = bytes([30, 30, 30])
    with pytest.raises(CorruptFileError, match="HCOMPRESS"):
        decode(
            bytes(data), compression="HCOMPRESS_1", shape=list(shape), kinds=[["data", list(shape)]]
        )


def test_an_hcompress_tile_takes_no_memory_for_what_is_not_there() -> None:
    """A constant tile is a few bytes of stream, whatever its size."""
    shape = (1024, 1024)
    data = imagecodecs.hcomp_encode(np.full(shape, 7, "i4"))
    assert len(data) < 100
    options = {"compression": "HCOMPRESS_1", "shape": shape, "kinds": [["data", shape]]}
    tracemalloc.start()
    try:
        found = decode(bytes(data[:22]) + bytes([60] * 3) + bytes(data[25:]) + bytes(40), **options)
        _, peak = tracemalloc.get_traced_memory()
    except CorruptFileError:
        _, peak = tracemalloc.get_traced_memory()
    else:
        assert found.shape == shape
    finally:
        tracemalloc.stop()
    assert peak < 17 * found_size(shape)
    np.testing.assert_array_equal(decode(bytes(data), **options), np.full(shape, 7))


def found_size(shape: tuple[int, int]) -> int:
    """Return the pixels of a tile: its values take 4 bytes each, the decoder's own 8."""
    return shape[0] * shape[1]


def test_a_plio_tile_that_counts_more_words_than_it_has_is_refused() -> None:
    words = np.frombuffer(stream("PLIO_1"), ">i2").copy()
    words[2:5] = 0, 77, 30000
    with pytest.raises(CorruptFileError, match="PLIO"):
        decode(words.tobytes(), compression="PLIO_1")


@pytest.mark.parametrize("compression", ["RICE_1", "HCOMPRESS_1", "PLIO_1"])
def test_zeros_do_not_lead_a_decoder_out_of_its_stream(compression: str) -> None:
    whole = stream(compression)
    for kept in (25, 40):
        data = whole[:kept] + bytes(max(len(whole) - kept, 8))
        try:
            assert decode(data, compression=compression).shape == SHAPE
        except CorruptFileError:
            continue


def test_lengths_tell_the_kind() -> None:
    kinds = [["data", SHAPE], ["plain", (3, 5)], ["gzip", SHAPE]]
    small = VALUES[:3, :5].astype(">i4").tobytes()  # 60 bytes
    expected = np.zeros(SHAPE)
    expected[:3, :5] = VALUES[:3, :5]
    np.testing.assert_array_equal(decode(small + b"\0", kinds=kinds), expected)


def test_lengths_find_the_parameters() -> None:
    raw = VALUES.astype(">i4").tobytes()
    table = np.zeros(2, TILES)
    table["length"], table["skip"] = [384, 390], [0, 6]
    table["scale"], table["zero"] = [1.0, 0.5], [0.0, 10.0]
    table["blank"], table["has_blank"] = 3, 1
    options = {
        "compression": "NOCOMPRESS",
        "bitpix": -64,
        "quantize": "NO_DITHER",
        "table": encode_table(table),
    }
    expected = np.where(VALUES == 3, np.nan, VALUES * 0.5 + 10)
    np.testing.assert_array_equal(decode(b"behind" + raw, **options), expected)
    with pytest.raises(CorruptFileError, match="no tile has a range of 385 bytes"):
        decode(raw + b"x", **options)
    framed = {**options, "table": None, "framed": True}
    np.testing.assert_array_equal(decode(table[1:].tobytes() + raw, **framed), expected)


def test_the_random_numbers_are_those_of_the_standard() -> None:
    seed = 1.0
    for _ in range(10_000):
        product = 16807.0 * seed
        seed = product - 2147483647.0 * int(product / 2147483647.0)
    assert seed == 1043618065  # the check that appendix I gives
    assert random_numbers()[-1] == np.float32(seed / 2147483647.0)
    assert dither(9_999, 25_000).shape == (25_000,)
    stored = np.array([-2147483646, 5], np.int32)
    assert unquantized(stored, 2.0, 1.0, "SUBTRACTIVE_DITHER_2", 0)[0] == 0


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "JPEG"},
        {"bitpix": 12},
        {"shape": (0, 3)},
        {"kinds": []},
        {"kinds": [["data", (9, 12)]]},
        {"kinds": [["other", SHAPE]]},
        {"kinds": [["data", (8,)]]},
        {"bytepix": 8},
        {"blocksize": 0},
        {"quantize": "NO_DITHER"},
        {"bitpix": -32, "quantize": "NO_DITHER"},
        {"bitpix": -32, "quantize": "OTHER", "framed": True},
        {"blank": 1.5},
        {"framed": 1},
        {"table": "no base64"},
        {"table": encode_table(np.zeros(2, TILES))},
    ],
)
def test_broken_configurations(options: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError):
        decode(stream("RICE_1"), **options)


def test_the_numcodecs_twin() -> None:
    codec = get_codec({"id": "virtualizarr.fits_tile", **BASE, "nbytes": 384})
    assert isinstance(codec, FitsTileNumcodec)
    found = np.frombuffer(bytes(codec.decode(stream("RICE_1"))), ">i4")
    np.testing.assert_array_equal(found.reshape(SHAPE), VALUES)


def test_a_fresh_process_needs_only_zarr(tmp_path: Path) -> None:
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(SHAPE),
        "data_type": "uint32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(SHAPE)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "big"}},
            {
                "name": "virtualizarr.field",
                "configuration": {
                    "row_bytes": 4,
                    "offset": 0,
                    "width": 4,
                    "kind": "flip",
                    "size": 4,
                },
            },
            {"name": "virtualizarr.fits_tile", "configuration": BASE},
        ],
        "attributes": {},
    }
    (tmp_path / "c" / "0").mkdir(parents=True)
    (tmp_path / "zarr.json").write_text(json.dumps(metadata))
    (tmp_path / "c" / "0" / "0").write_bytes(stream("RICE_1"))
    program = "import sys, zarr; print(zarr.open_array(sys.argv[1], mode='r')[...].tolist())"
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    np.testing.assert_array_equal(json.loads(result.stdout), VALUES.astype("i8") + 2**31)
