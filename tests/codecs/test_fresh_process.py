"""Every codec that the package registers, read in a process that only did `import zarr`.

Each sample is an array whose chunks lie in a file. It is written as a Zarr v3 store and as kerchunk
references of Zarr v2; both are read in a new process and compared with what another library says.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tomllib
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from h5py import h5d, h5p, h5s, h5t, h5z
from zarr.buffer import default_buffer_prototype

import gdal_files
import virtualizarr
from codec_witness import compressible
from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray, ManifestGroup
from virtualizarr.parsers.base import Parser
from virtualizarr.parsers.fits import FITSParser
from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.parsers.jpeg2000 import JPEG2000Parser
from virtualizarr.parsers.tiff import TIFFParser
from virtualizarr.store import ManifestStore
from virtualizarr.testing import parse_file, same_values
from virtualizarr.writers import kerchunk

pytest.importorskip("imagecodecs")
hdf5plugin = pytest.importorskip("hdf5plugin")

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
ENTRY_POINTS = tomllib.loads(PROJECT.read_text())["project"]["entry-points"]
V3, V2 = ENTRY_POINTS["zarr.codecs"], ENTRY_POINTS["numcodecs.codecs"]
ONLY_V3 = {"virtualizarr.crop"}
"""Array-to-array codecs that Zarr v2 cannot express."""

SERVER = """
import os, sys, traceback, zarr

def read(v3, references, out):
    found = {"v3": zarr.open_group(v3, mode="r", zarr_format=3)["a"][...]}
    if references:
        options = {"fo": references, "remote_protocol": "file"}
        store = zarr.storage.FsspecStore.from_url("reference://", options, read_only=True)
        found["v2"] = zarr.open_group(store, mode="r", zarr_format=2)["a"][...]
    import numpy
    numpy.savez(out, **found)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            read(*line.rstrip("\\n").split("|"))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""A process that imported zarr and nothing else; every line is read by a copy of it."""

type Sample = tuple[ManifestArray, Any]
type Reader = Callable[[Path, str, Path], Mapping[str, Any]]


def from_parser(parser: Parser, path: Path, array: str) -> ManifestArray:
    found = parse_file(parser, path)[array]
    assert isinstance(found, ManifestArray)
    return found


def opened(path: Path) -> ManifestArray:
    found = virtualizarr.parse(str(path))["a"]
    assert isinstance(found, ManifestArray)
    return found


def one_chunk(
    place: Path, name: str, configuration: Mapping[str, Any], stored: bytes, expected: Any
) -> Sample:
    """Return an array of one chunk that is stored as `stored` and decoded by one codec of ours."""
    path = place / "chunk.bin"
    path.write_bytes(stored)
    metadata = ArrayMetadata.create(
        shape=expected.shape,
        dtype=expected.dtype,
        chunk_shape=expected.shape,
        codecs=[{"name": name, "configuration": dict(configuration)}],
    )
    offset = np.zeros((1,) * expected.ndim, np.uint64)
    manifest = ChunkManifest.single_file(Location(path.as_uri()), offset, len(stored))
    return ManifestArray(metadata, manifest), expected


def hdf5(place: Path, dtype: str = "<i4", **plan: Any) -> Sample:
    values = compressible((60, 50), dtype)
    with h5py.File(place / "a.h5", "w") as file:
        file.create_dataset("a", data=values, chunks=(20, 25), **plan)
    return from_parser(HDFParser(), place / "a.h5", "a"), values


def of_precision(place: Path, filters: Mapping[int, tuple[int, ...]]) -> Sample:
    """Integers of 19 bits from the third on, which libhdf5 reads."""
    stored = h5t.STD_I32BE.copy()
    stored.set_precision(19)
    stored.set_offset(3)
    create = h5p.create(h5p.DATASET_CREATE)
    create.set_chunk((7, 5))
    for number, client_data in filters.items():
        create.set_filter(number, h5z.FLAG_MANDATORY, client_data)
    values = np.arange(-115, 138, dtype="i4").reshape(23, 11) * 4
    with h5py.File(place / "a.h5", "w") as file:
        dataset = h5d.create(file.id, b"a", stored, h5s.create_simple((23, 11)), create)
        dataset.write(h5s.ALL, h5s.ALL, values)
    with h5py.File(place / "a.h5") as file:
        expected = file["a"][...]
    return from_parser(HDFParser(), place / "a.h5", "a"), expected


def optional_filters(place: Path) -> Sample:
    values = np.arange(400, dtype="<i4") // 50
    values[100:200] = np.random.default_rng(0).integers(0, 1 << 31, 100)
    with h5py.File(place / "a.h5", "w") as file:
        file.create_dataset("a", data=values, chunks=(100,), compression="lzf", shuffle=True)
    return from_parser(HDFParser(), place / "a.h5", "a"), values


def record(place: Path) -> Sample:
    values = np.zeros(30, [("n", ">i4"), ("x", "<f8")])
    values["n"], values["x"] = np.arange(30), np.arange(30) / 3
    packed = values.astype([("n", "<i4"), ("x", "<f8")])
    pieces = [[0, 4, 1, "swap"], [4, 8, 1, "copy"]]
    configuration = {"itemsize": 12, "pieces": pieces}
    return one_chunk(place, "virtualizarr.record", configuration, values.tobytes(), packed)


def crop(place: Path) -> Sample:
    values = np.arange(40, dtype="<i4").reshape(10, 4)
    stored = {"name": "virtualizarr.crop", "configuration": {"stored_shape": [10, 4]}}
    array, _ = one_chunk(place, "virtualizarr.crop", {}, values.tobytes(), values[:6])
    codecs = (stored, {"name": "bytes", "configuration": {"endian": "little"}})
    return array.rebuilt(array.metadata.replace(codecs=codecs), array.manifest), values[:6]


def field(place: Path) -> Sample:
    fits = pytest.importorskip("astropy.io.fits")
    columns = [
        fits.Column("n", "J", array=np.arange(90)),
        fits.Column("t", "5A", array=[f"t {n}" for n in range(90)]),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(place / "a.fits")
    with fits.open(place / "a.fits") as hdus:
        expected = np.array(hdus[1].data["t"]).astype("S5")
    return from_parser(FITSParser(), place / "a.fits", "1/t"), expected


def fits_tile(place: Path) -> Sample:
    fits = pytest.importorskip("astropy.io.fits")
    values = np.random.default_rng(0).normal(size=(60, 50)).astype("f4")
    image = fits.CompImageHDU(values, quantize_method=1, dither_seed=7, tile_shape=(16, 50))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(place / "a.fits")
    with fits.open(place / "a.fits") as hdus:
        expected = np.array(hdus[1].data)
    return from_parser(FITSParser(), place / "a.fits", "COMPRESSED_IMAGE"), expected


def hdf4(place: Path, *coder: int, nbit: bool = False) -> Sample:
    files = pytest.importorskip("hdf4_files")
    values = files.numbers((40, 30), "i2")
    file = files.open_new(place / "a.hdf")
    variable = files.create(file, "a", values)
    if nbit:
        files.set_nbit(variable, 9, 10, 1, 0)
    else:
        variable.setcompress(*coder)
    variable[:] = values
    variable.endaccess()
    file.end()
    expected = files.values_of(place / "a.hdf")[0][0][1]
    return from_parser(HDF4Parser(), place / "a.hdf", "a"), expected


def hdf4_raster(place: Path) -> Sample:
    """Runs of no values and of some, and values as they are."""
    values = np.repeat(np.arange(12, dtype="u1"), 5).reshape(6, 10)
    stored = b"".join(bytes([0x80 | 5, value]) for value in range(11)) + bytes([5, *[11] * 5])
    configuration = {"shape": [6, 10, 1], "method": "rle"}
    return one_chunk(place, "virtualizarr.hdf4_raster", configuration, stored, values)


def hdf4_szip(place: Path) -> Sample:
    import imagecodecs

    values = (np.arange(512) // 5).astype(">u2")
    mask = 4 | 32 | 16
    stored = bytes(imagecodecs.szip_encode(values, mask, 16, 16, 256, header=False))
    configuration = {
        "length": 1024,
        "options_mask": mask,
        "pixels_per_block": 16,
        "bits_per_pixel": 16,
        "pixels_per_scanline": 256,
    }
    return one_chunk(place, "virtualizarr.hdf4_szip", configuration, stored, values)


def grib(place: Path) -> Sample:
    eccodes = pytest.importorskip("eccodes")
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    count = eccodes.codes_get_size(handle, "values")
    eccodes.codes_set_values(handle, np.sin(np.arange(count)) * 30)
    expected = eccodes.codes_get_values(handle)
    (place / "a.grib").write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    (array,) = (
        array
        for _, array in parse_file(GRIBParser(), place / "a.grib").walk_arrays()
        if any(codec["name"] == "virtualizarr.grib" for codec in array.metadata.codecs)
    )
    return array, expected.reshape(array.shape).astype(array.dtype)


def grib_coordinates(place: Path) -> Sample:
    eccodes = pytest.importorskip("eccodes")
    handle = eccodes.codes_grib_new_from_samples("polar_stereographic_sfc_grib2")
    latitudes = eccodes.codes_get_array(handle, "latitudes")
    (place / "a.grib").write_bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    arrays = dict(parse_file(GRIBParser(), place / "a.grib").walk_arrays())
    array = next(array for path, array in arrays.items() if path.endswith("latitude"))
    return array, latitudes.reshape(array.shape)


def tiff(place: Path) -> Sample:
    tifffile = pytest.importorskip("tifffile")
    values = compressible((100, 80), "u2")
    options = {"compression": "lzw", "predictor": True, "tile": (32, 32)}
    tifffile.imwrite(place / "a.tif", values, **options)
    group = parse_file(TIFFParser(), place / "a.tif")
    (array,) = (array for _, array in group.walk_arrays() if array.ndim >= 2)
    return array, values.reshape(array.shape)


def zip_member(place: Path) -> Sample:
    import zipfile

    values = compressible((60, 50), "<i4")
    store = zarr.storage.ZipStore(place / "a.zip", mode="w", compression=zipfile.ZIP_DEFLATED)
    with store:
        zarr.create_group(store).create_array("a", data=values, chunks=(20, 50), compressors=None)
    return opened(place / "a.zip"), values


def direct(name: str, stored: Callable[[Any], bytes], **configuration: Any) -> Any:
    values = compressible((60, 50), "<i4")

    def made(place: Path) -> Sample:
        return one_chunk(place, name, configuration, stored(values), values)

    return made


def vicar_basic(place: Path) -> Sample:
    """Bytes that differ by at most 3, each in the three bits of its difference."""
    differences = np.arange(40) % 7 - 3
    bits = "".join(f"{each + 3:03b}" for each in differences)
    stored = int(bits, 2).to_bytes(len(bits) // 8)
    values = np.cumsum(differences).astype("u1")
    return one_chunk(place, "virtualizarr.vicar_basic", {"samples": 40, "width": 1}, stored, values)


def jpeg2000_tile(place: Path) -> Sample:
    values = gdal_files.numbers((1, 80, 90), "u2", 1)
    options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": "32", "BLOCKYSIZE": "32"}
    gdal_files.written(place / "tiled.jp2", "JP2OpenJPEG", values, **options)
    return from_parser(JPEG2000Parser(), place / "tiled.jp2", "band_data"), values


def shuffled(values: Any) -> bytes:
    return bytes(values.reshape(-1, 1).view("u1").T.tobytes())


def in_part(values: Any) -> bytes:
    """Return the stored part of values that end in zeros."""
    raw = values.copy()
    values[40:] = 0
    return bytes(raw[:40].tobytes())


def deflated(values: Any) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.zlib_encode(values.tobytes()))


SAMPLES: dict[str, Callable[[Path], Sample]] = {
    "bitshuffle": lambda place: hdf5(place, **hdf5plugin.Bitshuffle(cname="lz4")),
    "blosc2": lambda place: hdf5(place, **hdf5plugin.Blosc2()),
    "bounded": direct(
        "virtualizarr.bounded", lambda values: zlib.compress(values), codec="numcodecs.zlib"
    ),
    "crop": crop,
    "field": field,
    "fill_up": direct("virtualizarr.fill_up", in_part, value=[0, 0, 0, 0]),
    "fits_tile": fits_tile,
    "grib": grib,
    "grib_coordinates": grib_coordinates,
    "hdf4_nbit": lambda place: hdf4(place, nbit=True),
    "hdf4_raster": hdf4_raster,
    "hdf4_rle": lambda place: hdf4(place, 1),
    "hdf4_skphuff": lambda place: hdf4(place, 3, 2),
    "hdf4_szip": hdf4_szip,
    "imagecodecs": direct("virtualizarr.imagecodecs", deflated, codec="zlib", options={}),
    "inflate": direct(
        "virtualizarr.inflate", lambda values: zlib.compress(zlib.compress(values)), times=2
    ),
    "jpeg2000_tile": jpeg2000_tile,
    "jpegls": lambda place: hdf5(place, "<u2", **hdf5plugin.FciDecomp()),
    "lz4": lambda place: hdf5(place, **hdf5plugin.LZ4()),
    "lzf": lambda place: hdf5(place, compression="lzf"),
    "nbit": lambda place: of_precision(place, {h5z.FILTER_NBIT: ()}),
    "optional_filters": optional_filters,
    "precision": lambda place: of_precision(place, {}),
    "record": record,
    "scaleoffset": lambda place: hdf5(place, scaleoffset=0),
    "shuffle": direct("virtualizarr.shuffle", shuffled, elementsize=4),
    "strided": direct(
        "virtualizarr.strided",
        lambda values: values.tobytes("F"),
        shape=[60, 50],
        strides=[4, 240],
        itemsize=4,
    ),
    "szip": lambda place: hdf5(place, compression="szip"),
    "tiff": tiff,
    "vicar_basic": vicar_basic,
    "zfp": lambda place: hdf5(place, "<f4", **hdf5plugin.Zfp(reversible=True)),
    "zip_member": zip_member,
}


def test_every_registered_codec_has_a_sample() -> None:
    written = {name for name in V3 if not name.startswith("virtualizarr.checked_")}
    assert {f"virtualizarr.{name}" for name in SAMPLES} == written
    assert written - V2.keys() == ONLY_V3
    assert V2.keys() <= V3.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_read_by_a_process_that_imports_zarr(
    name: str, tmp_path: Path, zarr_process: Reader
) -> None:
    array, expected = SAMPLES[name](tmp_path)
    codec = f"virtualizarr.{name}"
    assert codec in str(array.metadata.codecs)
    group = ManifestGroup({"a": array})
    asyncio.run(copied(ManifestStore(group), tmp_path / "store.zarr"))
    references = ""
    if codec not in ONLY_V3:
        references = str(tmp_path / "references.json")
        kerchunk.write(group, references, format="json")
        assert codec in Path(references).read_text()
    found = zarr_process(tmp_path / "store.zarr", references, tmp_path / "found.npz")
    assert found.keys() == ({"v3", "v2"} if references else {"v3"})
    for way, values in found.items():
        assert close(values, expected), way


def close(values: Any, expected: Any) -> bool:
    """Say whether values are equal, or for computed coordinates within rounding."""
    if values.dtype == np.float64 and values.shape == expected.shape:
        return bool(np.allclose(values, expected, rtol=0, atol=1e-6))
    return same_values(values, expected)


async def copied(store: ManifestStore, place: Path) -> None:
    """Write every document and chunk of a store into a directory."""
    prototype = default_buffer_prototype()
    async for key in store.list():
        found = await store.get(key, prototype)
        assert found is not None
        path = place / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(found.to_bytes())


@pytest.fixture(scope="module")
def zarr_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Return a function that reads a store and references in a copy of that process."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    log = tmp_path_factory.mktemp("zarr") / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):

        def read(store: Path, references: str, out: Path) -> Mapping[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{store}|{references}|{out}\n")
            process.stdin.flush()
            assert process.stdout.readline().strip() == "0", log.read_text()[-3000:]
            with np.load(out) as found:
                return dict(found)

        yield read
        process.communicate()
