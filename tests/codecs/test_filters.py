"""Every filter, written by libhdf5 and its plugins, read by zarr through our codecs."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from codec_witness import (
    CASES,
    SHARED,
    assert_reads_like_hdf5,
    compressible,
    filters_of,
    raw_chunks,
    write_v3,
)
from virtualizarr.codecs.hdf5_filters import FILTERS, codecs_by_filter, filter_codecs
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.testing import parse_file, read_values

hdf5plugin = pytest.importorskip("hdf5plugin")
pytest.importorskip("imagecodecs")

PLANS: dict[str, dict[str, Any]] = {
    "gzip": {"compression": "gzip"},
    "gzip shuffle fletcher32": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "shuffle": {"shuffle": True},
    "fletcher32": {"fletcher32": True},
    "lzf": {"compression": "lzf"},
    "lzf shuffle fletcher32": {"compression": "lzf", "shuffle": True, "fletcher32": True},
    "szip nn": {"compression": "szip"},
    "szip ec": {"compression": "szip", "compression_opts": ("ec", 16)},
    "szip shuffle": {"compression": "szip", "shuffle": True},
    "lz4": dict(hdf5plugin.LZ4()),
    "lz4 blocks": dict(hdf5plugin.LZ4(nbytes=100)),
    "bzip2": dict(hdf5plugin.BZip2()),
    "zstd": dict(hdf5plugin.Zstd()),
    "zstd fletcher32": {**hdf5plugin.Zstd(), "fletcher32": True},
    **{
        f"blosc {cname} {shuffle}": dict(hdf5plugin.Blosc(cname=cname, shuffle=shuffle))
        for cname in ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
        for shuffle in (0, 1, 2)
    },
    **{
        f"bitshuffle {cname} {nelems}": dict(hdf5plugin.Bitshuffle(cname=cname, nelems=nelems))
        for cname in ("none", "lz4", "zstd")
        for nelems in (0, 8, 64)
    },
    "blosc2 lz4": dict(hdf5plugin.Blosc2(cname="lz4")),
    "blosc2 zstd": dict(hdf5plugin.Blosc2(cname="zstd", filters=2)),
}

ZFP = {
    "reversible": {"reversible": True},
    "accuracy": {"accuracy": 0.01},
    "rate": {"rate": 9},
    "precision": {"precision": 12},
    "expert": {"minbits": 3, "maxbits": 5000, "maxprec": 20, "minexp": -5},
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("dtype, shapes", CASES[:2] + CASES[5:7])
def test_values(plan: str, dtype: str, shapes: Any, tmp_path: Path) -> None:
    shape, chunks = shapes
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset(
            "a", data=compressible(shape, dtype), chunks=chunks, **PLANS[plan]
        )
        assert_reads_like_hdf5(tmp_path / "zarr", dataset)


@pytest.mark.parametrize("plan", ["gzip shuffle fletcher32", "fletcher32", "bzip2", "zstd"])
def test_odd_lengths(plan: str, tmp_path: Path) -> None:
    """Single bytes, 171 a chunk: checksums have an odd byte and shuffle has nothing to do."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = compressible((500,), "i1")
        dataset = file.create_dataset("a", data=data, chunks=(171,), **PLANS[plan])
        assert_reads_like_hdf5(tmp_path / "zarr", dataset)


@pytest.mark.parametrize("mode", ZFP)
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<i4", "<i8"])
@pytest.mark.parametrize(
    "shape, chunks", [((70,), (33,)), ((20, 37), (9, 13)), ((6, 7, 9), (3, 5, 9))]
)
def test_zfp(mode: str, dtype: str, shape: Any, chunks: Any, tmp_path: Path) -> None:
    if dtype[1] == "i" and mode == "accuracy":
        pytest.skip("zfp has no accuracy mode for integers")
    values = np.random.default_rng(5).normal(0, 100, shape).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        filters = hdf5plugin.Zfp(**ZFP[mode])
        file.create_dataset("a", data=values, chunks=chunks, **filters)
    with h5py.File(tmp_path / "a.h5") as file:  # anew: libhdf5's cache holds what was not rounded
        assert_reads_like_hdf5(tmp_path / "zarr", file["a"])


@pytest.mark.parametrize(
    "shape, chunks", [((1000,), (1000,)), ((3, 50, 41), (3, 47, 41)), ((3, 2, 4, 5), (2, 2, 4, 5))]
)
@pytest.mark.parametrize("content", ["zeros", "runs", "noise"])
def test_blosc2_frames(shape: Any, chunks: Any, content: str, tmp_path: Path) -> None:
    """Chunks that are not stored because they are zeros, and blocks that overhang a b2nd chunk."""
    noise = np.random.default_rng(0).integers(0, 1 << 31, shape)
    values = {"zeros": np.zeros(shape), "runs": compressible(shape, "<i4"), "noise": noise}[content]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset(
            "a", data=values.astype("<i4"), chunks=chunks, **hdf5plugin.Blosc2()
        )
        assert_reads_like_hdf5(tmp_path / "zarr", dataset)


def test_bytes_that_szip_lost(tmp_path: Path) -> None:
    """Behind a filter that gives no whole pixels: libhdf5 reads what is in its memory there."""
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_chunk((301,))
    create.set_scaleoffset(h5py.h5z.SO_INT, 0)
    create.set_szip(h5py.h5z.SZIP_NN_OPTION_MASK, 8)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((301,))
        made = h5py.h5d.create(file.id, b"a", h5py.h5t.STD_I32LE, space, create)
        h5py.Dataset(made)[...] = np.where(np.arange(301) % 100, 0, 500)
        mask, stored = made.read_direct_chunk((0,))
        assert mask == 0
        assert int.from_bytes(stored[:4], "little") % 4
    with pytest.raises(CorruptFileError, match="szip lost them"):
        read_values(parse_file(HDFParser(), path))


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "<i2"])
@pytest.mark.parametrize(
    "shape, chunks", [((70, 90), (35, 45)), ((3, 20, 30), (3, 20, 30)), ((5, 20, 30), (2, 10, 30))]
)
def test_fcidecomp(dtype: str, shape: Any, chunks: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        filters = hdf5plugin.FciDecomp()
        dataset = file.create_dataset(
            "a", data=compressible(shape, dtype), chunks=chunks, **filters
        )
        assert {mask for mask, _ in raw_chunks(dataset).values()} == {0}
        assert_reads_like_hdf5(tmp_path / "zarr", dataset)


@pytest.mark.parametrize("number", [32022, 32023])
def test_rounding_is_nothing_to_undo(number: int, tmp_path: Path) -> None:
    """BitGroom and Granular BitRound leave numbers; their plugins hand them back as they are."""
    values = np.linspace(0, 1, 350, dtype="<f4").reshape(50, 7)
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_chunk((10, 7))
    create.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (3, 4, 0, 0, 0))
    create.set_shuffle()
    create.set_deflate(1)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        space = h5py.h5s.create_simple(values.shape)
        made = h5py.h5d.create(file.id, b"a", h5py.h5t.IEEE_F32LE, space, create)
        for row in range(0, 50, 10):
            part = values[row : row + 10].view("u1").reshape(-1, 4).T.tobytes()
            made.write_direct_chunk((row, 0), zlib.compress(part))
    group = parse_file(HDFParser(), tmp_path / "a.h5")
    assert np.array_equal(read_values(group)["a"], values)


def test_shuffle_behind_a_filter_that_changes_the_length(tmp_path: Path) -> None:
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_chunk((7, 5))
    for number, values in ((6, (2, 0)), (2, ()), (1, (4,)), (3, ())):
        create.set_filter(number, h5py.h5z.FLAG_MANDATORY, values)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        space = h5py.h5s.create_simple((23, 11))
        h5py.h5d.create(file.id, b"a", h5py.h5t.STD_I32LE, space, create)
        file["a"][...] = np.random.default_rng(2).integers(0, 20, (23, 11))
        file.flush()
        names = [codec["name"] for codec in filter_codecs(filters_of(file["a"]), 4)]
        assert names[1] == "virtualizarr.shuffle"
        assert_reads_like_hdf5(tmp_path / "zarr", file["a"])


CORPUS = [
    ("hdf5/netcdf-c/nc_test4/ref_szip.h5", "dset_szip"),
    *(
        (f"hdf5-corpus/hdf5/HDF5Examples/C/H5FLT/tfiles/h5ex_d_{name}.h5", "DS1")
        for name in ("blosc2", "bshuf", "zfp", "zstd")
    ),
    ("hdf5-corpus/hdf5/tools/test/h5repack/testfiles/h5repack_soffset.h5", "dset_scaleoffset"),
    ("hdf5-corpus/hdf5_2014/tools/h5repack/testfiles/h5repack_soffset.h5", "dset_scaleoffset"),
]


@pytest.mark.parametrize("path, name", CORPUS)
def test_files_of_others(path: str, name: str, tmp_path: Path) -> None:
    if not (SHARED / path).exists():
        pytest.skip("the shared data are not here")
    with h5py.File(SHARED / path) as file:
        assert_reads_like_hdf5(tmp_path / "zarr", file[name])


def test_fresh_process_needs_no_import(tmp_path: Path) -> None:
    values = compressible((40, 37), "<i4")
    for name, plan in (("lzf", PLANS["lzf"]), ("bitshuffle", PLANS["bitshuffle lz4 0"])):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            dataset = file.create_dataset("a", data=values, chunks=(19, 13), **plan)
            codecs = filter_codecs(filters_of(dataset), 4)
            write_v3(tmp_path / name, dataset, codecs, raw_chunks(dataset))
        program = (
            "import sys, zarr; values = zarr.open_array(sys.argv[1], mode='r')[...];"
            "sys.stdout.buffer.write(values.tobytes())"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / name)], capture_output=True, check=True
        )
        assert done.stdout == values.tobytes()


def test_zlib_stream_with_bytes_behind_it(tmp_path: Path) -> None:
    """Chunks may be followed by bytes of an earlier, longer version; libhdf5 ignores them."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset(
            "a", data=compressible((500,), "<i4"), chunks=(500,), compression="gzip"
        )
        _, stored = dataset.id.read_direct_chunk((0,))
        dataset.id.write_direct_chunk((0,), stored + b"\x00rest")
        assert_reads_like_hdf5(tmp_path / "zarr", dataset)


@pytest.mark.parametrize(
    "number, name", [(32017, "sz"), (32024, "sz3"), (32028, "sperr"), (305, "LZO"), (999, "mine")]
)
def test_other_filters_are_refused_by_name(number: int, name: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=rf"HDF5 filter {number} \({name}\)"):
        filter_codecs([(1, 0, "deflate", (6,)), (number, 0, "mine", ())], 4)


def test_one_entry_per_filter_for_filter_masks() -> None:
    filters = [(2, 0, "shuffle", (1,)), (1, 0, "deflate", (6,)), (3, 0, "fletcher32", ())]
    by_filter = codecs_by_filter(filters, 1)
    assert [len(codecs) for codecs in by_filter] == [0, 1, 1]
    assert tuple(codec for codecs in by_filter for codec in codecs) == filter_codecs(filters, 1)


@pytest.mark.parametrize(
    "number", sorted(set(FILTERS) - {1, 2, 3, 307, 32000, 32004, 32015, 32018, 32022, 32023, 32026})
)
def test_client_data_that_are_cut_short(number: int) -> None:
    with pytest.raises(CorruptFileError, match=f"HDF5 filter {number}"):
        filter_codecs([(number, 0, "", (2,))], 4)
