"""What our codecs write, libhdf5 reads; metadata and missing packages."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numcodecs
import numpy as np
import pytest
import zarr
from zarr.registry import get_codec_class

from codec_witness import PIPELINES, compressible, filters_of
from virtualizarr.codecs.base import octets
from virtualizarr.codecs.bitshuffle import Bitshuffle
from virtualizarr.codecs.hdf5_filters import filter_codecs
from virtualizarr.codecs.lzf import Lzf, LzfCodec
from virtualizarr.codecs.names import from_numcodecs, to_numcodecs
from virtualizarr.errors import CorruptFileError, MissingDependencyError, UnsupportedFeatureError

hdf5plugin = pytest.importorskip("hdf5plugin")
pytest.importorskip("imagecodecs")

PLANS: dict[str, dict[str, Any]] = {
    "lzf": {"compression": "lzf"},
    "lz4": dict(hdf5plugin.LZ4()),
    "bitshuffle none": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle lz4": dict(hdf5plugin.Bitshuffle(cname="lz4", nelems=64)),
    "bitshuffle zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("dtype, count", [("<f4", 5000), ("<i2", 77), ("<f8", 3), ("<i4", 8192)])
def test_libhdf5_reads_what_we_write(plan: str, dtype: str, count: int, tmp_path: Path) -> None:
    values = compressible((count,), dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("a", (count,), dtype, chunks=(count,), **PLANS[plan])
        (codec,) = filter_codecs(filters_of(dataset), values.itemsize)
        config = to_numcodecs(codec, nbytes=values.nbytes)
        encoded = numcodecs.get_codec(config).encode(values)
        dataset.id.write_direct_chunk((0,), bytes(encoded))
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["a"][...], values)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_zarr_writes_and_reads(pipeline: str) -> None:
    values = compressible((40, 37), "<i4")
    with zarr.config.set({"codec_pipeline.path": pipeline}):
        array = zarr.create_array(
            zarr.storage.MemoryStore(),
            shape=values.shape,
            chunks=(19, 13),
            dtype=values.dtype,
            compressors=[LzfCodec(Lzf())],
        )
        array[...] = values
        assert np.array_equal(np.asarray(array[...]), values)


CODECS: list[dict[str, Any]] = [
    {"name": "virtualizarr.blosc2", "configuration": {}},
    {"name": "virtualizarr.imagecodecs", "configuration": {"codec": "zlib", "options": {}}},
    {"name": "virtualizarr.nbit", "configuration": {"element": [1, 4, 0, 16, 5]}},
    {"name": "virtualizarr.inflate", "configuration": {"times": 2}},
    {"name": "virtualizarr.shuffle", "configuration": {"elementsize": 4}},
    {
        "name": "virtualizarr.bitshuffle",
        "configuration": {"elementsize": 4, "blocksize": 0, "cname": "lz4"},
    },
    {
        "name": "virtualizarr.szip",
        "configuration": {
            "options_mask": 169,
            "pixels_per_block": 8,
            "bits_per_pixel": 32,
            "pixels_per_scanline": 10,
        },
    },
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: str(codec["name"]))
def test_metadata_round_trip(codec: dict[str, Any]) -> None:
    made = get_codec_class(codec["name"]).from_dict(codec)
    assert made.to_dict() == codec
    assert pickle.loads(pickle.dumps(made)) == made
    config = to_numcodecs(codec, nbytes=80)
    if codec["name"] != "virtualizarr.imagecodecs":
        twin = numcodecs.get_codec(config)
        assert twin.get_config() == config
        assert pickle.loads(pickle.dumps(twin)) == twin
    assert from_numcodecs(config) == codec
    for wrong in ({"other": 1}, {**codec["configuration"], "more": 1}):
        with pytest.raises(CorruptFileError, match="configuration"):
            get_codec_class(codec["name"]).from_dict(
                {"name": codec["name"], "configuration": wrong}
            )


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"elementsize": 0},
        {"elementsize": "4"},
        {"elementsize": 4, "blocksize": 3},
        {"elementsize": 4, "cname": "lzma"},
        {"elementsize": True},
    ],
)
def test_parameters_that_mean_nothing(configuration: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError, match="bitshuffle"):
        Bitshuffle.from_configuration(configuration)


def test_decoding_into_an_array() -> None:
    values = compressible((100,), "<i4")
    codec = numcodecs.get_codec({"id": "virtualizarr.lzf", "nbytes": 400})
    out = np.empty_like(values)
    assert codec.decode(codec.encode(values), out=out) is out
    assert np.array_equal(out, values)
    with pytest.raises(CorruptFileError, match="400 bytes decoded for 40"):
        codec.decode(codec.encode(values), out=out[:10])


def test_imagecodecs_by_its_numcodecs_name() -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    image = compressible((40, 37), "<u2")
    codec = from_numcodecs({"id": "imagecodecs_jpeg2k", "reversible": True})
    made = get_codec_class(codec["name"]).from_dict(codec)
    stream = octets(imagecodecs.jpeg2k_encode(image, reversible=True))
    assert made.foreign.decode(stream, image.nbytes).tobytes() == image.tobytes()
    with pytest.raises(CorruptFileError, match="for a chunk of 10"):
        made.foreign.decode(octets(imagecodecs.jpeg2k_encode(compressible((300, 300), "<u2"))), 10)
    with pytest.raises(CorruptFileError, match="cannot decode"):
        made.foreign.decode(stream[:30], image.nbytes)
    config = from_numcodecs({"id": "imagecodecs_nothing"})
    missing = get_codec_class(codec["name"]).from_dict(config)
    with pytest.raises(UnsupportedFeatureError, match="imagecodecs_nothing"):
        missing.foreign.decode(stream, 10)
    with pytest.raises(UnsupportedFeatureError, match="imagecodecs_numpy"):
        get_codec_class(codec["name"]).from_dict(from_numcodecs({"id": "imagecodecs_numpy"}))


def test_codecs_that_only_read_say_so() -> None:
    codec = numcodecs.get_codec({"id": "virtualizarr.blosc2"})
    with pytest.raises(UnsupportedFeatureError, match=r"virtualizarr\.blosc2 reads"):
        codec.encode(b"1234")


def test_missing_imagecodecs_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "virtualizarr\[codecs\]"'):
        Lzf().decode(octets(b"1234"), 4)


def test_importing_the_codecs_does_not_import_imagecodecs() -> None:
    program = (
        "import sys, numcodecs, zarr.registry as r\n"
        "for name in ('lzf', 'zfp', 'imagecodecs', 'nbit', 'optional_filters', 'bounded'):\n"
        "    r.get_codec_class('virtualizarr.' + name)\n"
        "assert not any(name.split('.')[0] == 'imagecodecs' for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
