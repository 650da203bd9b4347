"""HDF4's coders: in fresh processes, by both pipelines, in Zarr v2, and on broken streams.

That they decode what the HDF4 library writes is shown with its files, in tests/parsers/hdf4.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

from virtualizarr.codecs.base import ForeignCodec, octets
from virtualizarr.codecs.fill_up import FillUp
from virtualizarr.codecs.hdf4_nbit import Hdf4Nbit
from virtualizarr.codecs.hdf4_rle import Hdf4Rle
from virtualizarr.codecs.hdf4_skphuff import Hdf4Skphuff
from virtualizarr.codecs.hdf4_szip import REVISION_2, Hdf4Szip
from virtualizarr.errors import CorruptFileError, VirtualizeError

RUNS = bytes([0x80 | 5, 7, 3, 1, 2, 3, 4])  # eight times 7, then 1 2 3 4
RUN_VALUES = [7] * 8 + [1, 2, 3, 4]

READ = """
import sys, zarr
for pipeline in ("BatchedCodecPipeline", "FusedCodecPipeline"):
    with zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline." + pipeline}):
        print(zarr.open_array(sys.argv[1], mode="r")[...].tolist())
"""


def szip(bare: bool, raw: bool = False) -> tuple[Hdf4Szip, bytes]:
    imagecodecs = pytest.importorskip("imagecodecs")
    values = (np.arange(512) // 5).astype(">u2")
    mask = 4 | 32 | 16  # entropy coding of nearest neighbours, most significant byte first
    stream = imagecodecs.szip_encode(values, mask, 16, 16, 256, header=False)
    stream = values.tobytes() if raw else bytes(stream)
    preamble = b"" if bare else bytes([raw]) + len(stream).to_bytes(4, "big")
    codec = Hdf4Szip(
        length=values.nbytes,
        options_mask=mask | (0 if bare else REVISION_2),
        pixels_per_block=16,
        bits_per_pixel=16,
        pixels_per_scanline=256,
    )
    return codec, preamble + stream


@pytest.mark.parametrize(("bare", "raw"), [(True, False), (False, False), (False, True)])
def test_szip_with_and_without_preamble(bare: bool, raw: bool) -> None:
    codec, stream = szip(bare, raw)
    found = codec.decode(octets(stream + b"\0" * 7 if not bare else stream), 1024)
    np.testing.assert_array_equal(found.view(">u2"), np.arange(512) // 5)


def test_rle() -> None:
    assert Hdf4Rle(12).decode(octets(RUNS), 12).tolist() == RUN_VALUES
    with pytest.raises(CorruptFileError, match="too short"):
        Hdf4Rle(13).decode(octets(RUNS), 13)


def test_fill_up_continues_with_the_value() -> None:
    codec = FillUp((1, 2))
    assert codec.decode(octets(b"\x09\x09\x09"), 7).tolist() == [9, 9, 1, 2, 1, 2, 1]
    assert codec.decode(octets(b"\x09" * 9), 4).tolist() == [9] * 4
    with pytest.raises(CorruptFileError, match="nbytes"):
        codec.decode(octets(b"\x09"), None)


CODECS: dict[str, tuple[ForeignCodec, bytes]] = {
    "rle": (Hdf4Rle(12), RUNS),
    "nbit": (Hdf4Nbit(12, 2, 9, 10, True, 1), bytes(range(60, 68))),
    "skphuff": (Hdf4Skphuff(12, 2), bytes(range(200, 228))),
    "fill_up": (FillUp((1, 2)), b"\x01\x02\x03\x04"),
}


@pytest.mark.parametrize("name", CODECS)
def test_in_a_fresh_process_by_both_pipelines(tmp_path: Path, name: str) -> None:
    codec, stream = CODECS[name]
    expected = codec.decode(octets(stream), 12).view(">u2").tolist()
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [6],
        "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [6]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": 0,
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "big"}},
            {"name": codec.name, "configuration": codec.configuration()},
        ],
    }
    (tmp_path / "zarr.json").write_text(json.dumps(metadata))
    (tmp_path / "c.0").write_bytes(stream)
    command = [sys.executable, "-c", READ, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == f"{expected}\n" * 2


@pytest.mark.parametrize("name", CODECS)
def test_as_numcodecs(name: str) -> None:
    codec, stream = CODECS[name]
    config = {"id": codec.name, "nbytes": 12, **codec.configuration()}
    twin = numcodecs.get_codec(config)
    assert twin.decode(stream).tolist() == codec.decode(octets(stream), 12).tolist()
    assert twin.get_config() == config


@pytest.mark.parametrize("name", CODECS)
def test_broken_streams(name: str) -> None:
    codec, stream = CODECS[name]
    random = np.random.default_rng(0)
    for length in range(len(stream) * 3):
        broken = random.integers(0, 256, length, np.uint8)
        try:
            assert codec.decode(broken, 12).size == 12
        except VirtualizeError:
            continue


@pytest.mark.parametrize(
    ("kind", "configuration"),
    [
        (Hdf4Rle, {"length": -1}),
        (Hdf4Rle, {"length": 1, "other": 2}),
        (Hdf4Nbit, {"length": 4, "size": 2, "start_bit": 16, "bit_len": 1}),
        (Hdf4Nbit, {"length": 4, "size": 2, "start_bit": 3, "bit_len": 5}),
        (Hdf4Nbit, {"length": 5, "size": 2, "start_bit": 3, "bit_len": 2}),
        (Hdf4Skphuff, {"length": 4, "skip": 0}),
        (FillUp, {"value": []}),
        (FillUp, {"value": [256]}),
    ],
)
def test_bad_configurations(kind: type[ForeignCodec], configuration: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError):
        kind.from_configuration(configuration)


@pytest.mark.parametrize("codec", [Hdf4Rle(1 << 30), Hdf4Skphuff(1 << 30, 1)], ids=str)
def test_never_more_than_the_chunk(codec: ForeignCodec) -> None:
    with pytest.raises(CorruptFileError, match="for a chunk of 12"):
        codec.decode(octets(RUNS), 12)
