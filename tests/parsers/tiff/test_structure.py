"""IFD chains, SubIFDs, rounds, and files that are broken on purpose."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from parsers.tiff.written import parse_file
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.tiff import TIFFParser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

tifffile = pytest.importorskip("tifffile")

URL = "memory://a.tif"
SHORT, LONG = 3, 4

type Entry = tuple[int, int, int, int]


def parse_bytes(data: bytes, **options: object) -> ManifestGroup:
    return run(TIFFParser(**options).parse(URL), BytesSource(data, URL))  # type: ignore[arg-type]


def ifd(entries: list[Entry], following: int) -> bytes:
    """Return the bytes of a little-endian classic IFD of (tag, type, count, value)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


def image(width: int = 4, length: int = 4, offset: int = 8, **tags: int) -> list[Entry]:
    """Return the entries of a plain image of bytes, with further tags as `t254=1`."""
    entries = {256: width, 257: length, 258: 8, 262: 1, 273: offset, 278: length}
    entries |= {279: width * length & 0xFFFFFFFF}
    entries |= {int(tag[1:]): value for tag, value in tags.items()}
    return [(tag, LONG, 1, value) for tag, value in sorted(entries.items())]


def file_of(ifds: list[list[Entry]], *, at: int = 1024, loop_to: int | None = None) -> bytes:
    """Return a file with pixels at 8 and IFDs from `at` on, 512 bytes apart."""
    data = bytearray(b"II" + struct.pack("<HI", 42, at)).ljust(at, b"\1")
    for i, entries in enumerate(ifds):
        last = i + 1 == len(ifds)
        following = (loop_to if loop_to is not None else 0) if last else at + 512 * (i + 1)
        data += ifd(entries, following).ljust(512, b"\0")
    return bytes(data)


def test_a_minimal_file() -> None:
    array = parse_bytes(file_of([image()])).arrays["band_data"]
    assert array.shape == (1, 4, 4)
    assert array.manifest.dict() == {"0.0.0": {"path": URL, "offset": 8, "length": 16}}
    assert [codec["name"] for codec in array.metadata.codecs] == ["bytes"]


@pytest.mark.parametrize("to", [1024, 1536])
def test_a_chain_that_runs_in_a_circle(to: int) -> None:
    with pytest.raises(CorruptFileError, match="circle"):
        parse_bytes(file_of([image(), image()], loop_to=to))


def test_subifds_that_point_at_their_parent() -> None:
    with pytest.raises(CorruptFileError, match="circle"):
        parse_bytes(file_of([image(t330=1024)]))


def test_subifds_without_end() -> None:
    count = 12
    entries = [image(t330=1024 + 512 * (i + 1)) for i in range(count)]
    data = bytearray(file_of(entries))
    for i in range(count):
        end = 1024 + 512 * i + 2 + 12 * len(entries[i])
        data[end : end + 4] = bytes(4)
    with pytest.raises(CorruptFileError, match="levels deep"):
        parse_bytes(bytes(data))


def test_ifds_that_lie_over_one_another() -> None:
    data = bytearray(file_of([image()]))
    data[1024:1026] = struct.pack("<H", 40)
    data += bytes(2000)
    place = 1024 + 2 + 40 * 12
    data[place : place + 4] = struct.pack("<I", 1026)
    with pytest.raises(VirtualizeError):
        parse_bytes(bytes(data))


def test_a_million_pixels_declared_and_none_there() -> None:
    with pytest.raises(CorruptFileError, match="truncated"):
        parse_bytes(file_of([image(width=1 << 20, length=1 << 11)]))


def test_the_error_names_ifd_and_byte() -> None:
    with pytest.raises(CorruptFileError) as caught:
        parse_bytes(file_of([image(), image(width=0)]))
    assert (caught.value.url, caught.value.node, caught.value.at) == (URL, "IFD 1", 1536)


def test_images_that_cannot_be_read_are_named_where_they_are_skipped() -> None:
    data = file_of([image(), image(t259=9)])
    with pytest.raises(UnsupportedFeatureError, match="JBIG"):
        parse_bytes(data)
    group = parse_bytes(data, errors="skip")
    assert group.arrays["band_data"].shape == (1, 4, 4)
    (reason,) = group.attributes["skipped"]
    assert "IFD 1" in reason
    assert "JBIG" in reason


TILED = {"t322": 16, "t323": 16, "t324": 8, "t325": 256}


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        ({"t259": 34661}, "JBIG"),
        ({"t259": 4711}, "4711"),
        ({"t317": 9}, "predictor 9"),
        ({"t339": 77}, "format 77"),
        ({"t258": 99}, "uint99"),
        ({**TILED, "t32998": 3, "t259": 8}, "compressed tiles of 3 slices"),
        ({"t259": 34677}, "SGI Log"),
        ({"t259": 32766}, "'uint8' with compression 'next'"),
    ],
)
def test_refused_by_name(tags: dict[str, int], named: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=named):
        parse_bytes(file_of([image(**tags)]))


def test_thick_tiles_of_many_slices_cost_nothing() -> None:
    tags = {**TILED, "t32997": 131071, "t32998": 131071, "t322": 1, "t323": 1}
    with pytest.raises(UnsupportedFeatureError, match="a volume of 131071 slices"):
        parse_bytes(file_of([image(width=200, length=200, **tags)]))


def test_a_table_much_too_short_costs_nothing() -> None:
    tables = {"t279": 8, "t322": 16, "t323": 16, "t324": 8}
    with pytest.raises(CorruptFileError, match="1 offsets for 4294967296"):
        parse_bytes(file_of([image(width=1 << 20, length=1 << 20, **tables)]))


def test_a_head_with_all_ifds_takes_two_rounds_at_most() -> None:
    source = BytesSource(file_of([image(), image()]), URL)
    run(TIFFParser().parse(URL), source)
    assert source.rounds <= 3
    source = BytesSource(file_of([image(), image()]), URL)
    run(TIFFParser().parse(URL), CachingSource(source))
    assert source.rounds == 1


def test_ifds_at_the_end_take_two_rounds() -> None:
    data = file_of([image(), image(), image()], at=12_000_000)
    source = BytesSource(data, URL)
    run(TIFFParser().parse(URL), CachingSource(source))
    assert source.rounds <= 3
    assert source.bytes_read < 3_000_000


def test_pages_at_even_distances_are_asked_for_together(tmp_path: Path) -> None:
    pages = np.zeros((400, 128, 128), "uint16")
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        for page in pages:
            tiff.write(page, contiguous=False, metadata=None)
    source = BytesSource(path.read_bytes(), URL)
    group = run(TIFFParser().parse(URL), source)
    assert group.arrays["band_data"].shape == (400, 1, 128, 128)
    assert source.rounds < 20


def test_a_file_of_unknown_size() -> None:
    source = BytesSource(file_of([image(), image(t330=0)]), URL, FileFacts())
    assert run(TIFFParser().parse(URL), source).arrays["band_data"].shape == (2, 1, 4, 4)


def test_bits_flipped_anywhere_give_errors_of_our_tree(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    data = np.arange(64 * 96, dtype="u2").reshape(64, 96)
    options = {"compression": "zlib", "tile": (16, 16), "photometric": "minisblack"}
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiff.write(data, subifds=1, description="<OME", metadata=None, **options)
        tiff.write(data[::2, ::2], subfiletype=1, metadata=None, **options)
    whole = path.read_bytes()
    random = np.random.default_rng(3)
    outcomes = set()
    urls = set()
    for _ in range(2000):
        damaged = bytearray(whole)
        for at in random.integers(0, 1200, random.integers(1, 4)):
            damaged[at] = random.integers(0, 256)
        try:
            parse_bytes(bytes(damaged))
            outcomes.add("parsed")
        except VirtualizeError as error:
            urls.add(error.url)
            outcomes.add(type(error).__name__)
    assert urls == {URL}
    assert {"parsed", "CorruptFileError", "UnsupportedFeatureError"} <= outcomes


def test_uncompressed_strips_are_merged(tmp_path: Path) -> None:
    data = np.arange(100 * 50, dtype="<i2").reshape(100, 50)
    tifffile.imwrite(tmp_path / "a.tif", data, rowsperstrip=7, metadata=None)
    array = parse_file(tmp_path / "a.tif").arrays["band_data"]
    assert array.manifest.nrefs == 1
    assert [codec["name"] for codec in array.metadata.codecs] == ["bytes"]
