"""Seeds of the formats that consist of references or of many files: their stores, made small."""

from __future__ import annotations

import base64
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pyarrow.parquet as pq
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, TransposeCodec

import virtualizarr
from netcdf_archive import month, write_netcdf4
from virtualizarr.parsers.icechunk.files import HEADER, UNCOMPRESSED, ZSTD

type Builder = Callable[[Path], None]


def virtual(folder: Path) -> xr.Dataset:
    """Return two months of references into files that lie, undamaged, in `folder`."""
    paths = [write_netcdf4(month(n), folder / f"data-{n}.nc") for n in range(2)]
    combining: dict[str, Any] = {"data_vars": "minimal", "coords": "minimal", "compat": "override"}
    return virtualizarr.open_virtual_mfdataset(paths, join="outer", **combining)


def kerchunk_json(folder: Path) -> None:
    virtual(folder).vz.to_kerchunk(folder / "refs.json", format="json")


def kerchunk_json_3(folder: Path) -> None:
    virtual(folder).vz.to_kerchunk(folder / "refs.json", format="json", zarr_format=3)


def kerchunk_templates(folder: Path) -> None:
    """Write references with templates, `gen` entries, nested groups and inline chunks."""
    data = folder / "data-bytes"
    data.write_bytes(np.arange(60, dtype="<i2").tobytes())
    array = {"zarr_format": 2, "shape": [6, 5], "chunks": [1, 5], "dtype": "<i2", "order": "C"}
    array |= {"compressor": None, "filters": None, "fill_value": -1}
    inline = base64.b64encode(np.arange(5, dtype="<i2").tobytes()).decode()
    refs = {
        ".zgroup": '{"zarr_format": 2}',
        ".zattrs": {"title": "made"},
        "v/.zarray": json.dumps(array),
        "v/.zattrs": '{"_ARRAY_DIMENSIONS": ["y", "x"], "scale_factor": 0.5}',
        "v/5.0": f"base64:{inline}",
        "g/.zgroup": '{"zarr_format": 2}',
        "g/w/.zarray": array | {"order": "F", "dimension_separator": "/", "chunks": [3, 5]},
        "g/w/0/0": ["{{u}}", 0, 30],
        "g/w/1/0": ["{{f(x='bytes')}}", 30, 30],
    }
    gen = {"key": "v/{{i}}.0", "url": "{{u}}", "offset": "{{(i + 1) * 10}}", "length": "10"}
    document = {
        "version": 1,
        "templates": {"u": str(data), "f": f"{folder}/data-{{{{x}}}}"},
        "gen": [{**gen, "dimensions": {"i": {"start": 0, "stop": 4}}}],
        "refs": refs,
    }
    (folder / "templates.json").write_text(json.dumps(document))


def kerchunk_parquet(folder: Path) -> None:
    target = folder / "refs.parquet"
    virtual(folder).vz.to_kerchunk(target, format="parquet", record_size=10)
    uncompressed(target)


def uncompressed(folder: Path) -> None:
    """Write Parquet files anew without compression, so that damage reaches what is in them."""
    for path in sorted(folder.rglob("*.parq*")):
        if path.is_file():
            pq.write_table(pq.read_table(path), path, compression="none", use_dictionary=False)


def chunk_manifest(folder: Path, columnar: bool) -> None:
    from virtualizarr.writers import zarr as writer

    writer.write(virtual(folder).vz.to_group(), folder / "store.zarr", columnar=columnar)


def chunk_manifest_json(folder: Path) -> None:
    chunk_manifest(folder, columnar=False)


def chunk_manifest_parquet(folder: Path) -> None:
    chunk_manifest(folder, columnar=True)
    uncompressed(folder / "store.zarr")


def icechunk_repository(folder: Path) -> None:
    """Write a repository of virtual, native and inline chunks, and one without compression."""
    target = folder / "repo.icechunk"
    virtual(folder).vz.to_icechunk(target)
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(target)))
    session = repository.writable_session("main")
    native = zarr.open_group(session.store).create_array(
        "native", shape=(300,), chunks=(100,), dtype="f8", compressors=None
    )
    native[:200] = np.arange(200.0)
    session.commit("native chunks")
    plain = folder / "plain.icechunk"
    shutil.copytree(target, plain)
    for path in plain.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if data.startswith(b"ICE") and len(data) > HEADER and data[HEADER - 1] == ZSTD:
                head = data[: HEADER - 1] + bytes([UNCOMPRESSED])
                path.write_bytes(head + expanded(data[HEADER:]))


def expanded(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().stream_reader(data).read()


NUMBERS = np.arange(60).reshape(6, 10)
ARRAYS_2: Mapping[str, dict[str, Any]] = {
    "plain": {"data": NUMBERS.astype("<f4"), "compressors": None},
    "blosc": {"data": NUMBERS.astype("<i4")},
    "order_f": {"data": NUMBERS.astype(">i2"), "order": "F"},
    "text": {"data": np.array([b"a", b"bc"], "S3")},
    "times": {"data": np.arange(5).astype("<M8[s]")},
    "scalar": {"data": np.array(4, "i8")},
    "records": {"data": np.array([(1, 2.5)], [("a", "<i4"), ("b", "<f8")])},
}
ARRAYS_3: Mapping[str, dict[str, Any]] = {
    "plain": {"data": NUMBERS.astype("f4"), "compressors": None},
    "zstd": {"data": NUMBERS},
    "several": {"data": NUMBERS, "compressors": [BloscCodec(), GzipCodec(), Crc32cCodec()]},
    "turned": {"data": NUMBERS, "filters": TransposeCodec(order=(1, 0))},
    "sharded": {"data": NUMBERS, "shards": (6, 4), "chunks": (3, 2)},
    "sharded_plain": {"data": NUMBERS, "shards": (4, 4), "chunks": (2, 2), "compressors": None},
    "scalar": {"data": np.array(4, "i8")},
    "words": {"data": np.array(["é", "a longer one", ""], "T")},
}


def write_arrays(path: Path, arrays: Mapping[str, dict[str, Any]], zarr_format: Any) -> Path:
    root = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    root.attrs["title"] = "made"
    deep = root.create_group("deep")
    for number, (name, settings) in enumerate(arrays.items()):
        data = settings["data"]
        chunks = tuple(max(1, (n + 1) // 2) for n in data.shape)
        options = {"chunks": chunks, **settings}
        del options["data"]
        array = (deep if number % 2 else root).create_array(
            name, shape=data.shape, dtype=data.dtype, **options
        )
        array[...] = data
    return path


def zarr_directories(folder: Path) -> None:
    write_arrays(folder / "v2.zarr", ARRAYS_2, 2)
    write_arrays(folder / "v3.zarr", ARRAYS_3, 3)
    for version in (2, 3):
        copy = folder / f"consolidated{version}.zarr"
        shutil.copytree(folder / f"v{version}.zarr", copy)
        zarr.consolidate_metadata(copy, zarr_format=version)


def zarr_zips(folder: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for version, arrays in ((2, ARRAYS_2), (3, ARRAYS_3)):
            place = write_arrays(folder / "data-store", arrays, version)
            with zipfile.ZipFile(folder / f"v{version}-{method}.zip", "w", method) as archive:
                for path in sorted(place.rglob("*")):
                    if path.is_file():
                        archive.write(path, path.relative_to(place))
            shutil.rmtree(place)


def safe_products(folder: Path) -> None:
    """Write products of Sentinel-1 and Sentinel-2, their rasters included."""
    from parsers.safe.test_products import sentinel1, sentinel2  # GDAL is slow to import

    sentinel1(folder / "one.SAFE")
    sentinel2(folder / "two.SAFE")
