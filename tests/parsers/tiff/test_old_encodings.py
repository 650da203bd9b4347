"""Encodings of old or rare files; the witness is GDAL, or tifffile where it reads them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parsers.tiff.by_hand import image_tags, tiff_bytes
from parsers.tiff.written import parse_file, values
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

imagecodecs = pytest.importorskip("imagecodecs")
rasterio = pytest.importorskip("rasterio")
tifffile = pytest.importorskip("tifffile")

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

ROWS, COLUMNS = 24, 37


def random() -> np.random.Generator:
    return np.random.default_rng(11)


def check_with_gdal(path: Path) -> Any:
    """Compare the values with GDAL's, and return them."""
    with rasterio.open(path) as dataset:
        try:
            expected = dataset.read()
        except rasterio.errors.RasterioIOError as error:
            pytest.skip(f"this GDAL does not read it: {error}")
    found = values(path)["band_data"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    return found


def in_planes(words: Any) -> bytes:
    """Return words as SGI Log stores them: per row a plane of each byte, in runs and copies."""
    stored = b""
    for row in words.astype(f">u{words.dtype.itemsize}"):
        for plane in row.view("u1").reshape(len(row), -1).T:
            stored += bytes([130, plane[0]]) if (plane[:4] == plane[0]).all() else b""
            rest = plane[4:] if (plane[:4] == plane[0]).all() else plane
            stored += bytes([len(rest)]) + rest.tobytes()
    return stored


def log_words(size: int) -> Any:
    words = random().integers(0, 1 << 15, (ROWS, COLUMNS)).astype("u4") << 8 * (size - 2)
    if size == 4:
        words |= random().integers(0, 1 << 16, words.shape, "u4")
    words[:, :4] = words[:, :1]
    return words.astype(f"u{size}")


def next_rows() -> bytes:
    """Return rows of NeXT's encoding: whole, in part, and in runs."""
    row_bytes = -(-COLUMNS // 4)
    rows = b""
    for i in range(ROWS):
        raw = random().bytes(row_bytes)
        if i % 3 == 0:
            rows += b"\x00" + raw
        elif i % 3 == 1:
            rows += b"\x40" + struct.pack(">HH", 2, 5) + raw[:5]
        else:
            rows += bytes([0x40 | 30, 0x80 | (COLUMNS - 30)])
    return rows


def thunder_rows() -> bytes:
    """Return rows of ThunderScan's encoding: raw pixels, differences of 2 and 3 bits, runs."""
    row = [0xC5, 0x40 | 0b010111, 0x80 | 0b010111, 0x06, 0xCA]
    have = 1 + 3 + 2 + 6 + 1
    return bytes(row + [0xC0 | i % 16 for i in range(COLUMNS - have)]) * ROWS


def rle_words() -> bytes:
    """Return rows of CCITT RLE, each filled up to a word: 30 white pixels and 7 black ones."""
    bits = "00000011" + "00011"
    return bytes([int(bits.ljust(16, "0")[:8], 2), int(bits.ljust(16, "0")[8:], 2)]) * ROWS


WHOLE, UNSIGNED, FLOAT = 2, 1, 3
ENCODED: dict[str, Callable[[], tuple[bytes, int, int, int, dict[str, Any]]]] = {
    "next": lambda: (next_rows(), 1, 2, 32766, {}),
    "thunderscan": lambda: (thunder_rows(), 1, 4, 32809, {}),
    "ccitt rle/w": lambda: (rle_words(), 1, 1, 32771, {"t262": ("H", [0])}),
    **{
        f"LogL {kind} {bits}": lambda kind=kind, bits=bits: (
            in_planes(log_words(2)),
            *(1, bits, 34676, {"t262": ("H", [32844]), "t339": ("H", [kind])}),
        )
        for kind, bits in ((WHOLE, 16), (UNSIGNED, 16), (FLOAT, 32))
    },
    **{
        f"LogLuv {kind} {bits}": lambda kind=kind, bits=bits: (
            in_planes(log_words(4)),
            *(3, bits, 34676, {"t262": ("H", [32845]), "t339": ("H", [kind] * 3)}),
        )
        for kind, bits in ((WHOLE, 16), (UNSIGNED, 16), (FLOAT, 32))
    },
    "LogLuv of 24 bits": lambda: (
        random().bytes(ROWS * COLUMNS * 3),
        *(3, 32, 34677, {"t262": ("H", [32845]), "t339": ("H", [FLOAT] * 3)}),
    ),
}


@pytest.mark.parametrize("name", ENCODED)
def test_as_libtiff_reads_it(tmp_path: Path, name: str) -> None:
    strip, samples, bits, compression, more = ENCODED[name]()
    tags = image_tags((ROWS, COLUMNS, samples), bits, compression, **more)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [strip]))
    found = check_with_gdal(tmp_path / "a.tif")
    assert len(np.unique(found)) > 1


@pytest.mark.parametrize("name", ["thunderscan", "LogLuv 2 16"])
def test_a_chunk_that_ends_too_early(tmp_path: Path, name: str) -> None:
    strip, samples, bits, compression, more = ENCODED[name]()
    tags = image_tags((ROWS, COLUMNS, samples), bits, compression, **more)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [strip[: len(strip) // 2]]))
    with pytest.raises(CorruptFileError):
        values(tmp_path / "a.tif")


COMPRESSED: dict[int, Callable[[bytes], Any]] = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    8: imagecodecs.zlib_encode,
    32773: imagecodecs.packbits_encode,
    50000: imagecodecs.zstd_encode,
}


@pytest.mark.parametrize("compression", COMPRESSED)
@pytest.mark.parametrize("factors", [(2, 1), (2, 2), (4, 1), (4, 2), (4, 4)])
@pytest.mark.parametrize("layout", ["strip", "strips", "tiles"])
def test_subsampled_chroma_is_rgb_as_gdal_shows_it(
    tmp_path: Path, compression: int, factors: tuple[int, int], layout: str
) -> None:
    across, down = factors
    length = ROWS if layout == "strip" else ROWS - 4
    # libtiff puts the second clumps of a tile that the image cuts at the wrong place (4, 4)
    width = 32 if (layout, factors) == ("tiles", (4, 4)) else COLUMNS
    rows, columns = {"strip": (ROWS, width), "strips": (8, width), "tiles": (16, 16)}[layout]
    more: dict[str, Any] = {"t262": ("H", [6]), "t530": ("H", factors), "t278": ("I", [rows])}
    if layout == "strips":
        more["t532"] = ("d", [16.0, 235.0, 128.0, 240.0, 128.0, 240.0])
        more["t529"] = ("d", [0.2126, 0.7152, 0.0722])
    if layout == "tiles":
        more |= {"t322": ("I", [columns]), "t323": ("I", [rows]), "t278": ("", [])}
    count = -(-length // rows) * (-(-width // columns) if layout == "tiles" else 1)
    chunks = []
    for i in range(count):
        tall = min(rows, length - i * rows) if layout == "strips" else rows
        units = -(-tall // down) * -(-columns // across) * (across * down + 2)
        raw = np.random.default_rng(i).integers(16, 235, units, "u1").tobytes()
        chunks.append(bytes(COMPRESSED[compression](raw)))
    tags = image_tags((length, width, 3), 8, compression, **more)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, chunks, is_tiled=layout == "tiles"))
    check_with_gdal(tmp_path / "a.tif")
    assert parse_file(tmp_path / "a.tif").arrays["band_data"].metadata.attributes[
        "photometric"
    ] == ("RGB")


@pytest.mark.parametrize("factors", [(1, 2), (2, 4), (3, 1)])
def test_subsampling_that_no_reader_knows(tmp_path: Path, factors: tuple[int, int]) -> None:
    more = {"t262": ("H", [6]), "t530": ("H", factors)}
    tags = image_tags((ROWS, COLUMNS, 3), 8, 1, **more)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [bytes(ROWS * COLUMNS * 3)]))
    with pytest.raises(UnsupportedFeatureError, match="chroma subsampled"):
        parse_file(tmp_path / "a.tif")


def picture(rows: int) -> Any:
    ramp = np.add.outer(np.arange(rows), np.arange(48)).astype("u1")
    return np.dstack([ramp * 3, ramp[::-1] * 2, 255 - ramp])


def segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while True:
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        yield stream[at + 1], stream[at + 4 : at + 2 + length]
        at += 2 + length
        if stream[at - 2 - length + 1] == 0xDA:
            return


def scan_of(stream: bytes) -> bytes:
    """Return what follows the scan header, without the end marker."""
    at = stream.index(b"\xff\xda")
    return stream[at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big") : -2]


def old_jpeg_by_tables(factors: tuple[int, int], heights: list[int]) -> bytes:
    """Return a file of old-style JPEG strips, whose tables the tags 519 to 521 name."""
    sampling = f"{''.join(map(str, {(2, 2): (4, 2, 0), (2, 1): (4, 2, 2)}[factors]))}"
    streams = [
        imagecodecs.jpeg8_encode(picture(rows), level=90, subsampling=sampling, optimize=False)
        for rows in heights
    ]
    quantised: dict[int, bytes] = {}
    huffman: dict[int, bytes] = {}
    for marker, body in segments(streams[0]):
        while marker == 0xDB and body:
            quantised[body[0]], body = body[1:65], body[65:]
        while marker == 0xC4 and body:
            end = 17 + sum(body[1:17])
            huffman[body[0]], body = body[1:end], body[end:]
    places, at, tables = {}, 16, b""
    for name, table in [*quantised.items(), *((0x100 | k, t) for k, t in huffman.items())]:
        places[name] = at + len(tables)
        tables += table
    chunks = [tables, *(scan_of(stream) for stream in streams)]
    starts = np.cumsum([16, *map(len, chunks)]).tolist()
    more: dict[str, Any] = {
        "t262": ("H", [6]),
        "t530": ("H", factors),
        "t273": ("Q", starts[1:-1]),
        "t279": ("Q", [len(chunk) for chunk in chunks[1:]]),
        "t278": ("I", [heights[0]]),
        "t512": ("H", [1]),
        "t519": ("I", [places[0], places[1], places[1]]),
        "t520": ("I", [places[0x100], places[0x101], places[0x101]]),
        "t521": ("I", [places[0x110], places[0x111], places[0x111]]),
    }
    return tiff_bytes(image_tags((sum(heights), 48, 3), 8, 6, **more), chunks)


@pytest.mark.parametrize("factors", [(2, 2), (2, 1)])
@pytest.mark.parametrize("heights", [[32], [32, 32], [32, 16]])
def test_old_jpeg_with_tables_in_tags(
    tmp_path: Path, factors: tuple[int, int], heights: list[int]
) -> None:
    (tmp_path / "a.tif").write_bytes(old_jpeg_by_tables(factors, heights))
    found = check_with_gdal(tmp_path / "a.tif")
    assert (
        abs(found.astype(int) - np.moveaxis(np.vstack([*map(picture, heights)]), 2, 0)).mean() < 9
    )


def test_old_jpeg_with_a_header_of_its_own(tmp_path: Path) -> None:
    stream = imagecodecs.jpeg8_encode(picture(32), level=90, subsampling="420")
    scan = scan_of(stream)
    header = stream[: len(stream) - 2 - len(scan)]
    more = {"t262": ("H", [6]), "t530": ("H", [2, 2]), "t513": ("Q", [16])}
    more |= {"t514": ("Q", [len(header)]), "t273": ("Q", [16 + len(header)])}
    more |= {"t279": ("Q", [len(scan)])}
    tags = image_tags((32, 48, 3), 8, 6, **more)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [header, scan]))
    check_with_gdal(tmp_path / "a.tif")


@pytest.mark.parametrize("missing", [(), (277, 258), (262,), (273, 279), (256, 257, 273, 279, 262)])
def test_old_jpeg_of_a_whole_stream(tmp_path: Path, missing: tuple[int, ...]) -> None:
    stream = imagecodecs.jpeg8_encode(picture(32), level=90)
    more = {"t262": ("H", [6]), "t513": ("Q", [16]), "t514": ("Q", [len(stream)])}
    more |= {f"t{tag}": ("", []) for tag in missing}
    tags = image_tags((32, 48, 3), 8, 6, **more)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [stream]))
    expected = tifffile.imread(tmp_path / "a.tif")
    found = values(tmp_path / "a.tif")["band_data"]
    np.testing.assert_array_equal(found, np.moveaxis(expected, 2, 0))


def test_old_jpeg_without_tables_enough(tmp_path: Path) -> None:
    more = {"t262": ("H", [6]), "t519": ("I", [16]), "t520": ("I", [16]), "t521": ("I", [16])}
    tags = image_tags((32, 48, 3), 8, 6, **more)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [bytes(900)]))
    with pytest.raises(CorruptFileError, match="JPEG tables"):
        parse_file(tmp_path / "a.tif")


def test_electron_events(tmp_path: Path) -> None:
    events = random().random((16, 20)) < 0.2
    bits, skip = "", 0
    for event in events.reshape(-1).tolist():
        if event:
            bits += f"{skip:07b}"[::-1] + "0000"
            skip = 0
            continue
        skip += 1
        if skip == 127:
            bits += "1" * 7
            skip = 0
    bits = bits.ljust(len(bits) + -len(bits) % 8, "1")
    strip = int(bits[::-1], 2).to_bytes(len(bits) // 8, "little")
    metadata = {"t65001": ("B", b"<metadata></metadata>")}
    tags = image_tags((16, 20, 1), 1, 65001, **metadata)
    data = bytearray(tiff_bytes(tags, [strip]))
    at = data.index(struct.pack("<HH", 65001, 1))
    data[at + 2] = 7
    (tmp_path / "a.eer").write_bytes(data)
    with tifffile.TiffFile(tmp_path / "a.eer") as tiff:
        expected = tiff.pages[0].asarray()
    np.testing.assert_array_equal(values(tmp_path / "a.eer")["band_data"][0], expected)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    data = np.dstack([picture(64), picture(64)[..., 0]])
    options = {"photometric": "separated", "compression": "jpeg", "tile": (32, 32)}
    tifffile.imwrite(tmp_path / "a.tif", data, metadata=None, **options)
    expected = np.moveaxis(tifffile.imread(tmp_path / "a.tif"), 2, 0)
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"], expected)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_lossless_jpeg(tmp_path: Path, bits: int) -> None:
    data = random().integers(0, 1 << bits, (32, 48)).astype("u1" if bits == 8 else "u2")
    stream = imagecodecs.ljpeg_encode(data, bitspersample=bits)
    tags = image_tags((32, 48, 1), 8 if bits == 8 else 16, 7)
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [bytes(stream)]))
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"][0], data)
