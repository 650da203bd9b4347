"""Images that are one array together, planes without an IFD, and tables that are not whole."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parsers.tiff.by_hand import image_tags, tiff_bytes
from parsers.tiff.test_old_encodings import COLUMNS, ENCODED, ROWS, old_jpeg_by_tables
from parsers.tiff.written import numbers, parse_file, values
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

tifffile = pytest.importorskip("tifffile")
rasterio = pytest.importorskip("rasterio")
imagecodecs = pytest.importorskip("imagecodecs")

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

HERE = Path(__file__).parent
DAMAGED = 150

OME = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {0}>{1}'
PIXELS = (
    '<Image ID="Image:{n}" Name="{name}"><Pixels ID="Pixels:{n}" DimensionOrder="{order}" '
    'SizeX="{x}" SizeY="{y}" SizeZ="{z}" SizeC="{c}" SizeT="{t}" Type="uint16">'
    '<Channel ID="Channel:{n}:0" SamplesPerPixel="1"/>{data}</Pixels></Image>'
)


def ome(*images: str, root: str = "") -> str:
    return OME.format(root, "".join(images) + "</OME>")


def pixels(n: int, order: str, data: str, **sizes: int) -> str:
    every = {"x": 30, "y": 20, "z": 1, "c": 1, "t": 1, **sizes}
    return PIXELS.format(n=n, name=f"image {n}", order=order, data=data, **every)


def write_pages(path: Path, pages: Any, description: str) -> None:
    with tifffile.TiffWriter(path) as tiff:
        for i, page in enumerate(pages):
            text = description if i == 0 else None
            tiff.write(page, description=text, metadata=None, contiguous=False)


def test_several_images_of_ome_xml(tmp_path: Path) -> None:
    shapes = {"TCZYX": (2, 3, 4, 20, 30), "ZCYX": (2, 3, 16, 18), "YX": (20, 30)}
    data = [numbers(shape, "uint16") for shape in shapes.values()]
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        for axes, image in zip(shapes, data, strict=True):
            options = {"photometric": "minisblack", "metadata": {"axes": axes, "Name": axes}}
            tiff.write(image, **options)
    group = parse_file(tmp_path / "a.ome.tif")
    found = values(tmp_path / "a.ome.tif")
    names = list(group.groups)
    assert names == ["0", "24", "30"]
    for name, axes, image in zip(names, shapes, data, strict=True):
        metadata = group.groups[name].arrays["band_data"].metadata
        assert metadata.attributes["long_name"] == axes
        dims = [str(dim).upper() for dim in metadata.dimension_names or ()]
        array = found[f"{name}/band_data"]
        order = [dims.index(axis) for axis in axes]
        extra = [i for i in range(array.ndim) if i not in order]
        np.testing.assert_array_equal(array.transpose(extra + order).reshape(image.shape), image)


def test_planes_of_ome_xml_in_any_order(tmp_path: Path) -> None:
    pages = numbers((6, 20, 30), "uint16") + np.arange(6, dtype="u2").reshape(6, 1, 1)
    cells = [(1, 0), (0, 2), (0, 0), (1, 2), (0, 1), (1, 1)]  # c, z of each page
    data = "".join(
        f'<TiffData FirstC="{c}" FirstZ="{z}" IFD="{i}"/>' for i, (c, z) in enumerate(cells)
    )
    write_pages(tmp_path / "a.tif", pages, ome(pixels(0, "XYZCT", data, z=3, c=2)))
    group = parse_file(tmp_path / "a.tif")
    assert group.arrays["band_data"].metadata.dimension_names == ("t", "c", "z", "y", "x")
    found = values(tmp_path / "a.tif")["band_data"]
    for page, (c, z) in zip(pages, cells, strict=True):
        np.testing.assert_array_equal(found[0, c, z], page)


@pytest.mark.parametrize("by", ["name", "uuid"])
def test_planes_of_one_file_among_others(tmp_path: Path, by: str) -> None:
    pages = numbers((3, 20, 30), "uint16")
    own, other = ("a.tif", "urn:uuid:1"), ("b.tif", "urn:uuid:2")
    data = "".join(
        f'<TiffData FirstC="{c}" FirstZ="{z}" IFD="{z}" PlaneCount="1">'
        f'<UUID FileName="{name}">{uuid}</UUID></TiffData>'
        for c, (name, uuid) in enumerate((other, own))
        for z in range(3)
    )
    root = 'UUID="urn:uuid:1"' if by == "uuid" else ""
    text = ome(pixels(0, "XYZCT", data, z=3, c=2), root=root)
    write_pages(tmp_path / "a.tif", pages, text)
    found = values(tmp_path / "a.tif")["band_data"]
    assert found.shape == (1, 1, 3, 20, 30)
    np.testing.assert_array_equal(found[0, 0], pages)


@pytest.mark.parametrize(
    "data",
    [
        '<TiffData IFD="0" PlaneCount="3"/>',
        '<TiffData IFD="0" PlaneCount="77"/>',
        '<TiffData IFD="0" FirstZ="9"/>',
        '<TiffData IFD="x"/>',
        '<TiffData IFD="0"/><TiffData IFD="0"/>',
    ],
)
def test_ome_xml_that_contradicts_the_file_names_no_axes(tmp_path: Path, data: str) -> None:
    pages = numbers((2, 20, 30), "uint16")
    write_pages(tmp_path / "a.tif", pages, ome(pixels(0, "XYZCT", data, z=3)))
    found = values(tmp_path / "a.tif")["band_data"]
    assert found.shape == (2, 1, 20, 30)
    np.testing.assert_array_equal(found[:, 0], pages)


def test_lsm_and_its_thumbnails(tmp_path: Path) -> None:
    data = numbers((3, 2, 20, 30), "uint8")
    thumbs = numbers((3, 8, 9, 3), "uint8")
    extra = [(34412, 1, 4, b"\x4c\x49\x00\x04", True), (317, 3, 1, 2, True)]
    with tifffile.TiffWriter(tmp_path / "a.lsm") as tiff:
        for image, thumb in zip(data, thumbs, strict=True):
            options = {"planarconfig": "separate", "photometric": "rgb", "metadata": None}
            tiff.write(image, extratags=extra, **{**options, "photometric": "minisblack"})
            tiff.write(thumb, subfiletype=1, photometric="rgb", metadata=None)
    found = values(tmp_path / "a.lsm")
    np.testing.assert_array_equal(found["0/band_data"], data)
    np.testing.assert_array_equal(found["1/band_data"], np.moveaxis(thumbs, 3, 1))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (1, 16, 16)])
def test_volumes(tmp_path: Path, tile: Any, planar: str) -> None:
    data = numbers((3, 5, 33, 20), "uint16")
    stored = data if planar == "separate" else np.moveaxis(data, 0, -1)
    options = {"photometric": "rgb", "planarconfig": planar, "compression": "zlib"}
    tifffile.imwrite(
        tmp_path / "a.tif", stored, volumetric=True, tile=tile, metadata=None, **options
    )
    expected = tifffile.imread(tmp_path / "a.tif")
    np.testing.assert_array_equal(expected, stored)
    found = values(tmp_path / "a.tif")["band_data"]
    np.testing.assert_array_equal(found, np.moveaxis(data, 0, 1))


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate", None])
@pytest.mark.parametrize(("depth", "thickness"), [(32, 16), (21, 16), (5, 16)])
def test_tiles_of_several_slices(
    tmp_path: Path, depth: int, thickness: int, planar: str | None, byteorder: str
) -> None:
    data = numbers((3, depth, 40, 50), "uint16")
    options: dict[str, Any] = {"photometric": "rgb", "planarconfig": planar}
    stored = data if planar == "separate" else np.moveaxis(data, 0, -1)
    if planar is None:
        data, stored, options = data[:1], data[0], {"photometric": "minisblack"}
    tile = (thickness, 16, 32)
    options |= {"volumetric": True, "tile": tile, "metadata": None, "byteorder": byteorder}
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), stored)
    found = values(tmp_path / "a.tif")["band_data"]
    np.testing.assert_array_equal(found, np.moveaxis(data, 0, 1))


def test_compressed_tiles_of_several_slices_are_refused_by_name(tmp_path: Path) -> None:
    data = numbers((32, 32, 32), "uint8")
    options = {"volumetric": True, "tile": (16, 16, 16), "metadata": None, "compression": "zlib"}
    tifffile.imwrite(tmp_path / "a.tif", data, **options)
    with pytest.raises(UnsupportedFeatureError, match="compressed tiles of 16 slices"):
        parse_file(tmp_path / "a.tif")


def stack(planes: int, held: int, compression: int = 1) -> tuple[bytes, Any]:
    data = numbers((held, 20, 30), "uint16")
    strips = [data[0, :8].tobytes(), data[0, 8:16].tobytes(), data[0, 16:].tobytes()]
    starts = np.cumsum([16, *map(len, strips)]).tolist()[:-1]
    more: dict[str, Any] = {
        "t278": ("I", [8]),
        "t273": ("Q", starts),
        "t279": ("Q", [len(strip) for strip in strips]),
        "t33629": ("Q", [1] * planes),
    }
    tags = image_tags((20, 30, 1), 16, compression, **more)
    return tiff_bytes(tags, [data.tobytes()]), data


def test_metamorph_stacks(tmp_path: Path) -> None:
    content, data = stack(5, 5)
    (tmp_path / "a.stk").write_bytes(content)
    np.testing.assert_array_equal(values(tmp_path / "a.stk")["band_data"][:, 0], data)


def test_metamorph_stacks_that_are_cut_or_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.stk").write_bytes(stack(50, 5)[0])
    with pytest.raises(CorruptFileError, match="50 planes"):
        parse_file(tmp_path / "a.stk")
    (tmp_path / "a.stk").write_bytes(stack(5, 5, compression=5)[0])
    with pytest.raises(UnsupportedFeatureError, match="MetaMorph"):
        parse_file(tmp_path / "a.stk")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_an_image_cut_out_of_an_imagej_stack(tmp_path: Path, compression: str | None) -> None:
    data = numbers((20, 30), "uint16")
    text = "ImageJ=1.11a\nimages=500\nslices=500\n"
    options = {"metadata": None, "description": text, "compression": compression}
    tifffile.imwrite(tmp_path / "a.tif", data, **options)
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"][0], data)


def strips(path: Path, compression: int, **more: Any) -> Any:
    """Write an image of five strips, and return it."""
    data = numbers((20, 30), "uint8")
    encode = {1: bytes, 5: imagecodecs.lzw_encode, 8: imagecodecs.zlib_encode}[compression]
    chunks = [bytes(encode(data[i : i + 4].tobytes())) for i in range(0, 20, 4)]
    tags = image_tags((20, 30, 1), 8, compression, **{"t278": ("I", [4]), **more})
    path.write_bytes(tiff_bytes(tags, chunks))
    return data


@pytest.mark.parametrize("compression", [1, 5, 8])
def test_strips_without_byte_counts(tmp_path: Path, compression: int) -> None:
    data = strips(tmp_path / "a.tif", compression, t279=("", []))
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"][0], data)


def test_one_strip_whose_byte_count_is_zero(tmp_path: Path) -> None:
    data = numbers((20, 30), "uint8")
    tags = image_tags((20, 30, 1), 8, 8, t279=("Q", [0]))
    chunk = bytes(imagecodecs.zlib_encode(data.tobytes()))
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [chunk]))
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"][0], data)


def test_tables_that_are_too_short_end_in_strips_that_are_not_stored(tmp_path: Path) -> None:
    data = strips(tmp_path / "a.tif", 8)
    size = len((tmp_path / "a.tif").read_bytes())
    content = bytearray((tmp_path / "a.tif").read_bytes())
    for tag in (273, 279):
        at = content.index(struct.pack("<HHQ", tag, 16, 5))
        content[at : at + 12] = struct.pack("<HHQ", tag, 16, 3)
    (tmp_path / "a.tif").write_bytes(content)
    assert len(content) == size
    found = values(tmp_path / "a.tif")["band_data"][0]
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(found, dataset.read(1))
    np.testing.assert_array_equal(found[:12], data[:12])
    assert parse_file(tmp_path / "a.tif").arrays["band_data"].manifest.nrefs == 3


def test_one_offset_for_strips_that_are_in_one_piece(tmp_path: Path) -> None:
    data = strips(tmp_path / "a.tif", 1, t273=("Q", [16]), t279=("Q", [120]))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), data)
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"][0], data)


@pytest.mark.parametrize("software", ["Philips DP v1.1", "ISS Vista"])
def test_a_depth_that_the_writer_did_not_mean(tmp_path: Path, software: str) -> None:
    more: dict[str, Any] = {"t32997": ("I", [7]), "t305": ("s", software.encode() + b"\0")}
    data = strips(tmp_path / "a.tif", 8, **more)
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"][0], data)


def test_floats_that_indica_labs_does_not_call_so(tmp_path: Path) -> None:
    data = numbers((20, 30), "float32")
    tags = image_tags((20, 30, 1), 32, 1, t305=("s", b"IndicaLabsImageWriter v1\0"))
    (tmp_path / "a.tif").write_bytes(tiff_bytes(tags, [data.tobytes()]))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), data)
    np.testing.assert_array_equal(values(tmp_path / "a.tif")["band_data"][0], data)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_damaged_copies_of_odd_files(tmp_path: Path) -> None:
    content, _ = stack(5, 5)
    (tmp_path / "stack.stk").write_bytes(content)
    text = ome(
        pixels(0, "XYZCT", '<TiffData IFD="0" PlaneCount="3"/>', z=3),
        pixels(1, "XYZCT", '<TiffData IFD="3"/>'),
    )
    write_pages(tmp_path / "ome.tif", numbers((4, 20, 30), "uint16"), text)
    volume = numbers((5, 33, 20), "uint16")
    options = {"compression": "zlib", "metadata": None, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "volume.tif", volume, volumetric=True, **options)
    for name in ("next", "LogLuv 2 16"):
        strip, samples, bits, compression, more = ENCODED[name]()
        tags = image_tags((ROWS, COLUMNS, samples), bits, compression, **more)
        (tmp_path / f"{name[:4]}.tif").write_bytes(tiff_bytes(tags, [strip]))
    (tmp_path / "old.tif").write_bytes(old_jpeg_by_tables((2, 2), [32, 16]))
    paths = sorted(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(HERE / "parser_fuzz.py"), str(DAMAGED)],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(HERE.parents[1])},
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [name for name, _, _ in lines] == [path.name for path in paths]
    known = {"CorruptFileError", "UnsupportedFeatureError", "UnknownFormatError"}
    for name, outcomes, peak in lines:
        assert outcomes.keys() <= known | {"decoded", "not decoded"}, name
        assert sum(outcomes.values()) == DAMAGED
        assert peak < 64 << 20, name
